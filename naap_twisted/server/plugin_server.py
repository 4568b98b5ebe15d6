"""The plugin server: routes, wrappers in their order, listening, draining (the seed's server)."""

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
from ..interfaces import IKeyStore, IResolver
from ..limits.capacity import Capacity
from ..limits.door import Door
from ..model import User
from ..observe.health import Health
from ..observe.log import AccessLog
from ..options.code import check_mount, exposed
from ..options.server import Config, UpstreamOptions
from ..policy.egress import EgressPolicy
from ..route.spine import ExternalProxy
from ..secret import Secret
from ..upstream.client import UpstreamClient
from ..upstream.dns import DnsResolver
from ..upstream.resolver import SystemResolver
from ..whip.key import LocationKey
from .authentication import NOBODY, auth_in_words, authenticator_of
from .cautions import of_routes
from .chain import (
    capacity_of,
    charge_of,
    cross_site_of,
    limiter_of,
    limits_of,
    names_of,
    wrapped,
)
from .drain import Drain
from .mounts import Mount
from .own_calls import keyed_client, open_client
from .parts import AdminSide, Parts
from .ports import ListeningPort, tls_problems
from .routing import Routes
from .stores import State
from .tally import Tally

if TYPE_CHECKING:
    from treq.client import HTTPClient


class PluginServer(MultiService):
    """A server of proxies and Klein routes; an ``IService``.

    :ivar router: a ``klein.Klein``, mounted at the base path: add routes to it.
    :ivar root_children: resources outside the base path, by first path segment.
    :ivar listen: endpoint strings.
    :ivar http: a treq client for this server's own calls, under its address rules.
    :param admin: makes what listens on ``admin_listen``.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        admin: Callable[[PluginServer, str], AdminSide] | None = None,
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
        self.listen = tuple(each.description for each in options.listen)
        self._bounds = limits_of(config)
        self._places = capacity_of(options)
        self._capacity = Capacity.of(self._places)
        self._upstream = UpstreamClient(
            reactor, resolver=resolver_of(config.upstream, reactor), ca_file=config.upstream.ca_file
        )
        self.http: HTTPClient = open_client(self._upstream, config.upstream.allow_networks)
        self._authenticator = authenticator_of(config.auth, config.upstream.ca_file)
        gate = Gate(
            self._authenticator,
            Patience(reactor, self._bounds.callable_timeout),
            required=self.require_auth,
            public_routes=options.public_routes,
        )
        self._state = State(config, reactor)
        self._state.share_sessions(self._authenticator)
        self._state.add_routes(self.router)
        limit = options.user_rate_limit
        door = Door() if limit is None else Door((self._state.policy("user", limit, users=True),))
        self._location_key = LocationKey(options.state_dir)
        self._routes = Routes(
            self.router, options.base_path, gate, self._location_key, door, cross_site_of(options)
        )
        self._routes.beside[b"healthz"] = Health(options.name, reactor)
        self.root_children = self._routes.beside
        self._limiter = limiter_of(options, self._state)
        self._root = wrapped(self._routes, options, self._limiter, names_of(options))
        self._tally = Tally()
        self._born = reactor.seconds()
        self._site: DownstreamSite | None = None
        self._drain: Drain | None = None
        self._ports: list[ListeningPort] = []
        self._make_admin = admin
        self._admin: AdminSide | None = None

    def mount(self, path: str, resource: Resource | IResource | ExternalProxy) -> None:
        """Mount a proxy, or any resource (``app.resource()`` of a Klein app), below the base path.

        :param path: such as ``"/assistant/openai-proxy"``.
        :raises ConfigError: the path is taken or malformed, the proxy is mounted elsewhere, or
            what it needs is not on this server.
        """
        proxy = resource if isinstance(resource, ExternalProxy) else None
        check_mount(self.config, path, None if proxy is None else proxy.options)
        in_flight, door, keys = self._places.route, self._routes.door, None
        if proxy is not None:
            route = proxy.route
            if route.max_in_flight is not None:
                in_flight = evolve(in_flight, running=route.max_in_flight)
            if route.rate_limit is not None:
                door = door.beside(self._state.policy("route", route.rate_limit, path))
            if route.user_keys:
                keys = self._state.keys
        capacity = self._capacity.sibling(in_flight)
        networks = self.config.upstream.allow_networks
        self._routes.mount(path, resource, self._upstream, capacity, networks, door, keys)

    def routes(self) -> tuple[Mount, ...]:
        """What is mounted, in order."""
        return tuple(self._routes.mounts)

    def resource(self) -> Resource:
        """All of it as a resource, for anybody's ``Site``; request bodies stream on ours only.

        Where that listens is not known here: without ``server_names`` it answers to any Host.

        Opens what the server keeps (keys, usage, Redis), until the reactor stops.

        :raises ConfigError: that can't be opened.
        """
        self._state.open()
        self._reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: Deferred.fromCoroutine(self._state.close())
        )
        options = self.config.server
        names = names_of(options, elsewhere=True)
        return AnySite(wrapped(self._routes, options, self._limiter, names))

    def site(self) -> DownstreamSite:
        """The site this server listens with; made once."""
        if self._site is None:
            self._site = DownstreamSite(
                self._root,
                limits=self._bounds,
                exempt=TrustedProxies(self.config.server.trusted_proxies),
                reactor=self._reactor,
                observer=self._observer(),
                charge=charge_of(self.config.server, self._limiter),
            )
        return self._site

    def _observer(self) -> Callable[[Any], None]:
        ended = self._state.observer(AccessLog())
        # Nobody could read the numbers elsewhere, and they cost half a microsecond an exchange.
        return self._tally.after(ended) if self.config.server.admin_listen else ended

    @property
    def parts(self) -> Parts:
        """What this server is made of, for its admin side."""
        return Parts(
            options=self.config.server,
            upstream=self._upstream,
            state=self._state,
            capacity=self._capacity,
            tally=self._tally,
            clock=self._reactor,
            born=self._born,
        )

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
        return keyed_client(self._upstream, policy, forward_headers)

    @property
    def keys(self) -> IKeyStore:
        """Users' own keys: ``await server.keys.get(user.id, "daydream")``.

        :raises ConfigError: this server keeps none.
        """
        return self._state.keys

    def user(self, request: Request | IRequest) -> User | None:
        """The authenticated user behind *request*."""
        record = getattr(request, "record", None)
        return None if record is None else record.user

    def check_exposure(self) -> None:
        """Refuse to be an open relay by accident.

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
        """Refuse now what the start would refuse, sockets and other machines excepted.

        What ``naap-proxy check`` asks, and what ends a start before anything is opened.

        :raises ConfigError: one line a problem.
        """
        self.check_exposure()
        problems = tls_problems(self.listen, self.config.server.admin_listen)
        try:
            self._state.check()
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*problems)

    def endpoints(self) -> tuple[str, ...]:
        """The endpoint strings of everything that it will listen on."""
        return (*self.listen, *filter(None, [self.config.server.admin_listen]))

    def cautions(self) -> list[str]:
        """What is allowed and should be known, one line each: for the start and for ``check``."""
        found = [NOBODY] if self.require_auth and self._authenticator is None else []
        return [*found, *of_routes(self.routes(), self.listen, self.config.upstream.allow_networks)]

    def privilegedStartService(self) -> None:
        """Open the listening sockets, before twistd drops its privileges."""
        self.check_start()
        site = self.site()
        site.draining = False  # of an earlier stop
        for description in self.listen:
            port = ListeningPort(self._reactor, description, site)
            port.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._ports.append(port)
        if self.config.server.admin_listen and self._make_admin is not None:
            self._admin = self._make_admin(self, self.config.server.admin_listen)
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
        for caution in self.cautions():
            self._log.warn("{caution}", caution=caution)

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
        self._drain = Drain(site, self._reactor, self.config.server.drain_timeout)
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
        # A server in somebody else's process needs nothing of what owning one takes.
        from .run import run_server

        run_server(self, self._reactor)


def resolver_of(options: UpstreamOptions, reactor: Any) -> IResolver:
    """Whom a server with these options asks for addresses."""
    if options.dns_servers:
        return DnsResolver(options.dns_servers, reactor)
    return SystemResolver(reactor)
