"""The plugin server: routes, wrappers in their order, listening, draining (the seed's server)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from klein import Klein
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from .auth.choose import NOBODY, auth_in_words
from .auth.gate import Gate
from .config.listen import parse_listen
from .downstream.adapt import AnySite
from .downstream.limits import DownstreamLimits
from .downstream.site import DownstreamSite
from .errors import ConfigError
from .external_proxy import ExternalProxy
from .interfaces import IAuthenticator, IResolver
from .limits.capacity import Capacity, CapacityLimits
from .model import AllowedNetwork, RateLimit, User
from .observe.health import Health
from .observe.log import AccessLog
from .routing import Mount, Routes
from .secret import Secret
from .server_options import ServerOptions, authenticator_of, networks_of, problems_in, wrapped
from .upstream.client import UpstreamClient
from .upstream.dns import DnsResolver
from .upstream.resolver import SystemResolver

_DRAIN_STEP = 0.05


class PluginServer(MultiService):
    """A server of proxies and Klein routes; an ``IService``.

    :ivar router: a ``klein.Klein``, mounted at the base path: add routes to it.
    :ivar root_children: resources outside the base path, by first path segment.
    :ivar listen: endpoint strings.
    """

    _log = Logger()

    def __init__(self, options: ServerOptions, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.setName(f"naap-proxy {options.name}")  # type: ignore[no-untyped-call]
        self.title = options.name
        self.require_auth = options.require_auth
        self._options = options
        self._reactor = reactor
        self.router = Klein()
        self.listen: tuple[str, ...] = tuple(options.listen) or (
            f"tcp:{options.port}:interface={quoteStringArgument(options.host)}",
        )
        self._networks = networks_of(options.allow_networks)
        self._capacity = Capacity.of(options.capacity)
        self._upstream = UpstreamClient(
            reactor, resolver=_resolver(options, reactor), ca_file=options.ca_file or ""
        )
        self._authenticator = authenticator_of(options)
        gate = Gate(
            self._authenticator,
            required=options.require_auth,
            public_routes=options.public_routes,
        )
        self._routes = Routes(self.router, options.base_path, gate)
        self._routes.beside[b"healthz"] = Health(options.name, reactor)
        self.root_children = self._routes.beside
        self._root = wrapped(self._routes, options, reactor)
        self._site: DownstreamSite | None = None
        self._ports: list[StreamServerEndpointService] = []

    def mount(self, path: str, resource: IResource) -> None:
        """Mount a proxy, or any resource (``app.resource()`` of a Klein app), below the base path.

        :param path: such as ``"/assistant/openai-proxy"``.
        :raises ConfigError: the path is taken or malformed, or the proxy is mounted elsewhere.
        """
        route_limit = self._options.capacity.route
        if isinstance(resource, ExternalProxy) and resource.route.max_in_flight is not None:
            route_limit = evolve(route_limit, running=resource.route.max_in_flight)
        capacity = self._capacity.sibling(route_limit)
        self._routes.mount(path, resource, self._upstream, capacity, self._networks)

    def routes(self) -> tuple[Mount, ...]:
        """What is mounted, in order."""
        return tuple(self._routes.mounts)

    def resource(self) -> IResource:
        """All of it as a resource, for anybody's ``Site``; request bodies stream on ours only."""
        return AnySite(self._root)

    def site(self) -> DownstreamSite:
        """The site this server listens with; made once."""
        if self._site is None:
            self._site = DownstreamSite(
                self._root,
                limits=self._options.limits,
                reactor=self._reactor,
                observer=AccessLog(),
            )
        return self._site

    def user(self, request: IRequest) -> User | None:
        """The authenticated user behind *request*."""
        record = getattr(request, "record", None)
        return None if record is None else record.user

    def check_exposure(self) -> None:
        """Refuse to be an open relay by accident.

        :raises ConfigError: a route injects a key, anyone may call it, this server listens beyond
            loopback, and nobody wrote ``authorize="anyone"``.
        """
        if self.require_auth or all(parse_listen(text).local for text in self.listen):
            return
        problems = [
            f"{mount.full_path}: injects {', '.join(mount.proxy.route.injects)} for anyone who can"
            ' reach this server; turn auth on, listen on loopback, or write authorize="anyone"'
            for mount in self.routes()
            if mount.proxy and mount.proxy.route.injects and mount.proxy.route.authorize is None
        ]
        if problems:
            raise ConfigError(*problems)

    def privilegedStartService(self) -> None:
        """Open the listening sockets, before twistd drops its privileges."""
        self.check_exposure()
        site = self.site()
        for description in self.listen:
            endpoint = serverFromString(self._reactor, description)
            port = StreamServerEndpointService(endpoint, site)
            # What can't be listened on ends the start, instead of a server that hears nothing.
            port._raiseSynchronously = True
            port.setServiceParent(self)
            self._ports.append(port)
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Listen, and say so in one line."""
        if not self._ports:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        routes = ", ".join(
            f"{' '.join(mount.methods) or 'ANY'} {mount.full_path}" for mount in self.routes()
        )
        self._log.info(
            "{name} listens on {addresses}; routes: {routes}; auth: {auth}",
            name=self.title,
            addresses=", ".join(self.addresses()),
            routes=routes or "none",
            auth=auth_in_words(self._authenticator, required=self.require_auth),
        )
        if self.require_auth and self._authenticator is None:
            self._log.warn(NOBODY)

    def addresses(self) -> list[str]:
        """Where it listens now, as ``scheme://host:port``, else the endpoint strings."""
        found = []
        for description, service in zip(self.listen, self._ports, strict=True):
            port: Any = getattr(service._waitingForPort, "result", None)
            host: Any = port.getHost() if hasattr(port, "getHost") else None
            scheme = "https" if description.startswith("ssl:") else "http"
            found.append(
                f"{scheme}://{host.host}:{host.port}" if hasattr(host, "port") else description
            )
        return found

    def stopService(self) -> Deferred[None]:
        """Stop listening, let what is in flight finish, cut what takes too long."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        site = self.site()
        site.drain()
        steps = max(1, int(self._options.drain_timeout / _DRAIN_STEP))
        if site.open:
            self._log.info("draining {count} connections", count=len(site.open))
        for _ in range(steps):
            if not site.open:
                break
            await deferLater(self._reactor, _DRAIN_STEP)
        for channel in list(site.open):
            channel.abort()
        await self._upstream.close()
        site.ticker.stop()
        self._upstream.ticker.stop()
        for port in self._ports:
            self.removeService(port)  # type: ignore[no-untyped-call]
        self._ports.clear()

    def run(self) -> None:
        """Serve until Ctrl-C; for scripts. Under twistd use ``--app package.module:server``."""
        from .service import run_server

        run_server(self, self._reactor)


def _resolver(options: ServerOptions, reactor: Any) -> IResolver:
    if options.dns_servers:
        return DnsResolver(options.dns_servers, reactor)
    return SystemResolver(reactor)


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
    trusted_proxies: Sequence[str] = (),
    server_names: Sequence[str] = (),
    allow_networks: Sequence[AllowedNetwork | str] = (),
    dns_servers: Sequence[str] = (),
    ca_file: str | None = None,
    drain_timeout: float = 30.0,
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
    :param https_redirect: plain http is redirected to https.
    :param hsts: seconds for Strict-Transport-Security, or ``None``.
    :param rate_limit: per client address; ``None`` for no limit.
    :param trusted_proxies: CIDRs whose X-Forwarded-For and -Proto are believed.
    :param server_names: if given, other Host values get 421.
    :param allow_networks: non-public networks that every route may reach.
    :param ca_file: PEM file of further trust anchors towards upstreams.
    :param drain_timeout: seconds that exchanges in flight get at shutdown.
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
        trusted_proxies=tuple(trusted_proxies),
        server_names=tuple(server_names),
        allow_networks=tuple(allow_networks),
        ca_file=ca_file,
        drain_timeout=drain_timeout,
        limits=limits or DownstreamLimits(),
        capacity=capacity or CapacityLimits(),
        dns_servers=tuple(dns_servers),
    )
    problems = problems_in(options)
    if problems:
        raise ConfigError(*problems)
    if reactor is None:
        from twisted.internet import reactor
    return PluginServer(options, reactor)
