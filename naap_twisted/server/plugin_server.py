"""The plugin server: it holds the routes and their wrappers, it listens, and it drains at its end.

It is the seed's plugin server; ``create_plugin_server`` makes one of options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from klein import Klein
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from ..auth.gate import Gate
from ..auth.patience import Patience
from ..deadlines import make_monotonic
from ..downstream.adapt import AnySite
from ..downstream.caller import TrustedProxies
from ..downstream.site import DownstreamSite
from ..errors import ConfigError
from ..interfaces import IHeadResource, IKeyStore
from ..limits.capacity import Capacity
from ..limits.door import Door
from ..model import User
from ..observe.health import Health
from ..observe.log import AccessLog
from ..options.code import check_mount, exposed
from ..options.listen import Listen
from ..options.server import Config
from ..policy.egress import EgressPolicy
from ..route.cross_site import CrossSite
from ..route.spine import Bindings, ExternalProxy, MountedProxy
from ..route.via import Via
from ..secret import Secret
from ..whip.key import LocationKey
from ..wrappers.rate_limit import Charge
from .authentication import NOBODY, auth_in_words, authenticator_of
from .cautions import of_files, of_routes
from .chain import capacity_of, limits_of, most_connections, upstream_of, wrapped
from .drain import Drain
from .mounts import Mount, shadowed
from .own_calls import keyed_client, open_client
from .own_names import own_names
from .parts import AdminSide, Parts
from .ports import ListeningPort, tls_problems
from .routing import Routes
from .stores import State
from .tally import Tally

if TYPE_CHECKING:
    from treq.client import HTTPClient


class PluginServer(MultiService):
    """A server of proxies and Klein routes; an ``IService``.

    :param admin: makes the listener of ``admin_listen``, of this server and that endpoint string.
    :ivar router: a ``klein.Klein``, mounted at the base path: add routes to it.
    :ivar root_children: resources outside the base path, by first path segment.
    :ivar listen: endpoint strings.
    :ivar http: a treq client for this server's own calls, under its address rules.
    :ivar parts: what the server is made of; its admin side reads them.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        admin: Callable[[PluginServer, str], AdminSide],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        make_monotonic(reactor)  # before anything of this server looks at the clock
        options = config.server
        self.setName(f"naap-proxy {options.name}")  # type: ignore[no-untyped-call]
        self.title = options.name
        self.require_auth = config.auth.is_required
        self.config = config
        self._reactor = reactor
        self.router = Klein()
        self.listen = tuple(listen.description for listen in options.listen)
        self._bounds = limits_of(config)
        self._places = capacity_of(options)
        self._trusted = TrustedProxies(options.trusted_proxies)
        self.parts = Parts(
            options=options,
            upstream=upstream_of(config.upstream, self._bounds, reactor),
            state=State(config, reactor),
            capacity=Capacity.of(self._places, self._bounds.connections),
            tally=Tally(),
            clock=reactor,
            born=reactor.seconds(),
        )
        self.http: HTTPClient = open_client(self.parts.upstream, config.upstream.allow_networks)
        self._authenticator = authenticator_of(config.auth, config.upstream.ca_file)
        state = self.parts.state
        self._gate = Gate(
            self._authenticator,
            Patience(reactor, self._bounds.callable_timeout),
            required=self.require_auth,
            public_routes=options.public_routes,
            token_headers=config.auth.token_headers,
            page_tokens=state.page_tokens,
        )
        state.connect(self._authenticator)
        limit = options.user_rate_limit
        door = Door() if limit is None else Door((state.policy("user", limit, users=True),))
        self._location_key = LocationKey(options.state_dir)
        self._via = Via()
        self._cross_site = CrossSite(options.cors_origins, self._trusted)
        self._routes = Routes(self.router, options.base_path, self._gate, door)
        state.add_routes(self.router, self._routes.holds)
        self._routes.beside[b"healthz"] = Health(options.name, reactor)
        self.root_children = self._routes.beside
        limit = options.rate_limit
        self._limiter = None if limit is None else state.limiter("address", limit)
        self._root = self._wrapped(options.listen)
        self._site: DownstreamSite | None = None
        self._resource: AnySite | None = None
        self._drain: Drain | None = None
        self._ports: list[ListeningPort] = []
        self._make_admin = admin
        self._admin: AdminSide | None = None

    def _wrapped(self, listen: Sequence[Listen]) -> IHeadResource:
        names = own_names(listen, self.parts.options.server_names)
        return wrapped(
            self._routes,
            self.parts.options,
            self._limiter,
            self._trusted,
            names,
            self.config.auth.token_headers,
        )

    def mount(self, path: str, resource: Resource | IResource | ExternalProxy) -> None:
        """Mount a proxy, or any resource (``app.resource()`` of a Klein app), below the base path.

        :param path: such as ``"/assistant/openai-proxy"``.
        :raises ConfigError: the path is taken or malformed, the proxy is mounted already, or the
            server lacks what the proxy needs, such as a store of users' keys.
        """
        options = resource.options if isinstance(resource, ExternalProxy) else None
        check_mount(self.config, path, options)
        self._routes.mount(path, resource, self._bind)

    def _bind(self, path: str, proxy: ExternalProxy) -> MountedProxy:
        full_path, options = self.parts.options.base_path + path, proxy.options
        in_flight, door = self._places.route, self._routes.door
        if options.max_in_flight is not None:
            in_flight = evolve(in_flight, running=options.max_in_flight)
        if options.rate_limit is not None:
            door = door.beside(self.parts.state.policy("route", options.rate_limit, path))
        bindings = Bindings(
            path=full_path,
            gate=self._gate,
            upstream=self.parts.upstream,
            capacity=self.parts.capacity.sibling(in_flight),
            clock=self.parts.clock,
            options=self.config.upstream,
            door=door,
            key=self._location_key,
            keys=self.keys if proxy.route.needs_keys else None,
            cross_site=self._cross_site,
            secret_files=self.parts.state.secret_files,
            purse=self.parts.state.purse(full_path, options.budget),
            prices=self.config.prices,
            via=self._via,
        )
        return proxy.mounted(bindings)

    def routes(self) -> tuple[Mount, ...]:
        """Every mounted resource, in the order of the calls of :meth:`mount`."""
        return tuple(self._routes.mounts)

    def resource(self) -> Resource:
        """The wrapped routes as a resource, for a ``Site`` of the caller's: at its root or below.

        Below ``/proxy`` the base path is ``/proxy/api/v1``. Below a part of the base path itself,
        such as ``/api``, or below ``/healthz``, nothing is repeated. Every call returns the same
        resource.

        A stock ``Site`` gathers each body before it calls a resource; bodies are streamed on
        :meth:`site` only. Without ``server_names`` the resource answers to any Host. This call
        opens the stores (keys, usage, Redis) until the reactor stops.

        :raises ConfigError: a store can't be opened.
        """
        if self._resource is None:
            state = self.parts.state
            state.open()
            self._reactor.addSystemEventTrigger(
                "before", "shutdown", lambda: Deferred.fromCoroutine(state.close())
            )
            self._resource = AnySite(self._wrapped(()), self._routes.is_own)
        return self._resource

    def site(self) -> DownstreamSite:
        """The site that this server listens with; every call returns the same one."""
        if self._site is None:
            limiter = self._limiter
            self._site = DownstreamSite(
                self._root,
                limits=self._bounds,
                exempt=self._trusted,
                reactor=self._reactor,
                observers=self._observers(),
                charge=None if limiter is None else Charge(limiter, self._trusted),
            )
            self._site.overflow_into(self._bounds.of_overflow())
        return self._site

    def _observers(self) -> list[Callable[[Any], None]]:
        observers: list[Callable[[Any], None]] = [AccessLog()]
        usage = self.parts.state.usage
        if usage is not None:
            observers.append(lambda request: usage.ended(request.record))
        # Only /metrics reads the tally, and counting costs half a microsecond an exchange.
        if self.parts.options.admin_listen:
            observers.append(self.parts.tally.ended)
        return observers

    def client(
        self,
        *,
        allowed_hosts: Sequence[str],
        forward_headers: Mapping[str, str | Secret],
        allowed_schemes: Sequence[str] = ("https",),
        allowed_ports: Sequence[int] | None = None,
    ) -> HTTPClient:
        """A treq client with a key, for this server's own calls; docs/testing.md shows one.

        It adds *forward_headers* to each request, asks where a route with these options would, and
        takes out of the answers what repeats a header's value.

        :raises ConfigError: as for the options of a route with these names.
        """
        networks = self.config.upstream.allow_networks
        policy = EgressPolicy(
            allowed_hosts, allowed_schemes, allowed_ports, networks, carries_key=True
        )
        return keyed_client(self.parts.upstream, policy, forward_headers)

    @property
    def keys(self) -> IKeyStore:
        """The store of users' own keys: ``await server.keys.get(user.id, "daydream")``.

        :raises ConfigError: this server keeps no keys.
        """
        return self.parts.state.keys

    def user(self, request: Request | IRequest) -> User | None:
        """The authenticated user behind *request*; ``None`` for a guest."""
        record = getattr(request, "record", None)
        return None if record is None else record.user

    def check_exposure(self) -> None:
        """Refuse to be an open relay that nobody asked for.

        :raises ConfigError: a route injects a key, anyone may call it, this server listens beyond
            loopback, and nobody wrote ``authorize="anyone"``.
        """
        problems = [
            f"{mount.full_path}: {line}"
            for mount in self.routes()
            if mount.proxy is not None
            for line in exposed(self.config, mount.proxy.options)
        ]
        if problems:
            raise ConfigError(*problems)

    def check_start(self) -> None:
        """Refuse now what the start would refuse, taken sockets and lost peers excepted.

        ``naap-proxy check`` calls it, and so does a start before it opens anything.

        :raises ConfigError: one line a problem.
        """
        self.check_exposure()
        beside = () if self.parts.options.base_path else self.root_children
        problems = [*shadowed(self.routes(), beside)]
        problems += tls_problems(self.listen, self.config.server.admin_listen)
        try:
            self.parts.state.check()
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*problems)

    def endpoints(self) -> tuple[str, ...]:
        """The endpoint strings that the server will listen on, ``admin_listen`` included."""
        return (*self.listen, *filter(None, [self.config.server.admin_listen]))

    def cautions(self) -> list[str]:
        """What is allowed and its owner should know, one line each: for a start and ``check``."""
        lines = [NOBODY] if self.require_auth and not self._gate.knows_users else []
        lines += of_files(self.parts.options.max_connections, most_connections())
        about = self.routes(), self.parts.options.base_path, self.listen, self.config
        return [*lines, *of_routes(*about, asks=self.require_auth)]

    def privilegedStartService(self) -> None:
        """Open the listening sockets, before twistd drops its privileges."""
        self.check_start()
        site = self.site()
        site.draining = False  # An earlier stop has set it.
        for description in self.listen:
            port = ListeningPort(self._reactor, description, site)
            port.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._ports.append(port)
        if self.config.server.admin_listen:
            self._admin = self._make_admin(self, self.config.server.admin_listen)
            self._admin.open()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the stores, listen, and log where in one line.

        :raises ConfigError: see :meth:`check_start`; or a store can't be opened.
        :raises CannotListenError: an address is taken.
        """
        # Sockets may be open by now, but the reactor reads no request before this method returns.
        self.parts.state.open()
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
        for caution in self.cautions():
            self._log.warn("{caution}", caution=caution)

    def addresses(self) -> list[str]:
        """Where the server listens: ``scheme://host:port``, or a UNIX endpoint's string."""
        return [port.address for port in self._ports]

    @property
    def admin_address(self) -> str:
        """Where the admin side listens now; ``""`` while it does not."""
        return "" if self._admin is None else self._admin.address

    @property
    def is_listening(self) -> bool:
        """Whether every address of :attr:`listen` is up."""
        return bool(self._ports) and all(port.is_up for port in self._ports)

    def stopService(self) -> Deferred[None]:
        """Stop listening, let open exchanges finish, cut those that outlast ``drain_timeout``."""
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Cut every open exchange, while the server stops."""
        if self._drain is not None:
            self._drain.hurry()

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        site, upstream = self.site(), self.parts.upstream
        self._drain = Drain(site, self._reactor, self.parts.options.drain_timeout)
        await self._drain.run()
        await self.parts.state.close()
        await upstream.close()
        site.ticker.stop()
        upstream.ticker.stop()
        for port in self._ports:
            self.removeService(port)  # type: ignore[no-untyped-call]
        self._ports.clear()
        # The admin side closes last: /readyz says "not ready" while everything else ends.
        if self._admin is not None:
            await self._admin.close()
            self._admin = None

    def run(self) -> None:
        """Serve until Ctrl-C; for scripts. Under twistd use ``--app package.module:server``."""
        # A server that is embedded in another application takes over neither signals nor logs.
        from .run import run_server

        run_server(self, self._reactor)
