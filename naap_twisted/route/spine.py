"""The spine: a request's way from the browser to an external API, and the response's way back.

authorize -> target -> egress -> body -> headers -> upstream -> relay. Each step turns one value
into the next; :meth:`MountedProxy.serve` calls them in order and is the place to start reading.
"""

from __future__ import annotations

from typing import Unpack

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IResponse

from ..auth.gate import Gate
from ..downstream.answering import Answering
from ..downstream.headers import make_preset, put_preset
from ..downstream.record import ExchangeRecord
from ..errors import ConfigError, MethodNotAllowed
from ..interfaces import IDownstreamRequest, IKeyStore, IUpstream
from ..limits.capacity import Capacity, leave
from ..limits.door import Door
from ..model import AllowedNetwork, OutboundRequest, Target
from ..options.code import ROUTE_KEYWORDS, documented, read_route
from ..options.keywords import RouteKeywords
from ..options.route import RouteOptions
from ..whip.key import LocationKey
from ..whip.sessions import METHODS, WebRtcSessions
from .compiled import Route, compile_route
from .cross_site import CrossSite
from .destination import Targets
from .redirects import Hops, send_and_follow
from .relay import refuse_with, relay
from .request_headers import injected_headers
from .scrub import Guard

_FOR_ANY_PAGE = make_preset({b"Cross-Origin-Resource-Policy": b"cross-origin"})
# Bounds on the names that a route logs once each: their number, and the length that is shown.
_MOST_MISSED = 64
_LONGEST = 100


@frozen
class Bindings:
    """The parts of a server that a proxy mounted on it uses.

    :ivar path: the mount's full path, such as ``"/api/v1/openai"``.
    :ivar key: signs the Locations of WebRTC sessions.
    :ivar keys: the store of users' own keys.
    """

    path: str
    gate: Gate
    upstream: IUpstream
    capacity: Capacity
    clock: IReactorTime
    allow_networks: tuple[AllowedNetwork, ...]
    door: Door
    key: LocationKey
    keys: IKeyStore | None
    cross_site: CrossSite


class ExternalProxy:
    """A proxy route. :func:`create_external_proxy` makes it, and a server mounts it.

    :ivar options: as the route was created with.
    :ivar route: the compiled options.
    :ivar mounted_at: its full path on a server; ``""`` before it is mounted.
    """

    def __init__(self, options: RouteOptions) -> None:
        self.options = options
        self.route = compile_route(options)
        self.mounted_at = ""

    def mounted(self, bindings: Bindings) -> MountedProxy:
        """The resource of this proxy on a server, whose ``mount`` calls this.

        :raises ConfigError: the proxy is mounted already.
        """
        if self.mounted_at:
            raise ConfigError(f"path: this proxy is mounted at {self.mounted_at} already")
        self.mounted_at = bindings.path
        route = self.route if bindings.keys is None else self.route.with_keys(bindings.keys)
        return MountedProxy(self.options, route, bindings)


class MountedProxy(Answering):
    """A proxy route on a server, as a resource.

    :ivar options: as the route was created with.
    :ivar route: the compiled options.
    :ivar egress: the route's egress policy, the server's ``allow_networks`` included.
    """

    failure_text = "Proxy route {route} failed"

    def __init__(self, options: RouteOptions, route: Route, bindings: Bindings) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.options = options
        route = self.route = route.keeping(bindings.gate.token)
        self.egress = route.egress(bindings.allow_networks)
        beyond = None if route.beyond is None else route.beyond(bindings.allow_networks)
        self._hops = Hops(self.egress, route.pinned, beyond)
        self._bound = bindings
        self._upstream = options.upstream or bindings.upstream
        self._log = options.logger or Logger()
        self._missed: set[bytes] = set()
        self._webrtc: WebRtcSessions | None = None
        if route.session_ttl is not None:
            self._webrtc = WebRtcSessions(bindings.key, bindings.path, route.session_ttl)
        prefix = bindings.path.encode("ascii")
        self._targets = Targets(route, self.egress, prefix, self._webrtc)
        self._embeddable = options.resource_policy == "cross-origin"
        # A route that injects no key has nothing for another site's page to spend.
        self._cross_site = bindings.cross_site if route.injects else None

    async def serve(self, request: IDownstreamRequest) -> None:
        """THE WAY OF A REQUEST."""
        record = request.record
        record.route = self._bound.path
        at_location = self._webrtc is not None and self._webrtc.holds(request)
        methods = METHODS if at_location else self.route.own_methods
        if request.method not in methods:
            allow = b", ".join((*methods, b"OPTIONS"))
            raise MethodNotAllowed(headers=((b"Allow", allow),))
        if self._cross_site is not None:
            self._cross_site.check(request, embeddable=self._embeddable)
        await self._bound.gate.admit(request, self.route.authorize, self.route.token)
        if self._bound.door:
            await self._bound.door.admit(request)
        record.mark("authorize")
        capacity = self._bound.capacity
        places = capacity.take(record.user) or await capacity.enter(record.user)
        try:
            await self._exchange(request)
        finally:
            leave(places)

    async def _exchange(self, request: IDownstreamRequest) -> None:
        record, route = request.record, self.route
        vetted = self._targets.of(request)
        target = vetted.target
        record.target = target.origin
        policy = route.patch if request.method == b"PATCH" else route.body
        body, content_type = await policy.open(request)
        record.mark("body")
        injected, guard, identity = route.fixed_headers, route.guard, None
        if route.forward is not None:
            identity = record.caller
            patience = self._bound.gate.patience
            made = await patience.settle(route.forward(request), "forward_headers")
            injected = injected_headers(made or {})
            guard = Guard(injected)
        dropped: list[bytes] = []
        headers = route.request_rewrite.outbound(
            request.requestHeaders.getAllRawHeaders(),
            injected,
            content_type=content_type,
            request_id=record.request_id,
            dropped=dropped,
        )
        for name in dropped:
            self._tell_dropped(record, name)
        outbound = OutboundRequest(
            request.method, vetted, headers, body, route.timeouts, record.caller, identity
        )
        record.mark("headers")
        if request.finished:
            return  # the route's callable has answered the request
        if self.options.follow_redirects:
            response, target = await send_and_follow(self._upstream, outbound, self._hops)
            record.target = target.origin
        else:
            response = await self._upstream.send(outbound)
        record.mark("upstream")
        record.upstream_status = response.code
        await self._answer(request, response, target, guard)

    def _tell_dropped(self, record: ExchangeRecord, name: bytes) -> None:
        """Count a header that is lost, and log the first of each name with the line to write."""
        record.dropped += 1
        if name.lower() in self._missed or len(self._missed) >= _MOST_MISSED:
            return
        self._missed.add(name.lower())
        verdict = self.route.request_rewrite.explain(name.decode("latin-1")[:_LONGEST])
        self._log.info(
            "{route} drops the request header {name}, which no upstream gets;"
            " to pass it on: {line}",
            route=record.route,
            name=verdict.name,
            line=verdict.line,
        )

    async def _answer(
        self, request: IDownstreamRequest, response: IResponse, target: Target, guard: Guard
    ) -> None:
        route, rewrite, webrtc = self.route, self.route.response_rewrite, self._webrtc
        enveloped = route.envelope and response.code >= 400
        if enveloped and not (webrtc and webrtc.relays_error(request, response)):
            await refuse_with(request, response, target, rewrite, guard, self._bound.clock)
        if self._embeddable:
            put_preset(request.responseHeaders, _FOR_ANY_PAGE)
        await relay(
            request,
            response,
            target,
            rewrite,
            guard,
            self._bound.clock,
            redact=self.options.redact_bodies,
            count_tokens=self.options.count_tokens,
            locate=None if webrtc is None else webrtc.locate(request, response),
        )


@documented(ROUTE_KEYWORDS)
def create_external_proxy(**options: Unpack[RouteKeywords]) -> ExternalProxy:
    """A proxy route, ready for :meth:`PluginServer.mount` (the seed's ``createExternalProxy``).

    ``naap-proxy options`` prints each option with an example.

    :raises ConfigError: naming each option whose value can't be.
    """
    return ExternalProxy(read_route(options))
