"""The spine: one request's way from the browser to an external API and back.

authorize -> target -> egress -> body -> headers -> upstream -> relay. Each step turns one value
into the next; :meth:`ExternalProxy.serve` calls them in order and is the place to start reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from .auth.gate import Authorize, Gate, settle
from .egress import EgressPolicy
from .errors import (
    ConfigError,
    InternalError,
    MethodNotAllowed,
    ProxyError,
    UpstreamCut,
)
from .guard import Guard
from .interfaces import IDownstreamRequest, IHeadResource, IUpstream
from .limits.capacity import Capacity, leave
from .limits.door import Door
from .model import AllowedNetwork, ExposeHeader, OutboundRequest, RateLimit, Target
from .redirects import send_and_follow
from .relay import refuse_with, relay
from .rewrite import injected_headers
from .route import Route, compile_route
from .route_options import ForwardHeaders, RouteOptions
from .targets import Targets
from .whip.key import LocationKey
from .whip.rules import DEFAULT_TTL
from .whip.sessions import METHODS, Sessions


@frozen
class Bindings:
    """What a proxy gets from the server it is mounted on."""

    path: str
    gate: Gate
    upstream: IUpstream
    capacity: Capacity
    allow_networks: tuple[AllowedNetwork, ...] = ()
    #: The mount's full path as it stands in a request target, such as ``b"/api/v1/openai"``.
    prefix: bytes = b""
    door: Door = Factory(Door)
    key: LocationKey = Factory(LocationKey)


@implementer(IHeadResource)
class ExternalProxy(Resource):
    """A proxy route as a resource. Made by :func:`create_external_proxy`, mounted by a server.

    :ivar route: its compiled options.
    :ivar egress: its policy, the server's ``allow_networks`` included; there once it is mounted.
    """

    isLeaf = True
    _bound: Bindings
    egress: EgressPolicy
    _targets: Targets
    _sessions: Sessions | None = None

    def __init__(
        self, route: Route, *, logger: Logger | None = None, upstream: IUpstream | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.route = route
        self._upstream = upstream
        self._log = logger or Logger()

    def bind(self, bindings: Bindings) -> None:
        """Called by the server's ``mount``.

        :raises ConfigError: it is mounted already.
        """
        if hasattr(self, "_bound"):
            raise ConfigError(
                f"{bindings.path}: this proxy is mounted at {self._bound.path} already"
            )
        self.egress = self.route.egress(bindings.allow_networks)
        if self.route.session_ttl is not None:
            self._sessions = Sessions(bindings.key, bindings.path, self.route.session_ttl)
        self._targets = Targets(self.route, self.egress, bindings.prefix, self._sessions)
        self._bound = bindings
        self._upstream = self._upstream or bindings.upstream

    def render(self, request: IDownstreamRequest) -> int:
        """Begin the exchange; the answer goes out through the request."""
        request.record.route = self._bound.path
        exchange = Deferred.fromCoroutine(self.serve(request))
        request.when_gone(exchange.cancel)
        exchange.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def serve(self, request: IDownstreamRequest) -> None:
        """THE WAY OF A REQUEST."""
        record = request.record
        at_session = self._sessions is not None and self._sessions.holds(request)
        methods = METHODS if at_session else self.route.direct
        if request.method not in methods:
            allow = b", ".join((*methods, b"OPTIONS"))
            raise MethodNotAllowed(headers=((b"Allow", allow),))
        await self._bound.gate.admit(request, self.route.authorize)
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
        if callable(route.forward):
            identity = record.user and record.user.id
            injected = injected_headers(await settle(route.forward(request)) or {})
            guard = Guard(injected)
        headers = route.request_rewrite.outbound(
            request.requestHeaders.getAllRawHeaders(),
            injected,
            content_type=content_type,
            request_id=record.request_id,
        )
        outbound = OutboundRequest(request.method, vetted, headers, body, route.timeouts, identity)
        record.mark("headers")
        if request.finished:
            return  # a callable of the route has answered it
        assert self._upstream is not None
        if route.follow_redirects:
            response, target = await send_and_follow(
                self._upstream, outbound, self.egress, route.pinned
            )
            record.target = target.origin
        else:
            response = await self._upstream.send(outbound)
        record.mark("upstream")
        record.upstream_status = response.code
        await self._answer(request, response, target, guard)

    async def _answer(
        self, request: IDownstreamRequest, response: IResponse, target: Target, guard: Guard
    ) -> None:
        route, rewrite, sessions = self.route, self.route.response_rewrite, self._sessions
        wrapped = route.envelope and response.code >= 400
        if wrapped and not (sessions and sessions.relays_error(request, response)):
            await refuse_with(request, response, target, rewrite, guard)
        await relay(
            request,
            response,
            target,
            rewrite,
            guard,
            redact=route.redact_bodies,
            count_tokens=route.count_tokens,
            locate=None if sessions is None else sessions.locate(request, response),
        )

    def _failed(self, failure: Failure, request: IDownstreamRequest) -> None:
        if failure.check(CancelledError, UpstreamCut):
            return  # the browser left, or its connection was aborted: nobody to answer
        error = failure.value
        if not isinstance(error, ProxyError):
            self._log.failure("Proxy route {route} failed", failure, route=request.record.route)
            error = InternalError()
        request.refuse(error)


def create_external_proxy(
    *,
    allowed_hosts: Sequence[str] = (),
    target: str | None = None,
    target_url_header: str = "X-Target-URL",
    content_type: str | Sequence[str] = "application/json",
    body_limit: int | str = "1mb",
    timeout: float | str = 30.0,
    connect_timeout: float | str = 10.0,
    idle_timeout: float | str | None = 300.0,
    total_timeout: float | str | None = None,
    forward_headers: ForwardHeaders | None = None,
    expose_headers: Sequence[ExposeHeader] = (),
    response_headers: Sequence[str] = (),
    pass_headers: Sequence[str] | None = None,
    authorize: Authorize | None = None,
    methods: Sequence[str] = ("POST",),
    allowed_schemes: Sequence[str] = ("https",),
    allowed_ports: Sequence[int] | None = None,
    errors: str | None = None,
    redact_bodies: bool = False,
    max_in_flight: int | None = None,
    rate_limit: RateLimit | None = None,
    count_tokens: bool = False,
    location_ttl: float | str = DEFAULT_TTL,
    follow_redirects: bool = False,
    allow_networks: Sequence[AllowedNetwork | str] = (),
    logger: Logger | None = None,
    upstream: IUpstream | None = None,
) -> ExternalProxy:
    """A proxy route, ready for :meth:`PluginServer.mount` (the seed's ``createExternalProxy``).

    :param allowed_hosts: exact names, or ``.example.org`` / ``*.example.org`` for subdomains.
    :param target: a pinned base URL instead of hosts and header; the route is then a branch, and
        stock SDK clients work with it as their base URL.
    :param target_url_header: the request header that names the upstream URL.
    :param content_type: the media type (or types) taken; ``"*/*"`` for any.
    :param body_limit: request body bytes, or text such as ``"500kb"``.
    :param timeout: seconds until the response head, once the request is sent.
    :param connect_timeout: seconds for DNS, TCP and TLS together.
    :param idle_timeout: seconds between two pieces of a body.
    :param total_timeout: seconds for the whole exchange.
    :param forward_headers: server-side keys, as a mapping or a callable (sync, async, Deferred) of
        the request. Set last; no browser header overrides them.
    :param expose_headers: upstream headers relayed under other names.
    :param response_headers: upstream headers relayed under their own names, ``X-Prefix-*`` too.
    :param pass_headers: browser headers that go upstream; default Accept and conditionals.
    :param authorize: ``"user"``, ``"anyone"``, or a callable of the request; raise or a false
        value denies. Default: ``"user"`` where the server requires auth.
    :param methods: the methods proxied.
    :param errors: ``"envelope"`` wraps upstream errors in ours, ``"passthrough"`` relays them;
        default ``"passthrough"`` where *target* is set.
    :param redact_bodies: look for injected keys in JSON and text answers too, and redact them.
    :param max_in_flight: exchanges of this route at once; more wait in a bounded queue, then 503.
    :param rate_limit: of this route, per user; per address where nobody is signed in.
    :param count_tokens: read the ``usage`` that OpenAI-shaped answers report.
    :param location_ttl: seconds that a WHIP session's Location works.
    :param follow_redirects: follow 307 and 308, three times at most, to targets that this route
        allows; anything else is relayed.
    :param allow_networks: non-public networks that may be reached, ``"127.0.0.1/32:9100"``.
    :param upstream: another way out, for tests.
    :raises ConfigError: naming every option that can't be.
    """
    route = compile_route(
        RouteOptions(
            allowed_hosts=allowed_hosts,
            target=target,
            target_url_header=target_url_header,
            content_type=content_type,
            body_limit=body_limit,
            timeout=timeout,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            total_timeout=total_timeout,
            forward_headers=forward_headers,
            expose_headers=expose_headers,
            response_headers=response_headers,
            pass_headers=pass_headers,
            authorize=authorize,
            methods=methods,
            allowed_schemes=allowed_schemes,
            allowed_ports=allowed_ports,
            errors=errors,
            redact_bodies=redact_bodies,
            max_in_flight=max_in_flight,
            rate_limit=rate_limit,
            count_tokens=count_tokens,
            location_ttl=location_ttl,
            follow_redirects=follow_redirects,
            allow_networks=allow_networks,
        )
    )
    return ExternalProxy(route, logger=logger, upstream=upstream)
