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
from ..upstream.client import UpstreamClient
from ..upstream.dns import DnsResolver
from ..upstream.pool import PoolLimits
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

#: What a start raises the soft limit of open files to, where the hard one is not lower.
MOST_FILES = 65_536
# Files that are no exchange's: listeners, logs, stores, connections to the DNS and of the admin
# port, and those that are told that there is no room.
_OTHER_FILES = 100
_USUAL = DownstreamLimits().connections


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
        connections=min(server.max_connections or _USUAL, most_connections()),
        connections_per_address=server.connections_per_address,
    )
    if auth.mode != "session":
        return limits
    # session_timeout ends a slow session service; the deadline of callables must not do so before.
    return evolve(limits, callable_timeout=max(limits.callable_timeout, auth.session_timeout + 1.0))


def most_connections() -> int:
    """As many as the limit of open files lets be, where each exchange takes two sockets."""
    return max((_most_files() - _OTHER_FILES) // 2, 1)


def pool_limits_of(limits: DownstreamLimits) -> PoolLimits:
    """The bounds on connections to upstreams: what browsers under *limits* leave of the files."""
    usual = PoolLimits()
    left = max(_most_files() - _OTHER_FILES - limits.connections, 1)
    total = min(usual.open_total, left)
    return evolve(usual, open_total=total, open_per_key=min(usual.open_per_key, total))


def _most_files() -> int:
    """The limit of open files after the start, which raises the soft one towards the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MOST_FILES if soft == resource.RLIM_INFINITY else max(soft, MOST_FILES)
    return max(soft, min(hard, MOST_FILES))


def _queued(running: int) -> InFlightLimit:
    return InFlightLimit(running, min(running, 1_000))


def upstream_of(options: UpstreamOptions, limits: DownstreamLimits, reactor: Any) -> UpstreamClient:
    """The way out of a server whose browsers come under *limits*."""
    return UpstreamClient(
        reactor,
        resolver=resolver_of(options, reactor),
        ca_file=options.ca_file,
        limits=pool_limits_of(limits),
    )


def resolver_of(options: UpstreamOptions, reactor: Any) -> IResolver:
    """The resolver that *options* ask for: the named DNS servers, else the system's."""
    if options.dns_servers:
        return DnsResolver(options.dns_servers, reactor)
    return SystemResolver(reactor)
