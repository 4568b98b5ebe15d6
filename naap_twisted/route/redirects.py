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
from .response_headers import absolute_location
from .scrub import Guard

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
    """

    egress: EgressPolicy
    pinned: PinnedBase | None = None
    beyond: EgressPolicy | None = None

    def vet(self, location: bytes) -> VettedTarget:
        """The target that *location*, a whole URL, names, if the route allows it.

        :raises ProxyError: it does not.
        """
        if self.pinned is None:
            return self.egress.vet(parse_target(location))
        target = parse_target(location, underscores=True)  # as a pinned base's name may have
        if self.beyond is not None and target.origin != self.pinned.base.origin:
            return self.beyond.vet(target)
        return self.egress.vet(self.pinned.within(target))


async def send_and_follow(
    upstream: IUpstream, outbound: OutboundRequest, hops: Hops
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
        vetted = _next_hop(response, outbound, hops)
        hop = None if vetted is None else _request_to(vetted, outbound, first)
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


def _next_hop(response: IResponse, outbound: OutboundRequest, hops: Hops) -> VettedTarget | None:
    reading = outbound.method in (b"GET", b"HEAD") and outbound.body is None
    if response.code not in (_READING if reading else _REPEATING):
        return None
    values = response.headers.getRawHeaders(b"location") or []
    if len(values) != 1 or not isinstance(outbound.body, bytes | None):
        return None
    try:
        return hops.vet(absolute_location(values[0], outbound.target.target))
    except ProxyError:
        return None


def _request_to(
    vetted: VettedTarget, outbound: OutboundRequest, first: OutboundRequest
) -> OutboundRequest | None:
    """The request of the next hop, or ``None`` where it would take a secret to another origin."""
    target = vetted.target
    if target.origin == outbound.target.target.origin:
        return evolve(outbound, target=vetted)
    body = outbound.body if isinstance(outbound.body, bytes) else b""
    if Guard(first.headers).holds(target.url.encode("ascii") + b"\n" + body):
        return None
    # Every injected value is a Secret (request_headers.injected_headers), a version string, too.
    headers = tuple(
        (name, value)
        for name, value in outbound.headers
        if not isinstance(value, Secret) and _PUBLIC_HEADERS.match(name)
    )
    return evolve(outbound, target=vetted, headers=headers)
