"""Every key of a config file: its type, default and parser. Durations are seconds, sizes bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Factory, field, frozen

from ..addresses import parse_allow_network
from ..model import AllowedNetwork, ExposeHeader, RateLimit, UserKeyHeader
from ..secret import Secret
from ..whip.rules import DEFAULT_TTL
from . import http_values as http
from .auth import AuthConfig
from .listen import Listen, parse_listen
from .secrets import ca_file, secret_headers
from .stores import directory, master_key, redis_url, secret
from .values import count, duration, flag, list_of, name, one_of, one_or_list, size, text, whole


def _by(parse: Any) -> dict[str, Any]:
    return {"parse": parse}


def _local(parse: Any) -> dict[str, Any]:
    # The parser also takes the Surroundings: it reads the environment or files.
    return {"parse": parse, "local": True}


def _required(parse: Any) -> dict[str, Any]:
    return {"parse": parse, "required": True}


def _allow_network(value: object) -> AllowedNetwork:
    return parse_allow_network(text(value))


def _admin(value: object) -> str:
    return parse_listen(value).description if value != "" else ""


_patterns = list_of(http.header_pattern, what="header names")


@frozen
class ServerConfig:
    """``[server]``: the browser's side."""

    name: str = field(default="naap-proxy", metadata=_by(name))
    listen: tuple[Listen, ...] = field(
        default=(parse_listen("tcp:4000:interface=127.0.0.1"),),
        metadata=_by(list_of(parse_listen, what="endpoint strings", empty=False)),
    )
    base_path: str = field(default="/api/v1", metadata=_by(http.base_path))
    cors_origins: str | tuple[str, ...] = field(default="*", metadata=_by(http.cors_origins))
    cors_headers: tuple[str, ...] = field(default=(), metadata=_by(_patterns))
    server_names: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(http.server_name, what="host names"))
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(http.network, what="networks"))
    )
    rate_limit: RateLimit | None = field(default=RateLimit(), metadata=_by(http.rate_limit))
    user_rate_limit: RateLimit | None = field(default=None, metadata=_by(http.rate_limit))
    compression: bool = field(default=True, metadata=_by(flag))
    security_headers: bool = field(default=True, metadata=_by(flag))
    https_redirect: bool = field(default=False, metadata=_by(flag))
    hsts: float | None = field(default=None, metadata=_by(duration))
    drain_timeout: float = field(default=30.0, metadata=_by(duration))
    max_in_flight: int = field(default=20_000, metadata=_by(count))
    max_in_flight_per_user: int = field(default=1_000, metadata=_by(count))
    admin_listen: str = field(default="", metadata=_by(_admin))
    admin_remote: bool = field(default=False, metadata=_by(flag))
    workers: int = field(default=1, metadata=_by(count))
    state_dir: str = field(default="", metadata=_local(directory))
    database_url: Secret | None = field(default=None, repr=False, metadata=_local(secret))


@frozen
class UpstreamConfig:
    """``[upstream]``: the API's side."""

    dns_servers: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(http.dns_server, what="addresses"))
    )
    ca_file: str = field(default="", metadata=_local(ca_file))
    allow_networks: tuple[AllowedNetwork, ...] = field(
        default=(),
        metadata=_by(list_of(_allow_network, what='networks such as "127.0.0.1/32:9100"')),
    )


@frozen
class RedisConfig:
    """``[redis]``: the shared store."""

    url: Secret | None = field(default=None, repr=False, metadata=_local(redis_url))
    on_redis_loss: str = field(default="local", metadata=_by(one_of("local", "deny")))


@frozen
class KeysConfig:
    """``[keys]``: users' own keys."""

    master_key: Secret | None = field(default=None, repr=False, metadata=_local(master_key))


@frozen
class ProxyConfig:
    """One ``[[proxy]]`` route.

    :ivar target_url_header: ``None`` where the file does not say: X-Target-URL, unless pinned.
    :ivar errors: ``None`` where the file does not say: passthrough if pinned, else envelope.
    :ivar authorize: ``None`` where the file does not say: ``"user"``, or ``"anyone"`` with auth
        mode "none" on loopback.
    """

    path: str = field(default="", metadata=_required(http.mount_path))
    methods: tuple[str, ...] = field(
        default=("POST",), metadata=_by(list_of(http.method, what="methods", empty=False))
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(text, what="host names", empty=False))
    )
    allowed_schemes: tuple[str, ...] = field(
        default=("https",), metadata=_by(list_of(text, what="schemes", empty=False))
    )
    allowed_ports: tuple[int, ...] | None = field(
        default=None, metadata=_by(list_of(whole, what="ports", empty=False))
    )
    target_url_header: str | None = field(default=None, metadata=_by(http.header_name))
    target: str | None = field(default=None, metadata=_by(text))
    content_type: tuple[str, ...] = field(
        default=("application/json",),
        metadata=_by(one_or_list(http.content_type, what="content types")),
    )
    body_limit: int = field(default=1024 * 1024, metadata=_by(size))
    timeout: float = field(default=30.0, metadata=_by(duration))
    connect_timeout: float = field(default=10.0, metadata=_by(duration))
    idle_timeout: float = field(default=300.0, metadata=_by(duration))
    total_timeout: float | None = field(default=None, metadata=_by(duration))
    errors: str | None = field(default=None, metadata=_by(one_of("envelope", "passthrough")))
    pass_headers: tuple[str, ...] | None = field(default=None, metadata=_by(_patterns))
    response_headers: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(http.relayed_pattern, what="header names"))
    )
    expose_headers: tuple[ExposeHeader, ...] = field(
        default=(), metadata=_by(list_of(http.expose_header, what="{ from, to } tables"))
    )
    forward_headers: Mapping[str, Secret | UserKeyHeader] = field(
        factory=dict, repr=False, metadata=_local(secret_headers)
    )
    authorize: str | None = field(default=None, metadata=_by(http.authorize))
    max_in_flight: int | None = field(default=None, metadata=_by(count))
    redact_bodies: bool = field(default=False, metadata=_by(flag))
    rate_limit: RateLimit | None = field(default=None, metadata=_by(http.rate_limit))
    count_tokens: bool = field(default=False, metadata=_by(flag))
    location_ttl: float = field(default=DEFAULT_TTL, metadata=_by(duration))
    follow_redirects: bool = field(default=False, metadata=_by(flag))


@frozen
class Config:
    """A whole file, defaults filled in and every value checked."""

    server: ServerConfig = Factory(ServerConfig)
    auth: AuthConfig = Factory(AuthConfig)
    upstream: UpstreamConfig = Factory(UpstreamConfig)
    redis: RedisConfig = Factory(RedisConfig)
    keys: KeysConfig = Factory(KeysConfig)
    proxy: tuple[ProxyConfig, ...] = ()
