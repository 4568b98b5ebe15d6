"""What a server is made of by its options: wrappers, the bounds of its two sides, a resolver."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from ..downstream.caller import TrustedProxies
from ..downstream.limits import DownstreamLimits
from ..interfaces import IHeadResource, IRateLimiter, IResolver
from ..limits.capacity import CapacityLimits
from ..limits.in_flight import InFlightLimit
from ..options.listen import Listen
from ..options.server import Config, ServerOptions, UpstreamOptions
from ..upstream.dns import DnsResolver
from ..upstream.resolver import SystemResolver
from ..wrappers.compression import Compression
from ..wrappers.cors import Cors
from ..wrappers.https_only import HttpsOnly
from ..wrappers.rate_limit import RateLimited
from ..wrappers.request_id import RequestId
from ..wrappers.security_headers import SecurityHeaders
from ..wrappers.server_names import ServerNames
from ..wrappers.untrusted_proxies import UntrustedProxies
from .own_names import OwnNames
from .routing import Routes

# Files that are no exchange's: listeners, logs, stores, connections to the DNS.
_OTHER_FILES = 100


def wrapped(
    routes: Routes,
    options: ServerOptions,
    limiter: IRateLimiter | None,
    trusted: TrustedProxies,
    names: OwnNames,
    token_headers: Sequence[str] = (),
) -> IHeadResource:
    """*routes* in their wrappers; those that mark every answer stand outside those that refuse.

    :param token_headers: where callers may put their tokens; a preflight allows them.
    :param limiter: counts requests for ``rate_limit``; ``None`` without that option.
    """
    strangers = UntrustedProxies(trusted)
    root: Any = routes
    if options.compression:
        root = Compression(root)
    if limiter is not None:
        root = RateLimited(root, limiter, announced=options.rate_limit)
    origins, headers = options.cors_origins, (*options.cors_headers, *token_headers)
    root = Cors(root, routes, origins, headers, trusted=trusted, own=names.known)
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
            strangers=strangers,
        )
    if names.answered:
        root = ServerNames(root, names.listed, also=names.known)
    return RequestId(root, trusted=trusted, strangers=strangers)


def _https_port(endpoints: Sequence[Listen]) -> int:
    """The port of the first ``ssl:`` endpoint; 443 if one has it, or if a proxy ends TLS."""
    ports = [int(listen.arguments["port"]) for listen in endpoints if listen.kind == "ssl"]
    return 443 if 443 in ports or not ports else ports[0]


def capacity_of(options: ServerOptions) -> CapacityLimits:
    """The bounds on proxied exchanges in progress: in total, a user, a route."""
    return options.capacity or CapacityLimits(
        total=_queued(options.max_in_flight), user=_queued(options.max_in_flight_per_user)
    )


def limits_of(config: Config) -> DownstreamLimits:
    """The bounds on connections and requests of browsers."""
    server, auth = config.server, config.auth
    limits = server.limits or DownstreamLimits(
        connections=server.max_connections or _most_connections(),
        connections_per_address=server.connections_per_address,
    )
    if auth.mode != "session":
        return limits
    # session_timeout ends a slow session service; the deadline of callables must not do so before.
    return evolve(limits, callable_timeout=max(limits.callable_timeout, auth.session_timeout + 1.0))


def _most_connections() -> int:
    """The default, or fewer where that many exchanges would need more files than may be open.

    A start raises the soft limit to the hard one, and an exchange takes two sockets.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usual = DownstreamLimits().connections
    if hard == resource.RLIM_INFINITY:
        return usual
    return min(usual, max((hard - _OTHER_FILES) // 2, 1))


def _queued(running: int) -> InFlightLimit:
    return InFlightLimit(running, min(running, 1_000))


def resolver_of(options: UpstreamOptions, reactor: Any) -> IResolver:
    """The resolver that *options* ask for: the named DNS servers, else the system's."""
    if options.dns_servers:
        return DnsResolver(options.dns_servers, reactor)
    return SystemResolver(reactor)
