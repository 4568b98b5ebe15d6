"""The wrapper chain that a server's options make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from ..downstream.caller import TrustedProxies
from ..downstream.limits import DownstreamLimits
from ..interfaces import IHeadResource, IRateLimiter
from ..limits.capacity import CapacityLimits
from ..limits.in_flight import InFlightLimit
from ..options.listen import Listen
from ..options.server import Config, ServerOptions
from ..route.cross_site import CrossSite
from ..wrappers.compression import Compression
from ..wrappers.cors import Cors
from ..wrappers.https_only import HttpsOnly
from ..wrappers.rate_limit import Charge, RateLimited
from ..wrappers.request_id import RequestId
from ..wrappers.security_headers import SecurityHeaders
from ..wrappers.server_names import ServerNames
from .own_names import OwnNames, own_names
from .routing import Routes
from .stores import State


def names_of(options: ServerOptions, *, elsewhere: bool = False) -> OwnNames:
    """By which names the server is called.

    :param elsewhere: somebody else listens for it.
    """
    return own_names(() if elsewhere else options.listen, options.server_names)


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


def _https_port(endpoints: Sequence[Listen]) -> int:
    """Where https is served: by an ``ssl:`` endpoint of ours, else by what stands in front."""
    ports = [int(each.arguments["port"]) for each in endpoints if each.kind == "ssl"]
    return 443 if 443 in ports or not ports else ports[0]


def capacity_of(options: ServerOptions) -> CapacityLimits:
    """The bounds on exchanges in progress."""
    return options.capacity or CapacityLimits(
        total=_queued(options.max_in_flight), user=_queued(options.max_in_flight_per_user)
    )


def limits_of(config: Config) -> DownstreamLimits:
    """The bounds of the browser's side."""
    server, auth = config.server, config.auth
    limits = server.limits or DownstreamLimits(
        connections_per_address=server.connections_per_address
    )
    if auth.mode != "session":
        return limits
    # A session service has the time that its own option gives it.
    return evolve(limits, callable_timeout=max(limits.callable_timeout, auth.session_timeout + 1.0))


def _queued(running: int) -> InFlightLimit:
    return InFlightLimit(running, min(running, 1_000))
