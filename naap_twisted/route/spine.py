"""The spine: a request's way from the browser to an external API, and the response's way back.

authorize -> target -> egress -> body -> spend -> headers -> upstream -> relay. Each step turns one
value into the next; :meth:`MountedProxy.serve` calls them in order: start reading there.
"""

from __future__ import annotations

from typing import Unpack

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IBodyProducer, IResponse

from ..auth.gate import Gate
from ..credentials.secret_files import SecretFiles
from ..credentials.token_source import TokenSource
from ..downstream.answering import Answering
from ..downstream.headers import make_preset, put_preset
from ..downstream.record import ExchangeRecord
from ..errors import ConfigError, MethodNotAllowed
from ..headers import DIGESTS
from ..interfaces import IDownstreamRequest, IKeyStore, IUpstream
from ..limits.capacity import Capacity, leave
from ..limits.door import Door
from ..model import OutboundRequest, Target, VettedTarget
from ..options.client_certs import client_certificate
from ..options.code import ROUTE_KEYWORDS, documented, read_route
from ..options.keywords import RouteKeywords
from ..options.route import RouteOptions
from ..options.server import UpstreamOptions
from ..policy.egress import AnyHost
from ..secret import Secret
from ..spend.prices import Prices
from ..spend.purse import Purse
from ..whip.key import LocationKey
from ..whip.sessions import METHODS, WebRtcSessions
from .access_token import AccessToken
from .breaking import Breaking
from .compiled import CERTIFICATE, Route, compile_again, compile_route
from .cross_site import CrossSite, need_origin
from .destination import Targets
from .homeward import Homeward
from .missed_headers import MissedHeaders
from .observation import observation_of
from .redirects import Hops, Trail, send_and_follow
from .relay import refuse_with, relay
from .request_headers import injected_headers
from .retrying import Retrying
from .scrub import Guard
from .signing import SignedExchange
from .spending import Spending
from .via import Via

_FOR_ANY_PAGE = make_preset({b"Cross-Origin-Resource-Policy": b"cross-origin"})
# Seconds between two lines of one route that say that its key is refused.
_KEY_TOLD_EVERY = 3600.0


@frozen
class Bindings:
    """The parts of a server that a proxy mounted on it uses.

    :ivar path: the mount's full path, such as ``"/api/v1/openai"``.
    :ivar clock: the server's reactor, which is monotonic.
    :ivar key: signs the Locations of WebRTC sessions.
    :ivar keys: the store of users' own keys.
    :ivar options: the server's ``[upstream]``, for what a route does not say itself.
    :ivar secret_files: tells of files that change.
    :ivar purse: the budgets that its requests fall under.
    :ivar prices: what models cost.
    :ivar via: tells requests that come back.
    """

    path: str
    gate: Gate
    upstream: IUpstream
    capacity: Capacity
    clock: IReactorTime
    options: UpstreamOptions
    door: Door
    key: LocationKey
    keys: IKeyStore | None
    cross_site: CrossSite
    purse: Purse
    prices: Prices
    secret_files: SecretFiles
    via: Via


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
        return MountedProxy(self.options, self.route, bindings)


class MountedProxy(Answering):
    """A proxy route on a server, as a resource.

    :ivar options: as the route was created with.
    :ivar route: the compiled options.
    :ivar egress: the route's egress policy, the server's ``allow_networks`` included.
    :ivar breaking: its way out, and *retrying* before it.
    """

    failure_text = "Proxy route {route} failed"

    def __init__(self, options: RouteOptions, route: Route, bindings: Bindings) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        networks = bindings.options.allow_networks
        self.egress = route.egress(networks)
        self._beyond = None if route.beyond is None else route.beyond(networks)
        self._bound = bindings
        upstream = options.upstream or bindings.upstream
        self._log = options.logger or Logger()
        self.breaking = Breaking(
            upstream, options.circuit_breaker, bindings.clock, bindings.path, self._log
        )
        self.retrying = Retrying(self.breaking, options.retries, bindings.clock)
        self._upstream: IUpstream = self.retrying if options.retries else self.breaking
        self._missed = MissedHeaders(self._log)
        self._key_told = -_KEY_TOLD_EVERY
        self._webrtc: WebRtcSessions | None = None
        if route.session_ttl is not None:
            self._webrtc = WebRtcSessions(bindings.key, bindings.path, route.session_ttl)
        urls = () if options.provider is None else options.provider.headers.urls
        self._homeward = Homeward(urls, route.pinned, bindings.path, bindings.cross_site.trusted)
        self._observation = observation_of(options, bindings.path)
        self._take(options, route)
        self._embeddable = options.resource_policy == "cross-origin"
        # Made once: a pool keeps connections apart by the certificate's identity.
        self._certificate = route.certificate or client_certificate(bindings.options)
        self._access: AccessToken | None = None
        if route.oauth2 is not None:
            asked = AnyHost(self.egress.allow_networks)
            source = TokenSource(route.oauth2, upstream, asked, bindings.clock, self._certificate)
            self._access = AccessToken(source)
        # A route that injects no key has nothing for another site's page to spend.
        self._cross_site = bindings.cross_site if self.injects else None
        self._spending = Spending(bindings.purse, route.costing, bindings.prices)
        bindings.secret_files.watch(bindings.path, options, self.renew)

    @property
    def injects(self) -> tuple[str, ...]:
        """What requests get from here: the route's own, and a certificate of the server's."""
        shown = self._certificate is not None and self.route.certificate is None
        return (*self.route.injects, CERTIFICATE) if shown else self.route.injects

    def _take(self, options: RouteOptions, route: Route) -> None:
        """Answer by *options* and their *route* from now on."""
        bound = self._bound
        route = route.keeping(bound.gate.token)
        self.options = options
        self.route = route if bound.keys is None else route.with_keys(bound.keys)
        self._hops = Hops(self.egress, route.pinned, self._beyond, route.opening)
        prefix = bound.path.encode("ascii")
        self._targets = Targets(self.route, self.egress, prefix, self._webrtc)

    def renew(self, options: RouteOptions) -> None:
        """Take *options*, the same but for secrets; requests on their way keep what they have.

        The secrets of before stay guarded beside the new ones: an upstream may still repeat them.
        """
        self._take(options, compile_again(options, self.options))
        if self._access is not None and options.oauth2 is not None:
            self._access.source.client = options.oauth2

    async def serve(self, request: IDownstreamRequest) -> None:
        """THE WAY OF A REQUEST."""
        record = request.record
        record.route = self._bound.path
        self._bound.via.check(request)
        at_location = self._webrtc is not None and self._webrtc.holds(request)
        methods = METHODS if at_location else self.route.own_methods
        if request.method not in methods:
            allow = b", ".join((*methods, b"OPTIONS"))
            raise MethodNotAllowed(headers=((b"Allow", allow),))
        if self._cross_site is not None:
            self._cross_site.check(request, embeddable=self._embeddable)
        if self.options.require_origin:
            need_origin(request)
        await self._bound.gate.admit(
            request, self.route.authorize, self.route.token, self._bound.path
        )
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
        record = request.record
        vetted = self._targets.of(request)
        target = vetted.target
        record.target = target.origin
        sent = await self._body(request, target)
        asked = None
        if self.route.asking is not None:
            asked = self.route.asking.asked(request.method, target, *sent[:2])
        record.mark("body")
        if not self._spending.counts(record):
            await self._forward(request, vetted, *sent, asked)
            return
        bill = await self._spending.reserve(request, target, *sent[:2])
        record.mark("spend")
        error: BaseException | None = None
        try:
            await self._forward(request, vetted, *sent, asked)
        except BaseException as ended:
            error = ended
            raise
        finally:
            bill.settle(record, error)

    async def _forward(
        self,
        request: IDownstreamRequest,
        vetted: VettedTarget,
        body: bytes | IBodyProducer | None,
        content_type: bytes | None,
        changed: bool,
        asked: bytes | None,
    ) -> None:
        """Send the request, or *asked* in its body's place, and relay the answer."""
        record, route, target = request.record, self.route, vetted.target
        injection = route.injection
        if route.hosts:
            injection = route.hosts.get(target.host, injection)
        injected, guard, identity = injection.headers, route.guard, None
        if injection.forward is not None:
            identity = record.caller
            patience = self._bound.gate.patience
            made = await patience.settle(injection.forward(request), "forward_headers")
            injected = injected_headers(made or {})
            guard = guard.beside(injected=injected)
        token = None
        if self._access is not None and injection is route.injection:
            injected, guard, token = await self._access.beside(injected, guard)
        dropped: list[bytes] = []
        headers = route.request_rewrite.outbound(
            request.requestHeaders.getAllRawHeaders(),
            injected,
            content_type=content_type,
            request_id=record.request_id,
            dropped=dropped,
        )
        headers = (*headers, self._bound.via.field(request))
        if changed or asked is not None:
            headers = tuple(pair for pair in headers if pair[0].lower() not in DIGESTS)
        for name in dropped:
            self._missed.tell(record, name, route.request_rewrite)
        sealing = injection.sealing
        sealed = None if sealing is None else sealing.seal(target)
        who = record.caller, identity, self._certificate, sealed
        sent = body if asked is None else asked
        outbound = OutboundRequest(request.method, vetted, headers, sent, route.timeouts, *who)
        record.mark("headers")
        if request.finished:
            return  # the route's callable has answered the request
        signed: SignedExchange | None = None
        if route.signing is not None and injection is route.injection:
            patience = self._bound.gate.patience
            signed = route.signing.exchange(self._upstream, target, guard, patience)
        upstream = signed or self._upstream
        if self.options.follow_redirects:
            trail = Trail(self._hops, guard, sealing, signed)
            response, target = await send_and_follow(upstream, outbound, trail)
            record.target = target.origin
        else:
            response = await upstream.send(outbound)
        if signed is not None:
            guard = signed.guard
        record.mark("upstream")
        record.upstream_status = response.code
        if response.code == 401:
            self._refused(record, token if target.origin == vetted.target.origin else None)
        if self._observation is not None and response.code < 400:
            at_location = self._webrtc is not None and self._webrtc.holds(request)
            targets = () if at_location else dict.fromkeys((vetted.target, target))
            self._observation.note(request.method, targets, body, content_type)
        await self._answer(request, response, target, guard, unasked=asked is not None)

    async def _body(
        self, request: IDownstreamRequest, target: Target
    ) -> tuple[bytes | IBodyProducer | None, bytes | None, bool]:
        """The body to send, its Content-Type, and whether they are others than the page's."""
        route = self.route
        # A WebRTC session's own requests came with the offer that was judged.
        free = self._webrtc is not None and self._webrtc.holds(request)
        narrow = None if free else route.narrowing.of(request.record.user)
        if narrow is not None:
            narrow.opening.check(request.method, target)
        reads = route if narrow is None else route.narrowing
        policy = reads.patch if request.method == b"PATCH" else reads.body
        metered = self._spending.reports(request.record) is not None
        body, content_type = await policy.open(request, metered=metered)
        judges = () if free else tuple(filter(None, (route.judge, narrow)))
        if not judges:
            return body, content_type, False
        assert body is None or isinstance(body, bytes)  # Judged bodies are read to their end.
        sent, patience = (body, content_type), self._bound.gate.patience
        judged = sent
        for judge in judges:
            judged = await judge.judged(request, target, judged, patience)
        return *judged, judged is not sent

    def _refused(self, record: ExchangeRecord, token: Secret | None) -> None:
        """The upstream answers 401: its next request gets another token, and the owner is warned.

        Callers take the refusal for one of their own key. No request is sent again, because the
        upstream may have acted on it before it said no.

        :param token: the access token that it was sent.
        """
        if token is not None and self._access is not None:
            self._access.source.refused(token)
        if not self.injects or self.route.needs_keys:
            return
        now = self._bound.clock.seconds()
        if now - self._key_told < _KEY_TOLD_EVERY:
            return
        self._key_told = now
        self._log.warn(
            "{target} answers 401 to {route}; is the key right that the route sends in {names}?",
            target=record.target,
            route=record.route,
            names=", ".join(self.injects),
        )

    async def _answer(
        self,
        request: IDownstreamRequest,
        response: IResponse,
        target: Target,
        guard: Guard,
        *,
        unasked: bool,
    ) -> None:
        route, rewrite, webrtc = self.route, self.route.response_rewrite, self._webrtc
        enveloped = route.envelope and response.code >= 400
        if enveloped and not (webrtc and webrtc.relays_error(request, response)):
            await refuse_with(request, response, target, rewrite, guard, self._bound.clock)
        location = None if webrtc is None else webrtc.locate(request, response)
        moves = location is not None or self._homeward
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
            most=self.options.max_response,
            tokens=route.tokens or self._spending.reports(request.record),
            unasked=unasked,
            locate=self._homeward.locate(request, location) if moves else None,
        )


@documented(ROUTE_KEYWORDS)
def create_external_proxy(**options: Unpack[RouteKeywords]) -> ExternalProxy:
    """A proxy route, ready for :meth:`PluginServer.mount` (the seed's ``createExternalProxy``).

    ``naap-proxy options`` prints each option with an example.

    :raises ConfigError: naming each option whose value can't be.
    """
    return ExternalProxy(read_route(options))
