"""The plugin server: routes, wrappers in their order, listening, draining (the seed's server)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import evolve
from klein import Klein
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource

from . import server_options
from .addresses import format_allow_network
from .admin.parts import Parts
from .admin.tally import Tally
from .auth.choose import NOBODY, auth_in_words
from .auth.gate import Gate
from .config.listen import parse_listen
from .downstream.adapt import AnySite
from .downstream.site import DownstreamSite
from .drain import Drain
from .errors import ConfigError
from .external_proxy import ExternalProxy
from .interfaces import IKeyStore, IResolver
from .limits.capacity import Capacity
from .limits.door import Door
from .model import User
from .mounts import Mount
from .observe.health import Health
from .observe.log import AccessLog
from .ports import ListeningPort
from .routing import Routes
from .server_options import ServerOptions
from .state import State
from .upstream.client import UpstreamClient
from .upstream.dns import DnsResolver
from .upstream.resolver import SystemResolver
from .whip.key import LocationKey

if TYPE_CHECKING:
    from .admin.listener import AdminListener


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
        self.listen: tuple[str, ...] = server_options.listen_of(options)
        self._networks = server_options.networks_of(options.allow_networks)
        self._capacity = Capacity.of(options.capacity)
        self._upstream = UpstreamClient(
            reactor, resolver=_resolver(options, reactor), ca_file=options.ca_file or ""
        )
        self._authenticator = server_options.authenticator_of(options)
        gate = Gate(
            self._authenticator,
            required=options.require_auth,
            public_routes=options.public_routes,
        )
        self._location_key = LocationKey(options.state.state_dir)
        self._routes = Routes(
            self.router,
            options.base_path,
            gate,
            self._location_key,
            server_options.cross_site_of(options),
        )
        self._routes.beside[b"healthz"] = Health(options.name, reactor)
        self.root_children = self._routes.beside
        self._state = State(options.state, reactor, name=options.name, path=options.base_path)
        self._state.share_sessions(self._authenticator)
        self._state.add_routes(self.router)
        if options.user_rate_limit is not None:
            policy = self._state.policy("user", options.user_rate_limit, users=True)
            self._routes.door = Door((policy,))
        self._limiter = server_options.limiter_of(options, self._state)
        self._root = server_options.wrapped(
            self._routes, options, self._limiter, server_options.names_of(options)
        )
        self._tally = Tally()
        self._born = reactor.seconds()
        self._site: DownstreamSite | None = None
        self._drain: Drain | None = None
        self._ports: list[ListeningPort] = []
        self._admin: AdminListener | None = None

    def mount(self, path: str, resource: IResource) -> None:
        """Mount a proxy, or any resource (``app.resource()`` of a Klein app), below the base path.

        :param path: such as ``"/assistant/openai-proxy"``.
        :raises ConfigError: the path is taken or malformed, or the proxy is mounted elsewhere.
        """
        in_flight, door = self._options.capacity.route, self._routes.door
        if isinstance(resource, ExternalProxy):
            route = resource.route
            if route.max_in_flight is not None:
                in_flight = evolve(in_flight, running=route.max_in_flight)
            if route.rate_limit is not None:
                door = door.beside(self._state.policy("route", route.rate_limit, path))
        capacity = self._capacity.sibling(in_flight)
        self._routes.mount(path, resource, self._upstream, capacity, self._networks, door)

    def routes(self) -> tuple[Mount, ...]:
        """What is mounted, in order."""
        return tuple(self._routes.mounts)

    def resource(self) -> IResource:
        """All of it as a resource, for anybody's ``Site``; request bodies stream on ours only.

        Where that listens is not known here: without ``server_names`` it answers to any Host.

        Opens what the server keeps (keys, usage, Redis), until the reactor stops.

        :raises ConfigError: that can't be opened.
        """
        self._state.open()
        self._reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: Deferred.fromCoroutine(self._state.close())
        )
        names = server_options.names_of(self._options, elsewhere=True)
        return AnySite(server_options.wrapped(self._routes, self._options, self._limiter, names))

    def site(self) -> DownstreamSite:
        """The site this server listens with; made once."""
        if self._site is None:
            self._site = DownstreamSite(
                self._root,
                limits=self._options.limits,
                reactor=self._reactor,
                observer=self._observer(),
                charge=server_options.charge_of(self._options, self._limiter),
            )
        return self._site

    def _observer(self) -> Callable[[Any], None]:
        ended = self._state.observer(AccessLog())
        # Nobody could read the numbers elsewhere, and they cost half a microsecond an exchange.
        return self._tally.after(ended) if self._options.admin_listen else ended

    @property
    def parts(self) -> Parts:
        """What this server is made of, for its admin side."""
        return Parts(
            options=self._options,
            upstream=self._upstream,
            state=self._state,
            capacity=self._capacity,
            tally=self._tally,
            clock=self._reactor,
            born=self._born,
        )

    @property
    def keys(self) -> IKeyStore:
        """Users' own keys: ``await server.keys.get(user.id, "daydream")``.

        :raises ConfigError: this server keeps none.
        """
        return self._state.keys

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
        site.draining = False  # of an earlier stop
        for description in self.listen:
            port = ListeningPort(self._reactor, description, site)
            port.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._ports.append(port)
        if self._options.admin_listen:
            from .admin.listener import AdminListener

            self._admin = AdminListener(self, self._options.admin_listen)
            self._admin.open()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Listen, and say so in one line."""
        # No request is read before the reactor goes on, so none can miss what is opened here.
        self._state.open()
        if any(mount.has_sessions for mount in self.routes()):
            self._location_key.open()
        if not self._ports:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        routes = ", ".join(
            f"{' '.join(mount.methods) or 'ANY'} {mount.full_path}" for mount in self.routes()
        )
        self._log.info(
            "{name} listens on {addresses}{admin}; routes: {routes}; auth: {auth}",
            name=self.title,
            addresses=", ".join(self.addresses()),
            admin=f"; admin: {self.admin_address}" if self.admin_address else "",
            routes=routes or "none",
            auth=auth_in_words(self._authenticator, required=self.require_auth),
        )
        if self.require_auth and self._authenticator is None:
            self._log.warn(NOBODY)
        opened = {*self._networks}.union(
            *(mount.proxy.egress.allow_networks for mount in self.routes() if mount.proxy)
        )
        if opened:
            self._log.warn(
                "allow_networks lets callers reach addresses that are not public: {networks}",
                networks=", ".join(sorted(map(format_allow_network, opened))),
            )

    def addresses(self) -> list[str]:
        """Where it listens now, as ``scheme://host:port``, else the endpoint strings."""
        return [port.address for port in self._ports]

    @property
    def admin_address(self) -> str:
        """Where ``admin_listen`` is heard now; ``""`` where it is not."""
        return "" if self._admin is None else self._admin.address

    @property
    def is_listening(self) -> bool:
        """Whether every public address is up."""
        return bool(self._ports) and all(port.is_up for port in self._ports)

    def stopService(self) -> Deferred[None]:
        """Stop listening, let what is in flight finish, cut what takes too long."""
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """While it stops: cut what is still in flight."""
        if self._drain is not None:
            self._drain.hurry()

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        site = self.site()
        self._drain = Drain(site, self._reactor, self._options.drain_timeout)
        await self._drain.run()
        await self._state.close()
        await self._upstream.close()
        site.ticker.stop()
        self._upstream.ticker.stop()
        for port in self._ports:
            self.removeService(port)  # type: ignore[no-untyped-call]
        self._ports.clear()
        # Last: while the rest ends, somebody has to say that this server is not ready.
        if self._admin is not None:
            await self._admin.close()
            self._admin = None

    def run(self) -> None:
        """Serve until Ctrl-C; for scripts. Under twistd use ``--app package.module:server``."""
        from .service import run_server

        run_server(self, self._reactor)


def _resolver(options: ServerOptions, reactor: Any) -> IResolver:
    if options.dns_servers:
        return DnsResolver(options.dns_servers, reactor)
    return SystemResolver(reactor)
