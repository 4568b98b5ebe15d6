"""A config in words: what each route lets through. Headers are named, never valued. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..auth import fetch
from ..auth.guests import GuestOptions
from ..credentials.sigv4 import AwsSigV4
from ..model import DEFAULT_PORTS, RateLimit
from ..options.auth import AuthOptions
from ..options.route import RouteOptions
from ..options.rules import effective_authorize
from ..options.server import Config
from ..policy.addresses import format_allow_network
from ..server.own_names import own_names
from ..whip.rules import SESSION_METHODS, is_whip


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
    if server.workers > 1:
        yield "workers", f"{server.workers}; each has its own bounds of connections and in flight"
    if server.admin_listen:
        yield "admin", server.admin_listen
    yield "auth", describe_auth(config.auth)
    origins = server.cors_origins
    yield "origins", "any, without credentials" if isinstance(origins, str) else ", ".join(origins)
    limit = server.rate_limit
    yield "rate limit", f"{_limit(limit)} per address" if limit else "none"
    if server.user_rate_limit:
        yield "", f"{_limit(server.user_rate_limit)} per user"
    for index, budget in enumerate(server.budget):
        yield "" if index else "budget", budget.text
    if server.alert_url is not None:
        yield "alerts", f"to alert_url, {'signed' if server.alert_secret else 'not signed'}"
    if server.state_dir or server.database_url:
        place = "a database" if server.database_url else server.state_dir
        yield "state", f"{place}: {'keys and ' if config.keys.master_key else ''}usage"
    if config.redis.url:
        shared = "limits, sessions" if config.auth.mode == "session" else "limits"
        yield "shared", f"{shared}, in Redis; when it is gone: {config.redis.on_redis_loss}"
    answered = own_names(server.listen, server.server_names).answered
    if answered:
        yield "server names", ", ".join(answered)
    if upstream.client_cert is not None:
        yield "certificate", f"{upstream.client_cert.path}, shown to upstreams that ask for one"
    if upstream.allow_networks:
        yield "open networks", ", ".join(map(format_allow_network, upstream.allow_networks))


def _route_rows(config: Config, route: RouteOptions) -> Iterator[tuple[str, str]]:
    yield "methods", ", ".join(route.methods)
    if route.target is not None:
        yield "pinned to", route.target.written
    else:
        yield "target from", route.header
        yield "hosts", ", ".join(route.allowed_hosts)
        yield "schemes", ", ".join(route.allowed_schemes)
        ports = route.allowed_ports or [DEFAULT_PORTS[scheme] for scheme in route.allowed_schemes]
        yield "ports", ", ".join(map(str, ports))
    yield "opens", _opens(route)
    if route.query is not None:
        yield "query", route.query.text
    if route.models:
        yield "models", ", ".join(route.models)
    if route.max_output_tokens is not None:
        over = "lowered" if route.max_output_tokens.clamp else "refused"
        yield "most output", f"{route.max_output_tokens.tokens} tokens; more is {over}"
    for index, line in enumerate(() if route.body is None else route.body.lines):
        yield "" if index else "bodies", line
    if route.judge is not None:
        yield "judged by", route.judge if isinstance(route.judge, str) else "callable"
    yield "content types", ", ".join(route.content_type)
    yield "body limit", f"{route.body_limit} bytes"
    yield (
        "timeouts",
        f"connect {_seconds(route.connect_timeout)}, head {_seconds(route.timeout)},"
        f" idle {_seconds(route.idle_timeout)}, total {_seconds(route.total_timeout)}",
    )
    if is_whip(route.content_type, route.methods):
        methods = ", ".join((*SESSION_METHODS, "HEAD"))
        yield "sessions", f"{methods}; Location works for {_seconds(route.location_ttl)}"
    if route.follow_redirects:
        beyond = f", and to {', '.join(route.allowed_hosts)}" if route.target is not None else ""
        yield "redirects", f"followed to allowed targets{beyond}; keys stay with the first origin"
    if route.resource_policy != "same-origin":
        yield "resource policy", f"{route.resource_policy}: other pages may show what is answered"
    if route.rate_limit:
        yield "rate limit", f"{_limit(route.rate_limit)} per caller"
    for index, budget in enumerate(route.budget):
        yield "" if index else "budget", budget.text
    if route.replay is not None:
        yield "replay", f"answers to an Idempotency-Key for {_seconds(route.replay)}, in memory"
    if route.require_origin:
        yield "origin", "has to be there: pages of cors_origins, and callers that say they are"
    if route.observe:
        yield "observes", "what is used, in the log; naap-proxy learn prints the least policy"
    yield "authorize", effective_authorize(config, route)
    yield "errors", route.errors_are
    yield from _header_rows(route)


def _opens(route: RouteOptions) -> str:
    """The endpoints, or in plain words that there is no bound."""
    if route.endpoints:
        slashes = "; %2F may stand in what a * matches" if route.encoded_slashes else ""
        return ", ".join(route.endpoints) + slashes
    if route.target is None:
        return "every endpoint of its hosts"
    opened = "" if route.provider is None else route.provider.opens
    where = route.target.written.partition("://")[2]
    return f"every endpoint of {where}" + (f", {opened} included" if opened else "")


def _header_rows(route: RouteOptions) -> Iterator[tuple[str, str]]:
    headers = {} if callable(route.forward_headers) else route.forward_headers
    injected = [f"{name} (from {value.source})" for name, value in headers.items()]
    if route.oauth2 is not None:
        injected.append(f"Authorization (access token from {_shown(route.oauth2.token_url)})")
    yield "injected headers", ", ".join(injected) or "none"
    if route.forward_query:
        pairs = (f"{name} (from {value.source})" for name, value in route.forward_query.items())
        yield "injected query", ", ".join(pairs)
    for host, table in route.hosts.items():
        values = [f"{key}.{name} (from {value.source})" for key, name, value in table.values()]
        yield "keys of a host", f"{host}: {', '.join(values) or 'none'}"
    if route.client_cert is not None:
        yield "certificate", f"{route.client_cert.path}, shown to an upstream that asks for one"
    if route.sign is not None:
        yield "signed by", _signer_in_words(route)
    yield "passed headers", ", ".join(route.passed_headers) or "none"
    exposed = [f"{item.from_} as {item.to}" for item in route.expose_headers]
    exposed.append("X-Request-ID as X-Upstream-Request-ID")
    yield "relayed headers", ", ".join([*route.relayed_headers, *exposed])


def _signer_in_words(route: RouteOptions) -> str:
    sign = route.sign
    if isinstance(sign, AwsSigV4):
        return f"AWS Signature Version 4 for {sign.service} in {sign.region}"
    return sign if isinstance(sign, str) else "a callable"


def _limit(limit: RateLimit) -> str:
    return f"{limit.requests} requests in {_seconds(limit.window)}"


def _seconds(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g}s"


def describe_auth(auth: AuthOptions) -> str:
    """How a server learns who its callers are; secrets are named by their source only."""
    if auth.mode == "none":
        return "off"
    if auth.mode == "tokens":
        words = ["" if auth.is_required else "optional", "tokens of services, from headers only"]
        return " ".join(filter(None, words))
    if auth.mode == "guest":
        words = ["" if auth.is_required else "optional", ", ".join(_guests_in_words(auth.guests))]
        return " ".join(filter(None, words))
    words = ["" if auth.is_required else "optional", auth.mode]
    if auth.mode == "session":
        words.append(f"asked of {_shown(auth.session_url)}, kept {auth.cache_ttl:g}s")
        if not fetch.is_local(auth.session_url) and auth.session_url.startswith("http:"):
            words.append("(tokens go there in the clear)")
    else:
        words.append(" or ".join(auth.named_algorithms))
        words.append(f"by {_key_in_words(auth)}")
    where = f"or cookie {auth.session_cookie}" if auth.session_cookie else "only"
    return " ".join(filter(None, [*words, f"from Authorization {where}"]))


def _guests_in_words(guests: GuestOptions) -> Iterator[str]:
    yield f"guests, from Authorization or cookie {guests.cookie}, known for {guests.ttl:.0f}s"
    each, prefix = guests.per_address, guests.per_prefix
    yield f"new ones of an address: {each.requests} in {_seconds(each.window)}"
    yield f"of an IPv6 /64: {prefix.requests} in {_seconds(prefix.window)}"
    asked = [f"a challenge judged by {_shown(guests.verify_url)}"] if guests.verify_url else []
    asked += [f"App Check of project {guests.app_check}"] if guests.app_check else []
    yield f"after {' or '.join(asked)}" if asked else "without a challenge"


def _key_in_words(auth: AuthOptions) -> str:
    if auth.secret is not None:
        return f"the secret from {auth.secret.source}"
    return f"the keys at {_shown(auth.jwks_url)}" if auth.jwks_url else "the public key's file"


def _shown(url: str) -> str:
    # The query of a URL may hold a key.
    return url.partition("?")[0]
