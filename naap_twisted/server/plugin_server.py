"""The plugin server: it holds the routes and their wrappers, it listens, and it drains at its end.

It is the seed's plugin server; ``create_plugin_server`` makes one of options.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from klein import Klein
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from ..auth.patience import Patience
from ..deadlines import make_monotonic
from ..downstream.adapt import AnySite
from ..downstream.caller import TrustedProxies
from ..downstream.regime import Regime
from ..downstream.site import DownstreamSite
from ..errors import ConfigError
from ..interfaces import IHeadResource, IKeyStore
from ..model import User
from ..observe.health import Health
from ..options.code import check_mount
from ..options.listen import Listen
from ..options.server import Config
from ..policy.egress import EgressPolicy
from ..route.cross_site import CrossSite
from ..route.spine import Bindings, ExternalProxy, MountedProxy
from ..secret import Secret
from ..wrappers.rate_limit import Charge
from .authentication import NOBODY, auth_in_words
from .cautions import of_files, of_routes
from .chain import limits_of, most_connections, wrapped
from .made import authenticator_for, door_of, gate_of, observers_of, parts_of, places_of
from .mounts import Mount, exposures, in_words, options_of, shadowed
from .own_calls import keyed_client, open_client
from .own_names import own_names
from .parts import AdminSide, Parts, Reloaded
from .ports import tls_problems
from .routing import Routes
from .setting import ALONE, Setting
from .stage import Stage

if TYPE_CHECKING:
    from treq.client import HTTPClient


class PluginServer(MultiService):
    """A server of proxies and Klein routes; an ``IService``.

    :param admin: makes the listener of ``admin_listen``, of this server and that endpoint string.
    :param before: the server in whose place this one will serve: see :meth:`take_over`.
    :param setting: of a server without one before.
    :ivar router: a ``klein.Klein``, mounted at the base path: add routes to it.
    :ivar root_children: resources outside the base path, by first path segment.
    :ivar listen: endpoint strings.
    :ivar reload: reads the config's file again; ``None`` for a server that is built in code.
    :ivar http: a treq client for this server's own calls, under its address rules.
    :ivar parts: what the server is made of; its admin side reads them.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        admin: Callable[[PluginServer, str], AdminSide | None],
        before: PluginServer | None = None,
        setting: Setting = ALONE,
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
        self._trusted = TrustedProxies(options.trusted_proxies)
        old = None if before is None else before.parts
        self.parts: Parts = parts_of(config, reactor, old, setting)
        self._crew = self.parts.setting.crew
        self.http: HTTPClient = open_client(self.parts.upstream, config.upstream.allow_networks)
        state = self.parts.state
        self._authenticator = authenticator_for(config, self.parts)
        patience = Patience(reactor, self._bounds.callable_timeout)
        self._gate = gate_of(config, self._authenticator, patience, state)
        state.connect(self._authenticator)
        have = self.parts.heirlooms.have
        self._location_key = have(state.location_key, "key of locations", options.state_dir)
        self._via = have(state.via, "via")
        self._cross_site = CrossSite(options.cors_origins, self._trusted)
        self._routes = self._made_routes()
        self.root_children = self._routes.beside
        limit = options.rate_limit
        self._limiter = None if limit is None else state.limiter("address", limit)
        self._root = self._wrapped(options.listen)
        self._resource: AnySite | None = None
        self.reload: Callable[[], Reloaded | Awaitable[Reloaded]] | None = None
        self._make_admin = admin
        self._stage: Stage | None = None
        # Fires when every server in whose place this one serves has answered all that it began.
        self._replaced: Deferred[None] = succeed(None)

    def _made_routes(self) -> Routes:
        options, state = self.parts.options, self.parts.state
        routes = Routes(self.router, options.base_path, self._gate, door_of(options, state))
        state.add_routes(self.router, routes.holds, self._cross_site)
        routes.beside[b"healthz"] = Health(options.name, self._reactor)
        return routes

    def _wrapped(self, listen: Sequence[Listen]) -> IHeadResource:
        options, tokens = self.parts.options, self.config.auth.caller_headers
        names = own_names(listen, options.server_names)
        return wrapped(self._routes, options, self._limiter, self._trusted, names, tokens)

    def mount(self, path: str, resource: Resource | IResource | ExternalProxy) -> None:
        """Mount a proxy, or any resource (``app.resource()`` of a Klein app), below the base path.

        :param path: such as ``"/assistant/openai-proxy"``.
        :raises ConfigError: the path is taken or malformed, the proxy is mounted already, or the
            server lacks what the proxy needs, such as a store of users' keys.
        """
        options = resource.options if isinstance(resource, ExternalProxy) else None
        check_mount(self.config, path, options, options_of(self.routes()))
        self._routes.mount(path, resource, self._bind)

    def _bind(self, path: str, proxy: ExternalProxy) -> MountedProxy:
        full_path, options = self.parts.options.base_path + path, proxy.options
        door = self._routes.door
        if options.rate_limit is not None:
            door = door.beside(self.parts.state.policy("route", options.rate_limit, path))
        bindings = Bindings(
            path=full_path,
            gate=self._gate,
            upstream=self.parts.upstream,
            capacity=places_of(self.parts, full_path, options.max_in_flight),
            clock=self.parts.clock,
            options=self.config.upstream,
            door=door,
            key=self._location_key,
            keys=self.keys if proxy.route.needs_keys else None,
            cross_site=self._cross_site,
            secret_files=self.parts.state.secret_files,
            purse=self.parts.state.purse(full_path, options.budget),
            replays=self.parts.state.replays,
            book=self.parts.state.usage,
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
        such as ``/api``, or below ``/healthz``, nothing is repeated. All calls return one resource.

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
        return self._staged().site

    def _staged(self) -> Stage:
        if self._stage is None:
            sockets = self.parts.setting.sockets
            self._stage = Stage(self._reactor, self._regime(), self._make_admin, sockets)
        return self._stage

    def _regime(self) -> Regime:
        charge = None if self._limiter is None else Charge(self._limiter, self._trusted)
        return Regime(self._root, self._bounds, observers_of(self.parts), self._trusted, charge)

    def client(
        self,
        *,
        allowed_hosts: Sequence[str],
        forward_headers: Mapping[str, str | Secret],
        allowed_schemes: Sequence[str] = ("https",),
        allowed_ports: Sequence[int] | None = None,
    ) -> HTTPClient:
        """A treq client with a key, for this server's own calls; docs/testing.md shows one.

        It adds *forward_headers*, asks where a route with these options would, and takes out of
        the answers what repeats a header's value.

        :raises ConfigError: as for the options of a route with these names.
        """
        networks = self.config.upstream.allow_networks
        policy = EgressPolicy(
            allowed_hosts, allowed_schemes, allowed_ports, networks, carries_key=True
        )
        return keyed_client(self.parts.upstream, policy, forward_headers)

    @property
    def keys(self) -> IKeyStore:
        """The store of users' own keys; raises ConfigError where the server keeps none."""
        return self.parts.state.keys

    def user(self, request: Request | IRequest) -> User | None:
        """The user, or the guest, behind *request*; ``None``: nobody is known."""
        record = getattr(request, "record", None)
        return None if record is None else record.user

    def check_exposure(self) -> None:
        """Refuse to be an open relay that nobody asked for.

        :raises ConfigError: a route injects a key, anyone may call it, this server listens beyond
            loopback, and nobody wrote ``authorize="anyone"``.
        """
        problems = exposures(self.routes(), self.config)
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
        self._staged().open(self)
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the stores, listen, and log where in one line.

        :raises ConfigError: see :meth:`check_start`; or a store can't be opened.
        :raises CannotListenError: an address is taken.
        """
        # Sockets may be open by now, but the reactor reads no request before this method returns.
        self._open_stores()
        if not self._staged().is_open:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        self._staged().watch(self.parts.state.secret_files)
        self._tell()
        if self._crew is not None:
            self._crew.start(lambda worker: self._staged().descriptors(worker))

    def _open_stores(self) -> None:
        self.parts.state.open()
        if any(mount.has_sessions for mount in self.routes()):
            self._location_key.open()

    def _tell(self) -> None:
        if self.parts.setting.workplace is not None:
            return  # The supervisor has told it.
        self._log.info(
            "{name} listens on {addresses}{admin}; routes: {routes}; auth: {auth};"
            " workers: {workers}",
            workers=self.config.server.workers,
            name=self.title,
            addresses=", ".join(self.addresses()),
            admin=f"; admin: {self.admin_address}" if self.admin_address else "",
            routes=in_words(self.routes()),
            auth=auth_in_words(self._authenticator, required=self.require_auth),
        )
        for caution in self.cautions():
            self._log.warn("{caution}", caution=caution)

    def addresses(self) -> list[str]:
        """Where the server listens: ``scheme://host:port``, or a UNIX endpoint's string."""
        return self._staged().addresses

    @property
    def admin_address(self) -> str:
        """Where the admin side listens; ``""`` while it does not."""
        return self._staged().admin_address

    @property
    def is_listening(self) -> bool:
        """Whether every address of :attr:`listen` is up."""
        return self._staged().is_listening

    def stopService(self) -> Deferred[None]:
        """Be a lame duck, stop listening, and cut what outlasts ``drain_timeout``."""
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Cut every open exchange, while the server stops."""
        self._staged().hurry()
        if self._crew is not None:
            self._crew.hurry()

    async def _stop(self) -> None:
        stage = self._staged()
        workers_ended = succeed(None) if self._crew is None else self._crew.stop()
        await stage.drain(self, self.parts.state.replays)
        await workers_ended
        await super().stopService()  # type: ignore[no-untyped-call]
        await self._replaced
        await self._close_stores()
        await stage.close()

    async def _close_stores(self) -> None:
        """Close what no server after this one goes on with."""
        upstream = self.parts.upstream
        await self.parts.state.close()
        if not self.parts.heirlooms.shares(upstream):
            await upstream.close()
            upstream.ticker.stop()

    def take_over(self, old: PluginServer) -> None:
        """Serve in the place of *old*, on its sockets and on the connections that are open.

        What *old* has begun it ends, and then closes the stores that are not this one's, too.

        :raises ConfigError: see :meth:`check_start`; or a store can't be opened.
        :raises CannotListenError: an address is taken. *old* goes on as it was in both cases.
        """
        self.check_start()
        stage = old._staged()
        try:
            self._open_stores()
            change = stage.change(self, self._regime())
        except BaseException:
            self._close_later(self._close_stores())  # What *old* has, too, stays open.
            raise
        self._stage = stage
        ended = change()
        self.parts.heirlooms.succeed()
        super().startService()  # type: ignore[no-untyped-call]
        stage.watch(self.parts.state.secret_files)
        self._replaced = self._close_later(old._retire(ended))
        self._tell()

    async def _retire(self, regime: Regime) -> None:
        """End what began under *regime*, and close what no later server goes on with."""
        # Requests in flight have their secrets already.
        self.parts.state.secret_files.stop()
        await regime.over()
        await self._replaced
        self.parts.heirlooms.close()
        await self._close_stores()

    def _close_later(self, closing: Coroutine[Any, Any, None]) -> Deferred[None]:
        said = "Stores could not be closed"
        return Deferred.fromCoroutine(closing).addErrback(partial(self._log.failure, said))

    def run(self) -> None:
        """Serve until Ctrl-C; for scripts. Under twistd use ``--app package.module:server``."""
        # A server that is embedded in another application takes over neither signals nor logs.
        from .run import run_server

        run_server(self, self._reactor)
