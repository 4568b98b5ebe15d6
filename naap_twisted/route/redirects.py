"""Following an upstream's redirects, where a route says so: each hop is vetted as the first.

GET and HEAD follow them all; a request with another method only 307 and 308, which repeat it as it
was (RFC 9110 sections 15.4.2 to 15.4.9): after a 303 it would be another request than the page's.

A redirect's URL is the upstream's word, not the route's. So a secret goes to the origin of the
first target and to no other, and does not come back once the chain has left it.
"""

from __future__ import annotations

from time import monotonic

from attrs import evolve
from twisted.web.iweb import IResponse

from ..errors import ProxyError, UpstreamTimeout
from ..headers import HeaderPatterns
from ..interfaces import IUpstream
from ..model import HeaderPairs, OutboundRequest, Target, VettedTarget
from ..policy.egress import EgressPolicy
from ..policy.target import PinnedBase, parse_target
from ..secret import Secret
from .passage import discard
from .response_headers import absolute_location
from .scrub import Guard

MOST_HOPS = 3

_REPEATING = (307, 308)
_READING = (301, 302, 303, *_REPEATING)
#: What any server may be told: which form of the answer is wanted, what the body is, the request's
#: place in a trace. Anything else was for the first origin: a Cookie or an Authorization that the
#: route passes, a key of the page's own, a header that chooses an account.
_FOR_ANYBODY = HeaderPatterns(
    (
        *("Accept", "Accept-*", "If-*", "Range", "ETag", "Last-Event-ID", "Prefer"),
        *("Content-*", "Digest", "Idempotency-Key"),
        *("User-Agent", "X-Request-ID", "Traceparent", "Tracestate"),
    )
)


async def send_and_follow(
    upstream: IUpstream,
    outbound: OutboundRequest,
    egress: EgressPolicy,
    pinned: PinnedBase | None = None,
) -> tuple[IResponse, Target]:
    """The last answer, and whose it is.

    A redirect that is not followed is the last answer: one to a target that the route does not
    allow, one after :data:`MOST_HOPS`, one whose request had a streamed body, which is gone, one
    that would carry a secret to another origin in its URL or body.

    :param pinned: the route's fixed base; a redirect does not lead out of it either.
    :raises UpstreamTimeout: the exchange's total time went on redirects.
    """
    started, total = monotonic(), outbound.timeouts.total
    first = outbound
    for _ in range(MOST_HOPS):
        response: IResponse = await upstream.send(outbound)
        vetted = _next_hop(response, outbound, egress, pinned)
        following = None if vetted is None else _towards(vetted, outbound, first)
        if following is None:
            return response, outbound.target.target
        discard(response)
        if total is not None:
            left = total - (monotonic() - started)
            if left <= 0:
                raise UpstreamTimeout(reason="total_timeout passed between redirects")
            following = evolve(following, timeouts=evolve(first.timeouts, total=left))
        outbound = following
    return await upstream.send(outbound), outbound.target.target


def _next_hop(
    response: IResponse,
    outbound: OutboundRequest,
    egress: EgressPolicy,
    pinned: PinnedBase | None,
) -> VettedTarget | None:
    reading = outbound.method in (b"GET", b"HEAD") and outbound.body is None
    if response.code not in (_READING if reading else _REPEATING):
        return None
    if not isinstance(outbound.body, bytes | None):
        return None
    values = response.headers.getRawHeaders(b"location") or []
    if len(values) != 1:
        return None
    try:
        target = parse_target(absolute_location(values[0], outbound.target.target))
        return egress.vet(target if pinned is None else pinned.within(target))
    except ProxyError:
        return None


def _towards(
    vetted: VettedTarget, outbound: OutboundRequest, first: OutboundRequest
) -> OutboundRequest | None:
    """The request to the next hop; ``None``: a secret would go where it does not belong."""
    target = vetted.target
    if target.origin == outbound.target.target.origin:
        return evolve(outbound, target=vetted)
    if _holds_secret(target.url.encode("ascii") + b"\n" + _bytes(outbound), first.headers):
        return None
    return evolve(outbound, target=vetted, headers=_for_anybody(outbound.headers))


def _for_anybody(headers: HeaderPairs) -> HeaderPairs:
    # Whatever the server injects is a Secret (rewrite.injected_headers), a version string too.
    return tuple(
        (name, value)
        for name, value in headers
        if not isinstance(value, Secret) and _FOR_ANYBODY.match(name)
    )


def _holds_secret(data: bytes, headers: HeaderPairs) -> bool:
    return Guard(headers).clean(data) != data


def _bytes(outbound: OutboundRequest) -> bytes:
    return outbound.body if isinstance(outbound.body, bytes) else b""
