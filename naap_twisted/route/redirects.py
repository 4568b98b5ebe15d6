"""Follows an upstream's redirects where a route says so, and vets each hop as it did the first.

GET and HEAD follow every redirect; another method follows 307 and 308 only, which repeat the
request (RFC 9110 sections 15.4.2 to 15.4.9): a 303 would make it another than the page's.

The upstream writes a redirect's URL and not the route. So a secret goes to the origin of the first
target and to no other, and never comes back once the chain of redirects has left that origin.
"""

from __future__ import annotations

from time import monotonic

from attrs import evolve, frozen
from twisted.web.iweb import IResponse

from ..errors import ProxyError, UpstreamTimeout
from ..headers import HeaderPatterns
from ..interfaces import IUpstream
from ..model import OutboundRequest, Target, VettedTarget
from ..policy.egress import EgressPolicy
from ..policy.target import PinnedBase, parse_target
from ..secret import Secret
from ..upstream.beginning import discard
from .opening import Opening
from .response_headers import absolute_location
from .scrub import Guard
from .sealing import Sealing
from .signing import SignedExchange

MOST_HOPS = 3

_REPEATING = (307, 308)
_READING = (301, 302, 303, *_REPEATING)
#: Headers that another origin may get: the wanted form of the answer, the description of the body,
#: the place in a trace. All others were for the first origin: a Cookie or an Authorization that the
#: route passes, the page's own key, a header that chooses an account.
_PUBLIC_HEADERS = HeaderPatterns(
    (
        *("Accept", "Accept-*", "If-*", "Range", "ETag", "Last-Event-ID", "Prefer"),
        *("Content-*", "Digest", "Idempotency-Key"),
        *("User-Agent", "X-Request-ID", "Traceparent", "Tracestate"),
    )
)


@frozen
class Hops:
    """Where redirects of a route may lead.

    :ivar egress: the route's policy.
    :ivar pinned: the route's fixed base, which a redirect on its origin may not leave.
    :ivar beyond: the policy for a redirect from the base to another origin; ``None``: none may.
    :ivar opening: what the route opens of the hosts that *egress* allows; ``None``: everything.
    """

    egress: EgressPolicy
    pinned: PinnedBase | None = None
    beyond: EgressPolicy | None = None
    opening: Opening | None = None

    def read(self, location: bytes) -> tuple[Target, EgressPolicy]:
        """The target that *location*, a whole URL, names, and the policy that judges it.

        :raises InvalidTarget: it is no URL, or leaves the base on the base's origin.
        """
        if self.pinned is None:
            return parse_target(location), self.egress
        target = parse_target(location, underscores=True)  # as a pinned base's name may have
        if self.beyond is not None and target.origin != self.pinned.base.origin:
            return target, self.beyond
        return self.pinned.within(target), self.egress


@frozen
class Trail:
    """The redirects of one exchange.

    :ivar guard: finds the keys of the first request, which no URL and no body takes elsewhere.
    :ivar sealing: puts the route's keys into targets of the first origin.
    :ivar signed: the upstream where it signs, and knows of secrets that no request shows.
    """

    hops: Hops
    guard: Guard
    sealing: Sealing | None = None
    signed: SignedExchange | None = None

    def next_hop(self, value: bytes, here: Target, method: bytes) -> VettedTarget:
        """The target of a Location that the upstream at *here* sent.

        :raises ProxyError: the route does not allow it.
        """
        opened = here if self.sealing is None else self.sealing.opened(here)
        target, policy = self.hops.read(absolute_location(value, opened))
        if self.sealing is not None and target.origin == here.origin:
            target = self.sealing.cleaned(target)
        vetted, opening = policy.vet(target), self.hops.opening
        if opening is not None and policy is self.hops.egress:
            opening.check(method, target)
        return vetted


async def send_and_follow(
    upstream: IUpstream, outbound: OutboundRequest, trail: Trail
) -> tuple[IResponse, Target]:
    """The last response of the chain, and the target that gave it.

    A redirect is not followed, and so is the last response, if the route does not allow its target,
    if it comes after :data:`MOST_HOPS`, if the request's body was streamed, which can't be sent
    again, or if it would carry a secret to another origin in its URL or body.

    :raises UpstreamTimeout: the redirects took the exchange's total time.
    """
    started, total = monotonic(), outbound.timeouts.total
    first = outbound
    for _ in range(MOST_HOPS):
        response: IResponse = await upstream.send(outbound)
        vetted = _next_hop(response, outbound, trail)
        hop = None if vetted is None else _request_to(vetted, outbound, trail)
        if hop is None:
            return response, outbound.target.target
        discard(response)
        if total is not None:
            left = total - (monotonic() - started)
            if left <= 0:
                raise UpstreamTimeout(reason="total_timeout passed between redirects")
            hop = evolve(hop, timeouts=evolve(first.timeouts, total=left))
        outbound = hop
    return await upstream.send(outbound), outbound.target.target


def _next_hop(response: IResponse, outbound: OutboundRequest, trail: Trail) -> VettedTarget | None:
    reading = outbound.method in (b"GET", b"HEAD") and outbound.body is None
    if response.code not in (_READING if reading else _REPEATING):
        return None
    values = response.headers.getRawHeaders(b"location") or []
    if len(values) != 1 or not isinstance(outbound.body, bytes | None):
        return None
    # A fragment is for whoever shows the answer; no request has one (RFC 9110 section 10.2.2).
    location = values[0].partition(b"#")[0]
    try:
        return trail.next_hop(location, outbound.target.target, outbound.method)
    except ProxyError:
        return None


def _request_to(
    vetted: VettedTarget, outbound: OutboundRequest, trail: Trail
) -> OutboundRequest | None:
    """The request of the next hop, or ``None`` where it would take a secret to another origin."""
    target = vetted.target
    if target.origin == outbound.target.target.origin:
        # Once the chain has left the first origin there is no key in the target any more.
        keyed = outbound.request_target is not None
        sealed = trail.sealing.seal(target) if keyed and trail.sealing is not None else None
        return evolve(outbound, target=vetted, request_target=sealed)
    body = outbound.body if isinstance(outbound.body, bytes) else b""
    guard = trail.guard if trail.signed is None else trail.signed.guard
    if guard.holds(target.url.encode("ascii") + b"\n" + body):
        return None
    # Every injected value is a Secret (request_headers.injected_headers), a version string, too.
    headers = tuple(
        (name, value)
        for name, value in outbound.headers
        if not isinstance(value, Secret) and _PUBLIC_HEADERS.match(name)
    )
    return evolve(outbound, target=vetted, headers=headers, certificate=None, request_target=None)
