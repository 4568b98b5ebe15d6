"""``create_plugin_server``: the server's options as arguments, checked before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .downstream.limits import DownstreamLimits
from .errors import ConfigError
from .interfaces import IAuthenticator, IKeyStore
from .limits.capacity import CapacityLimits
from .model import AllowedNetwork, RateLimit
from .secret import Secret
from .server import PluginServer
from .server_options import ServerOptions, problems_in
from .state import StateOptions


def create_plugin_server(
    name: str,
    port: int = 4000,
    *,
    host: str = "127.0.0.1",
    listen: Sequence[str] = (),
    base_path: str = "/api/v1",
    cors_origins: Sequence[str] | str = "*",
    cors_headers: Sequence[str] = (),
    require_auth: bool = True,
    authenticator: IAuthenticator | None = None,
    public_routes: Sequence[str] = ("/healthz",),
    jwt_secret: Secret | str | None = None,
    compression: bool = True,
    security_headers: bool = True,
    https_redirect: bool = False,
    hsts: float | None = None,
    rate_limit: RateLimit | None = RateLimit(),  # noqa: B008
    user_rate_limit: RateLimit | None = None,
    trusted_proxies: Sequence[str] = (),
    server_names: Sequence[str] = (),
    allow_networks: Sequence[AllowedNetwork | str] = (),
    dns_servers: Sequence[str] = (),
    ca_file: str | None = None,
    drain_timeout: float = 30.0,
    admin_listen: str = "",
    admin_remote: bool = False,
    state_dir: str | None = None,
    database_url: Secret | str | None = None,
    master_key: Secret | str | None = None,
    keys: IKeyStore | None = None,
    redis_url: Secret | str | None = None,
    on_redis_loss: str = "local",
    limits: DownstreamLimits | None = None,
    capacity: CapacityLimits | None = None,
    reactor: Any = None,
) -> PluginServer:
    """A server for proxies and Klein routes (the seed's ``createPluginServer``).

    :param name: as ``/healthz`` and the start line say it.
    :param port: TCP port on *host*, unless *listen* names endpoints. 0 picks a free one.
    :param listen: Twisted endpoint strings, ``"ssl:443:privateKey=...:certKey=..."`` among them.
    :param base_path: where ``router`` and mounts live.
    :param cors_origins: ``"*"`` (then never with credentials) or a list of origins.
    :param cors_headers: request headers allowed on every route; ``X-Prefix-*`` too.
    :param require_auth: every route needs a user unless it says otherwise.
    :param authenticator: request to user; see docs/auth.md for those that are there.
    :param jwt_secret: tokens signed with it (HS256) say who calls. Without both: NEXTAUTH_SECRET
        or JWT_SECRET of the environment, where auth is required.
    :param public_routes: exact request paths that need no user.
    :param compression: gzip for answers of our own; what is relayed is never touched.
    :param https_redirect: plain http is redirected to https, under the names that are surely ours.
    :param hsts: seconds for Strict-Transport-Security, or ``None``.
    :param rate_limit: per client address; ``None`` for no limit.
    :param user_rate_limit: per user, over all routes.
    :param trusted_proxies: CIDRs whose X-Forwarded-For and -Proto are believed.
    :param server_names: other Host values get 421. Where only loopback is heard, ``localhost`` and
        its addresses are names too; elsewhere none means any.
    :param allow_networks: non-public networks that every route may reach.
    :param ca_file: PEM file of further trust anchors towards upstreams.
    :param drain_timeout: seconds that exchanges in flight get at shutdown.
    :param admin_listen: endpoint string of ``/readyz``, ``/metrics`` and the console; none: ``""``.
    :param admin_remote: it may be reached from other machines, the console excepted.
    :param state_dir: users' keys and usage are kept here, in SQLite.
    :param database_url: or there: ``postgresql://...``.
    :param master_key: seals users' keys; several, with commas, while it is rotated.
    :param keys: another store of users' keys.
    :param redis_url: rate limits and sessions are shared with every server of this name.
    :param on_redis_loss: ``"local"``: each process goes on by itself; ``"deny"``: 503.
    :param dns_servers: asked instead of the system's, ``"9.9.9.9"`` or ``"127.0.0.1:5353"``.
    :param limits: bounds of the browser side.
    :param capacity: bounds on exchanges in progress.
    :raises ConfigError: naming every option that can't be.
    """
    options = ServerOptions(
        name=name,
        port=port,
        host=host,
        listen=tuple(listen),
        base_path=base_path,
        cors_origins=cors_origins,
        cors_headers=tuple(cors_headers),
        require_auth=require_auth,
        authenticator=authenticator,
        jwt_secret=jwt_secret,
        public_routes=tuple(public_routes),
        compression=compression,
        security_headers=security_headers,
        https_redirect=https_redirect,
        hsts=hsts,
        rate_limit=rate_limit,
        user_rate_limit=user_rate_limit,
        trusted_proxies=tuple(trusted_proxies),
        server_names=tuple(server_names),
        allow_networks=tuple(allow_networks),
        ca_file=ca_file,
        drain_timeout=drain_timeout,
        limits=limits or DownstreamLimits(),
        capacity=capacity or CapacityLimits(),
        dns_servers=tuple(dns_servers),
        admin_listen=admin_listen,
        admin_remote=admin_remote,
        state=StateOptions(
            state_dir=state_dir,
            database_url=database_url,
            master_key=master_key,
            keys=keys,
            redis_url=redis_url,
            on_redis_loss=on_redis_loss,
        ),
    )
    problems = problems_in(options)
    if problems:
        raise ConfigError(*problems)
    if reactor is None:
        from twisted.internet import reactor
    return PluginServer(options, reactor)
