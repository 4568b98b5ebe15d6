"""The spine: a request's way from the browser to an external API, and the response's way back.

authorize -> target -> egress -> body -> spend -> headers -> upstream -> relay. Each step turns one
value into the next; :meth:`MountedProxy.serve` calls them in order: start reading there.
"""

from __future__ import annotations

from typing import Unpack

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..auth.gate import Gate
from ..credentials.secret_files import SecretFiles
from ..credentials.token_source import TokenSource
from ..downstream.answering import Answering
from ..downstream.headers import make_preset, put_exposed, put_preset, spelled
from ..errors import ConfigError, MethodNotAllowed
from ..headers import DIGESTS
from ..interfaces import IDownstreamRequest, IKeyStore, IUpstream
from ..limits.capacity import Capacity, leave
from ..limits.door import Door
from ..limits.replays import Replayed, Replays
from ..model import OutboundRequest, Target, VettedTarget
from ..options.client_certs import client_certificate
from ..options.code import ROUTE_KEYWORDS, documented, read_route
from ..options.keywords import RouteKeywords
from ..options.route import RouteOptions
from ..options.server import UpstreamOptions
from ..policy.egress import AnyHost
from ..spend.book import UsageBook
from ..spend.prices import Prices
from ..spend.purse import Pockets, Purse
from ..spend.tokens import TokenMembers
from ..whip.key import LocationKey
from ..whip.sessions import METHODS, WebRtcSessions
from .access_token import AccessToken
from .breaking import Breaking
from .compiled import CERTIFICATE, Route, compile_again, compile_route
from .cross_site import CrossSite, need_origin
from .destination import Targets
from .first_exchange import FirstExchange
from .homeward import Homeward
from .injection import Keys
from .kept_answer import Headed, unpacked
from .leaving_body import LeavingBodies, Outgoing
from .notices import Notices
from .observation import observation_of
from .redirects import Hops, Trail, send_and_follow
from .relay import refuse_with, relay
from .replaying import replaying_of
from .request_headers import injected_headers
from .retrying import Retrying
from .scrub import Guard
from .signing import SignedExchange
from .spending import Spending
from .via import Via

_FOR_ANY_PAGE = make_preset({b"Cross-Origin-Resource-Policy": b"cross-origin"})


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
    :ivar replays: answers that are kept for retries.
    :ivar book: users' usage, where the server keeps it.
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
    replays: Replays[Guard]
    book: UsageBook | None
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
        self._notices = Notices(self._log, bindings.clock)
        told = bindings.clock, bindings.path, self._log
        self.breaking = Breaking(upstream, options.circuit_breaker, *told)
        self.retrying = Retrying(self.breaking, options.retries, bindings.clock)
        self._upstream: IUpstream = self.retrying if options.retries else self.breaking
        self._webrtc: WebRtcSessions | None = None
        if route.session_ttl is not None:
            self._webrtc = WebRtcSessions(bindings.key, bindings.path, route.session_ttl)
        urls = () if options.provider is None else options.provider.headers.urls
        self._homeward = Homeward(urls, route.pinned, bindings.path, bindings.cross_site.trusted)
        self._observation = observation_of(options, bindings.path)
        self._spending = Spending(bindings.purse, route.costing, bindings.prices)
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
        kept = bindings.replays, bindings.book, self._log
        self._replaying = replaying_of(options, bindings.path, *kept)
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
        self._targets = Targets(self.route, self.egress, bound.path.encode("ascii"), self._webrtc)
        self._bodies = LeavingBodies(self.route, self._webrtc, bound.gate.patience)

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
        pockets = self._spending.pockets_of(record)
        metered = pockets.counts_tokens
        key = None if self._replaying is None else self._replaying.key_of(request)
        body = await self._bodies.of(request, target, metered=metered, whole=key is not None)
        record.mark("body")
        first: FirstExchange | None = None
        if key is not None and self._replaying is not None:
            begun = self._replaying.begin(request, key, target, body.came)
            if isinstance(begun, Replayed):
                await self._replay(request, begun, unasked=body.asks)
                return
            first = begun
        tokens = self.route.tokens or self._spending.reports(pockets)
        going = Outgoing(body, tokens, first)
        if first is None and not pockets.each:
            await self._forward(request, vetted, going)
        else:
            await self._paid_for(request, vetted, going, pockets)

    async def _paid_for(
        self, request: IDownstreamRequest, vetted: VettedTarget, going: Outgoing, pockets: Pockets
    ) -> None:
        """Forward the request under the budgets that it falls under."""
        record, first, bill = request.record, going.first, None
        error: BaseException | None = None
        try:
            if pockets.each:
                bill = await self._spending.reserve(
                    request, vetted.target, going.body.body, pockets
                )
                record.mark("spend")
            await self._forward(request, vetted, going)
        except BaseException as ended:
            error = ended
            raise
        finally:
            goes_on = first is not None and first.hand_over(bill, going.tokens)
            if bill is not None and not goes_on:
                bill.settle(record, error)

    async def _forward(
        self, request: IDownstreamRequest, vetted: VettedTarget, going: Outgoing
    ) -> None:
        """Send the request, and relay the answer."""
        record, first = request.record, going.first
        keys = await self._keys(request, vetted.target)
        outbound = self._outbound(request, vetted, going, keys)
        record.mark("headers")
        if request.finished:
            return  # the route's callable has answered the request
        pending = self._sent(outbound, keys)
        if first is not None:
            headed = await first.head(Deferred.fromCoroutine(pending))
        else:
            headed = await pending
        response, target, _ = headed
        record.target = target.origin
        record.mark("upstream")
        record.upstream_status = response.code
        if response.code == 401:
            own = target.origin == vetted.target.origin
            if keys.token is not None and self._access is not None and own:
                # The next request gets another; this one is not sent again, for it may have acted.
                self._access.source.refused(keys.token)
            if self.injects and not self.route.needs_keys:
                self._notices.key_refused(record, self.injects)
        if self._observation is not None and response.code < 400:
            at_location = self._webrtc is not None and self._webrtc.holds(request)
            targets = () if at_location else dict.fromkeys((vetted.target, target))
            seen = going.body.body
            self._observation.note(request.method, targets, seen.content, seen.content_type)
        await self._answer(request, headed, unasked=going.body.asks, tokens=going.tokens)

    async def _keys(self, request: IDownstreamRequest, target: Target) -> Keys:
        route, injection = self.route, self.route.injection
        if route.hosts:
            injection = route.hosts.get(target.host, injection)
        injected, guard, identity, token = injection.headers, route.guard, None, None
        if injection.forward is not None:
            identity = request.record.caller
            patience = self._bound.gate.patience
            made = await patience.settle(injection.forward(request), "forward_headers")
            injected = injected_headers(made or {})
            guard = guard.beside(injected=injected)
        if self._access is not None and injection is route.injection:
            injected, guard, token = await self._access.beside(injected, guard)
        return Keys(injection, injected, guard, identity, token)

    def _outbound(
        self, request: IDownstreamRequest, vetted: VettedTarget, going: Outgoing, keys: Keys
    ) -> OutboundRequest:
        record, route, body = request.record, self.route, going.body
        dropped: list[bytes] = []
        headers = route.request_rewrite.outbound(
            request.requestHeaders.getAllRawHeaders(),
            keys.injected,
            content_type=body.body.content_type,
            request_id=record.request_id,
            dropped=dropped,
        )
        headers = (*headers, self._bound.via.field(request))
        if body.is_another:
            headers = tuple(pair for pair in headers if pair[0].lower() not in DIGESTS)
        if dropped:
            self._notices.dropped(record, dropped, route.request_rewrite)
        sealing = keys.injection.sealing
        sealed = None if sealing is None else sealing.seal(vetted.target)
        late = None if going.first is None else going.first.late
        who = record.caller, keys.identity, self._certificate, sealed, late
        return OutboundRequest(request.method, vetted, headers, body.sent, route.timeouts, *who)

    async def _sent(self, outbound: OutboundRequest, keys: Keys) -> Headed:
        """The head of the answer to *outbound*, after the redirects that are followed."""
        route, target, guard = self.route, outbound.target.target, keys.guard
        signed: SignedExchange | None = None
        if route.signing is not None and keys.injection is route.injection:
            patience = self._bound.gate.patience
            signed = route.signing.exchange(self._upstream, target, guard, patience)
        upstream = signed or self._upstream
        if self.options.follow_redirects:
            trail = Trail(self._hops, guard, keys.injection.sealing, signed)
            response, target = await send_and_follow(upstream, outbound, trail)
        else:
            response = await upstream.send(outbound)
        return response, target, guard if signed is None else signed.guard

    async def _replay(
        self, request: IDownstreamRequest, kept: Replayed[Guard], *, unasked: bool
    ) -> None:
        """Give a kept answer again: it costs nothing, and no upstream is asked."""
        put_exposed(request.responseHeaders, spelled(b"Idempotent-Replayed"), b"true")
        await self._answer(request, unpacked(kept), unasked=unasked, tokens=None)

    async def _answer(
        self,
        request: IDownstreamRequest,
        headed: Headed,
        *,
        unasked: bool,
        tokens: TokenMembers | None,
    ) -> None:
        response, target, guard = headed
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
            tokens=tokens,
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
