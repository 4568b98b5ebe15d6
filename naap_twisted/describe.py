"""A config in words: what each route lets through. Names of headers, never their values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .addresses import format_allow_network
from .config import Config, ProxyConfig
from .config.auth import describe_auth
from .config.rules import effective_authorize
from .model import DEFAULT_PORTS, RateLimit
from .own_names import own_names
from .rewrite import PINNED_RELAY, SDP_RELAY
from .route_options import passed_headers
from .whip.rules import CLIENT_HEADERS, OFFER, SESSION_METHODS, is_whip


def describe(config: Config) -> tuple[str, ...]:
    """The lines that ``naap-proxy check`` prints: the server, then each route."""
    lines = [f"server {config.server.name}", *_table(_server_rows(config))]
    for route in config.proxy:
        branch = "/*" if route.target is not None else ""
        path = config.server.base_path + route.path + branch
        lines += ["", f"route {path}", *_table(_route_rows(config, route))]
    return tuple(lines)


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"  {name:18} {text}" for name, text in rows)


def _server_rows(config: Config) -> Iterator[tuple[str, str]]:
    server, upstream = config.server, config.upstream
    yield "listen", ", ".join(listen.description for listen in server.listen)
    if server.admin_listen:
        yield "admin", server.admin_listen
    yield "auth", describe_auth(config.auth)
    origins = server.cors_origins
    yield "origins", "any, without credentials" if isinstance(origins, str) else ", ".join(origins)
    limit = server.rate_limit
    yield "rate limit", f"{_limit(limit)} per address" if limit else "none"
    if server.user_rate_limit:
        yield "", f"{_limit(server.user_rate_limit)} per user"
    if server.state_dir or server.database_url:
        place = "a database" if server.database_url else server.state_dir
        yield "state", f"{place}: {'keys and ' if config.keys.master_key else ''}usage"
    if config.redis.url:
        shared = "limits, sessions" if config.auth.mode == "session" else "limits"
        yield "shared", f"{shared}, in Redis; when it is gone: {config.redis.on_redis_loss}"
    answered = own_names(server.listen, server.server_names).answered
    if answered:
        yield "server names", ", ".join(answered)
    if upstream.allow_networks:
        yield "open networks", ", ".join(map(format_allow_network, upstream.allow_networks))


def _route_rows(config: Config, route: ProxyConfig) -> Iterator[tuple[str, str]]:
    yield "methods", ", ".join(route.methods)
    if route.target is not None:
        yield "pinned to", route.target
    else:
        yield "target from", route.target_url_header or "X-Target-URL"
        yield "hosts", ", ".join(route.allowed_hosts)
        yield "schemes", ", ".join(route.allowed_schemes)
        ports = route.allowed_ports or [DEFAULT_PORTS[scheme] for scheme in route.allowed_schemes]
        yield "ports", ", ".join(map(str, ports))
    yield "content types", ", ".join(route.content_type)
    yield "body limit", f"{route.body_limit} bytes"
    yield "timeouts", _timeouts(route)
    if is_whip(route.content_type, route.methods):
        methods = ", ".join((*SESSION_METHODS, "HEAD"))
        yield "sessions", f"{methods}; Location works for {_seconds(route.location_ttl)}"
    if route.follow_redirects:
        yield "redirects", "307 and 308 followed to allowed targets"
    if route.rate_limit:
        yield "rate limit", f"{_limit(route.rate_limit)} per caller"
    yield "authorize", effective_authorize(config, route)
    passthrough = route.target is not None
    yield "errors", route.errors or ("passthrough" if passthrough else "envelope")
    yield from _header_rows(route)


def _header_rows(route: ProxyConfig) -> Iterator[tuple[str, str]]:
    injected = [f"{name} (from {value.source})" for name, value in route.forward_headers.items()]
    yield "injected headers", ", ".join(injected) or "none"
    pinned = route.target is not None
    passed = passed_headers(route.pass_headers, pinned=pinned)
    relayed = [*route.response_headers, *(PINNED_RELAY if pinned else ())]
    if is_whip(route.content_type, route.methods):
        passed = (*passed, *CLIENT_HEADERS)
    relayed += SDP_RELAY if OFFER in map(str.lower, route.content_type) else ()
    yield "passed headers", ", ".join(dict.fromkeys(passed)) or "none"
    exposed = [f"{item.from_} as {item.to}" for item in route.expose_headers]
    exposed += ["X-Request-ID as X-Upstream-Request-ID"] if pinned else []
    yield "relayed headers", ", ".join([*dict.fromkeys(relayed), *exposed]) or "none"


def _timeouts(route: ProxyConfig) -> str:
    total = "none" if route.total_timeout is None else _seconds(route.total_timeout)
    return (
        f"connect {_seconds(route.connect_timeout)}, head {_seconds(route.timeout)},"
        f" idle {_seconds(route.idle_timeout)}, total {total}"
    )


def _limit(limit: RateLimit) -> str:
    return f"{limit.requests} requests in {_seconds(limit.window)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:g}s"
