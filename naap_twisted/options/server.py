"""The options of a server, and the whole that they are. Durations are seconds, sizes bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from attrs import Factory, frozen
from twisted.internet.endpoints import quoteStringArgument

from ..downstream.limits import DownstreamLimits
from ..interfaces import IKeyStore
from ..limits.capacity import CapacityLimits
from ..model import AllowedNetwork, RateLimit
from ..secret import Secret
from ..spend.budget import Budget
from ..spend.prices import Price, Prices
from . import http_values as http
from . import values
from .auth import AuthOptions
from .budget import budget_list
from .client_certs import PemFile, client_cert, client_key
from .listen import Listen, parse_listen
from .option import in_code, option
from .prices import price_table, prices_with
from .route import RouteOptions
from .stores import (
    ca_file,
    directory,
    master_key,
    redis_url,
    secret,
    webhook,
    webhook_key,
)
from .values import count, duration, flag, instance, integer, list_of, name, one_of, optional, text

# A worker takes 60 MB or so, and a socket for each address.
_MOST = 256


@values.reads("str", values.TEXT)
def _admin(value: object) -> str:
    return parse_listen(value).description if value != "" else ""


@values.reads("int", {})
def _port(value: object) -> int:
    number = integer(value)
    if not 0 <= number <= 65535:
        raise ValueError("must be a number from 0 to 65535")
    return number


@values.reads("int | str", {"anyOf": [count.schema, {"const": "auto"}]})
def _workers(value: object) -> int:
    if value == "auto":
        return min(len(os.sched_getaffinity(0)), _MOST)
    if isinstance(value, str):
        raise ValueError('must be a number or "auto"')
    number = count(value)
    if number > _MOST:
        raise ValueError(f"must be {_MOST} at most")
    return number


def tcp(port: int, host: str) -> Listen:
    """The endpoint of a TCP port.

    :raises ValueError: *host* is no address.
    """
    return parse_listen(f"tcp:{port}:interface={quoteStringArgument(host)}")


@frozen
class ServerOptions:
    """``[server]``: the browser's side."""

    section: ClassVar[str] = "server"

    name: str = option(
        name,
        "What `/healthz` and the start line call this server.",
        '"ai-assistant"',
        default="naap-proxy",
    )
    listen: tuple[Listen, ...] = option(
        list_of(parse_listen, what="endpoint strings", empty=False),
        "Twisted endpoint strings, `ssl:` for TLS; else port 4000 of 127.0.0.1.",
        '["tcp:4020:interface=127.0.0.1"]',
        unset=(tcp(4000, "127.0.0.1"),),
    )
    port: int = in_code(
        _port, "TCP port on `host`, unless `listen` is given; 0 picks one.", default=4000
    )
    host: str = in_code(text, "The address of `port`.", default="127.0.0.1")
    base_path: str = option(http.base_path, "Where routes live.", default="/api/v1")
    cors_origins: str | tuple[str, ...] = option(
        http.cors_origins,
        "The pages that may call; `*` is never with credentials. In the left-most label of a name a"
        " `*` is a part of it.",
        '["http://localhost:3000", "https://*.example.com"]',
        default="*",
    )
    cors_headers: tuple[str, ...] = option(
        http.header_patterns,
        "Request headers that pages may send although no proxy route passes them: for routes of"
        " your own. `X-Prefix-*` too.",
        '["X-My-Header"]',
    )
    server_names: tuple[str, ...] = option(
        list_of(http.server_name, what="host names"),
        "Other Host values get 421, but for `/healthz`. On loopback `localhost`, `127.0.0.1` and"
        " `[::1]` stay beside them; elsewhere none means any. List the outer name behind a proxy"
        " that passes Host on.",
        '["proxy.example.org"]',
    )
    trusted_proxies: tuple[str, ...] = option(
        list_of(http.proxy, what="networks"),
        "Networks whose `X-Forwarded-For` and `-Proto` are believed; `unix` for who connects to a"
        " `unix:` endpoint.",
        '["10.0.0.0/8"]',
    )
    rate_limit: RateLimit | None = option(
        http.rate_limit,
        "Per client address; `false`, in code `None`, for none.",
        '{ requests = 200, window = "15m" }',
        default=RateLimit(),
    )
    user_rate_limit: RateLimit | None = option(
        http.rate_limit,
        "Per signed-in user, over all routes.",
        '{ requests = 1000, window = "15m" }',
    )
    budget: tuple[Budget, ...] = option(
        budget_list,
        "What may be spent over all routes, as of a route; also `of` each `route`, or of the"
        " `server`. See [docs/spend.md](docs/spend.md).",
        '[{ usd = 50, per = "month", of = "server" }]',
    )
    public_routes: tuple[str, ...] = in_code(
        list_of(text, what="paths"), "Exact request paths that need no user.", default=("/healthz",)
    )
    compression: bool = option(
        flag, "gzip for our own answers; what is relayed is not touched.", default=True
    )
    security_headers: bool = option(flag, "nosniff, no framing, referrer policy.", default=True)
    https_redirect: bool = option(flag, "Plain http is sent to https.")
    hsts: float | None = option(
        optional(duration), "Seconds that browsers remember to use https.", '"365d"'
    )
    lame_duck: float | None = option(
        optional(duration),
        "How long `/readyz` says no at shutdown before the listeners close, for load balancers.",
        '"5s"',
    )
    drain_timeout: float = option(
        duration, "What exchanges in flight get at shutdown.", '"30s"', default=30.0
    )
    max_in_flight: int = option(
        count, "Exchanges at once; up to 1,000 more wait, the rest get 503.", default=20_000
    )
    max_in_flight_per_user: int = option(count, "The same of one signed-in user.", default=1_000)
    max_connections: int | None = option(
        optional(count),
        "Connections of browsers open at once; else 10,000. Never more than the limit of open files"
        " lets two sockets an exchange be.",
        "5000",
    )
    connections_per_address: int = option(
        count,
        "Connections open at once from one address; `trusted_proxies` have no bound.",
        default=1_000,
    )
    capacity: CapacityLimits | None = in_code(
        instance(CapacityLimits), "All bounds on exchanges in progress."
    )
    limits: DownstreamLimits | None = in_code(
        instance(DownstreamLimits), "Bounds of the browser's side."
    )
    admin_listen: str = option(
        _admin,
        "An endpoint of its own for `/readyz`, `/metrics` and the console."
        " See [docs/admin.md](docs/admin.md).",
        '"tcp:4021:interface=127.0.0.1"',
        default="",
    )
    admin_remote: bool = option(flag, "Other machines may reach it, the console excepted.")
    workers: int = option(
        _workers,
        'Processes that serve; `"auto"`: as many as there are CPUs. See'
        " [docs/operations.md](docs/operations.md#workers).",
        '"auto"',
        default=1,
        keyword="",
    )
    state_dir: str = option(
        directory,
        "Users' keys and usage are kept here, in SQLite; also the key of WHIP Locations, which then"
        " outlive a restart.",
        '"state"',
    )
    database_url: Secret | None = option(
        secret,
        "Or there: `postgresql://user:password@host/name`.",
        '"${env:DATABASE_URL}"',
        secret=True,
    )
    alert_url: Secret | None = option(
        webhook,
        "A webhook that hears when 50, 80 and 100 % of a budget are spent; https, or of this"
        " machine. See [docs/spend.md](docs/spend.md#alerts).",
        '"${env:ALERT_URL}"',
        secret=True,
    )
    alert_secret: Secret | None = option(
        webhook_key, "Signs what is posted there.", '"${env:ALERT_SECRET}"', secret=True
    )


@frozen
class UpstreamOptions:
    """``[upstream]``: the API's side."""

    section: ClassVar[str] = "upstream"

    dns_servers: tuple[tuple[str, int], ...] = option(
        list_of(http.dns_server, what="addresses"),
        "Asked instead of the system's, TTLs kept.",
        '["9.9.9.9"]',
    )
    ca_file: str = option(
        ca_file, "A PEM file of trust anchors beside the system's.", '"private-ca.pem"'
    )
    client_cert: PemFile | None = option(
        client_cert,
        "Mutual TLS: a PEM file with the certificate that routes show to upstreams, its chain"
        " behind it. See [docs/keys.md](docs/keys.md#client-certificates).",
        '"client.pem"',
    )
    client_key: PemFile | None = option(
        client_key, "Its private key, mode 0600.", '"client.key"', secret=True
    )
    allow_networks: tuple[AllowedNetwork, ...] = option(
        http.allow_networks,
        "Non-public networks that every route may reach.",
        '["127.0.0.1/32:9100"]',
    )


@frozen
class RedisOptions:
    """``[redis]``: the shared store."""

    section: ClassVar[str] = "redis"

    url: Secret | None = option(
        redis_url,
        "Limits, and sessions, shared by every server of this name.",
        '"redis://127.0.0.1:6379"',
        keyword="redis_url",
        secret=True,
    )
    on_redis_loss: str = option(
        one_of("local", "deny"),
        "When Redis is gone each server goes on by itself, or `deny`: 503.",
        default="local",
    )


@frozen
class KeysOptions:
    """``[keys]``: users' own keys."""

    section: ClassVar[str] = "keys"

    master_key: Secret | None = option(
        master_key,
        "Seals users' keys; several, with commas, while it is rotated."
        " See [docs/keys.md](docs/keys.md).",
        '"${env:NAAP_MASTER_KEY}"',
        secret=True,
    )
    keys: IKeyStore | None = in_code(instance(IKeyStore), "Another store of users' keys.")


@frozen
class PricesOptions:
    """``[prices]``: what a million tokens cost, a line for each model."""

    section: ClassVar[str] = ""

    prices: Mapping[str, Price] = option(
        price_table,
        "What a million tokens of a model cost in US dollars, before the package's own prices;"
        " `naap-proxy prices` prints all. `gpt-5-mini*` prices what begins so. See"
        " [docs/prices.md](docs/prices.md).",
        '{ "gpt-4o-mini" = { input = 0.15, cached_input = 0.075, output = 0.60 } }',
    )


def no_own_prices() -> Prices:
    """The prices of a server whose user gives none."""
    return prices_with({})


@frozen
class Config:
    """A server's options, defaults filled in and every value checked; its routes', from a file."""

    server: ServerOptions = Factory(ServerOptions)
    auth: AuthOptions = Factory(AuthOptions)
    upstream: UpstreamOptions = Factory(UpstreamOptions)
    redis: RedisOptions = Factory(RedisOptions)
    keys: KeysOptions = Factory(KeysOptions)
    prices: Prices = Factory(no_own_prices)
    proxy: tuple[RouteOptions, ...] = ()


SECTIONS = (
    *(ServerOptions, AuthOptions, UpstreamOptions),
    *(RedisOptions, KeysOptions, PricesOptions),
)
