"""A server's options, checked before anything is built, and the wrapper chain they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import field, frozen
from twisted.internet.endpoints import quoteStringArgument

from .addresses import parse_allow_network
from .auth.choose import choose_authenticator
from .clients import TrustedProxies
from .config.listen import check_admin, parse_listen
from .cross_site import CrossSite
from .downstream.limits import DownstreamLimits
from .errors import ConfigError
from .interfaces import IAuthenticator, IHeadResource, IRateLimiter
from .limits.capacity import CapacityLimits
from .model import AllowedNetwork, RateLimit, rate_limit_problem
from .own_names import OwnNames, own_names
from .routing import Routes
from .secret import Secret
from .state import State, StateOptions
from .upstream.dns import check_server
from .wrappers.compression import Compression
from .wrappers.cors import Cors
from .wrappers.https_only import HttpsOnly
from .wrappers.rate_limit import Charge, RateLimited
from .wrappers.request_id import RequestId
from .wrappers.security_headers import SecurityHeaders
from .wrappers.server_names import ServerNames

_NOTHING: Any = None


@frozen(kw_only=True)
class ServerOptions:
    """What :func:`create_plugin_server` was given; see there."""

    name: str
    port: int
    host: str
    listen: Sequence[str]
    base_path: str
    cors_origins: Sequence[str] | str
    cors_headers: Sequence[str]
    require_auth: bool
    authenticator: IAuthenticator | None
    jwt_secret: Secret | str | None = field(repr=False)
    public_routes: Sequence[str]
    compression: bool
    security_headers: bool
    https_redirect: bool
    hsts: float | None
    rate_limit: RateLimit | None
    user_rate_limit: RateLimit | None
    trusted_proxies: Sequence[str]
    server_names: Sequence[str]
    allow_networks: Sequence[AllowedNetwork | str]
    ca_file: str | None
    drain_timeout: float
    limits: DownstreamLimits
    capacity: CapacityLimits
    dns_servers: Sequence[str]
    admin_listen: str
    admin_remote: bool
    state: StateOptions


def listen_of(options: ServerOptions) -> tuple[str, ...]:
    """The endpoint strings to listen on."""
    return tuple(options.listen) or (
        f"tcp:{options.port}:interface={quoteStringArgument(options.host)}",
    )


def networks_of(entries: Sequence[AllowedNetwork | str]) -> tuple[AllowedNetwork, ...]:
    """``allow_networks`` entries as values.

    :raises ValueError: an entry that is none.
    """
    return tuple(
        parse_allow_network(entry) if isinstance(entry, str) else entry for entry in entries
    )


def authenticator_of(options: ServerOptions) -> IAuthenticator | None:
    """Who tells users apart: what was given, or made of a secret that was, or of the environment.

    :raises ConfigError: see :func:`~naap_twisted.auth.choose.choose_authenticator`.
    """
    return choose_authenticator(
        options.authenticator,
        options.jwt_secret,
        required=options.require_auth,
        environ=os.environ,
    )


def names_of(options: ServerOptions, *, elsewhere: bool = False) -> OwnNames:
    """By which names the server is called.

    :param elsewhere: somebody else listens for it.
    """
    listeners = () if elsewhere else listen_of(options)
    return own_names(map(parse_listen, listeners), options.server_names)


def limiter_of(options: ServerOptions, state: State) -> IRateLimiter | None:
    """What counts for ``rate_limit``."""
    return None if options.rate_limit is None else state.limiter("address", options.rate_limit)


def cross_site_of(options: ServerOptions) -> CrossSite:
    """What pages of other sites may not do to a route with a key."""
    return CrossSite(options.cors_origins, TrustedProxies(options.trusted_proxies))


def charge_of(options: ServerOptions, limiter: IRateLimiter | None) -> Charge | None:
    """What counts bytes that are no request, with the requests that ``rate_limit`` counts."""
    if limiter is None:
        return None
    return Charge(limiter, TrustedProxies(options.trusted_proxies))


def wrapped(
    routes: Routes, options: ServerOptions, limiter: IRateLimiter | None, names: OwnNames
) -> IHeadResource:
    """The wrapper chain, innermost first.

    :param limiter: counts for ``rate_limit``, where there is one.
    """
    trusted = TrustedProxies(options.trusted_proxies)
    root: Any = routes
    if options.compression:
        root = Compression(root)
    if limiter is not None:
        root = RateLimited(root, limiter, announced=options.rate_limit)
    root = Cors(
        root,
        routes,
        options.cors_origins,
        options.cors_headers,
        trusted=trusted,
        own=names.known,
    )
    if options.security_headers:
        root = SecurityHeaders(root)
    if options.https_redirect or options.hsts is not None:
        root = HttpsOnly(
            root,
            redirect=options.https_redirect,
            hsts=options.hsts,
            trusted=trusted,
            https_port=_https_port(options.listen),
            own=names.known,
        )
    if names.answered:
        root = ServerNames(root, names.listed, also=names.known)
    return RequestId(root, trusted=trusted)


def _https_port(descriptions: Sequence[str]) -> int:
    """Where https is served: by an ``ssl:`` endpoint of ours, else by what stands in front."""
    endpoints = [parse_listen(text) for text in descriptions]
    ports = [int(each.arguments["port"]) for each in endpoints if each.kind == "ssl"]
    return 443 if 443 in ports or not ports else ports[0]


def problems_in(options: ServerOptions) -> list[str]:
    """What is wrong with *options*, one line a problem, each opening with the option's name."""
    problems: list[str] = []

    def attempt(key: str, build: Callable[[], object]) -> None:
        try:
            build()
        except ConfigError as error:
            problems.extend(error.problems)
        except ValueError as error:
            problems.append(f"{key}: {error}")

    if not options.name:
        problems.append("name: must not be empty")
    if not 0 <= options.port <= 65535:
        problems.append("port: must be a number from 0 to 65535")
    base = options.base_path
    if base and (not base.startswith("/") or base.endswith("/") or not base.isascii()):
        problems.append('base_path: must open with / and not end with one, or be ""')
    attempt("cors_origins", lambda: Cors(_NOTHING, _NOTHING, options.cors_origins))
    attempt("cors_headers", lambda: Cors(_NOTHING, _NOTHING, "*", options.cors_headers))
    attempt("trusted_proxies", lambda: TrustedProxies(options.trusted_proxies))
    attempt("server_names", lambda: ServerNames(_NOTHING, options.server_names))
    attempt("dns_servers", lambda: [check_server(text) for text in options.dns_servers])
    attempt("allow_networks", lambda: networks_of(options.allow_networks))
    for index, text in enumerate(options.listen):
        attempt(f"listen[{index}]", partial(parse_listen, text))
    if options.admin_listen:
        attempt(
            "admin_listen",
            lambda: check_admin(
                options.admin_listen, listen_of(options), remote=options.admin_remote
            ),
        )
    attempt("state", lambda: State(options.state, None, name=options.name))
    for key, limit in (
        ("rate_limit", options.rate_limit),
        ("user_rate_limit", options.user_rate_limit),
    ):
        problem = rate_limit_problem(limit)
        if problem is not None:
            problems.append(f"{key}: {problem}")
    attempt("jwt_secret", lambda: authenticator_of(options))
    return problems
