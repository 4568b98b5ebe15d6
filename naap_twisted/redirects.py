"""Following an upstream's 307 and 308, where a route says so: each hop is vetted as the first."""

from __future__ import annotations

from time import monotonic

from attrs import evolve
from twisted.internet.protocol import Protocol
from twisted.web.iweb import IResponse

from .egress import EgressPolicy
from .errors import ProxyError, UpstreamTimeout
from .interfaces import IUpstream
from .model import OutboundRequest, Target, VettedTarget
from .rewrite import absolute_location
from .target import PinnedBase, parse_target

MOST_HOPS = 3


async def send_and_follow(
    upstream: IUpstream,
    outbound: OutboundRequest,
    egress: EgressPolicy,
    pinned: PinnedBase | None = None,
) -> tuple[IResponse, Target]:
    """The last answer, and whose it is.

    A redirect that is not followed is the last answer: one to a target that the route does not
    allow, one after :data:`MOST_HOPS`, one whose request had a streamed body, which is gone. Only
    307 and 308 are followed: they repeat the request as it was (RFC 9110 sections 15.4.8, 15.4.9).

    :param pinned: the route's fixed base; a redirect does not lead out of it either.
    :raises UpstreamTimeout: the exchange's total time went on redirects.
    """
    started, total = monotonic(), outbound.timeouts.total
    for _ in range(MOST_HOPS):
        response: IResponse = await upstream.send(outbound)
        vetted = _next_hop(response, outbound, egress, pinned)
        if vetted is None:
            return response, outbound.target.target
        _drop(response)
        timeouts = outbound.timeouts
        if total is not None:
            left = total - (monotonic() - started)
            if left <= 0:
                raise UpstreamTimeout(reason="total_timeout passed between redirects")
            timeouts = evolve(timeouts, total=left)
        outbound = evolve(outbound, target=vetted, timeouts=timeouts)
    return await upstream.send(outbound), outbound.target.target


def _next_hop(
    response: IResponse,
    outbound: OutboundRequest,
    egress: EgressPolicy,
    pinned: PinnedBase | None,
) -> VettedTarget | None:
    if response.code not in (307, 308) or not isinstance(outbound.body, bytes | None):
        return None
    values = response.headers.getRawHeaders(b"location") or []
    if len(values) != 1:
        return None
    try:
        target = parse_target(absolute_location(values[0], outbound.target.target))
        return egress.vet(target if pinned is None else pinned.within(target))
    except ProxyError:
        return None


def _drop(response: IResponse) -> None:
    """A redirect's body is not waited for; one that is here already leaves its connection whole."""
    nobody = Protocol()
    response.deliverBody(nobody)
    nobody.transport.loseConnection()  # type: ignore[union-attr]
