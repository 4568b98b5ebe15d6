"""A route's way out, on which an upstream that keeps failing is left alone for a while.

Circuits are of a route and an origin: whoever calls another route can't open them. Only origins
that have failed are remembered.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from ..errors import BadGateway, UpstreamTimeout, UpstreamUnhealthy
from ..interfaces import IUpstream
from ..limits.breaker import Breaker, Pass, State
from ..model import CircuitBreaker, OutboundRequest

# Origins that have failed, of a route whose pages name the URL.
_MOST = 1_000


class Breaking:
    """An upstream behind circuits; see :class:`~naap_twisted.interfaces.IUpstream`.

    :param rule: ``None``: every request goes.
    :param route: the route's path, for the log.
    :ivar opened: how often a circuit has opened.
    """

    def __init__(
        self,
        upstream: IUpstream,
        rule: CircuitBreaker | None,
        clock: IReactorTime,
        route: str,
        log: Logger,
    ) -> None:
        self._upstream = upstream
        self._rule = rule
        self._clock = clock
        self._route = route
        self._log = log
        self._failing: OrderedDict[str, Breaker] = OrderedDict()
        self.opened = 0

    @property
    def open(self) -> int:
        """Circuits that are not closed now."""
        return sum(breaker.state is not State.CLOSED for breaker in self._failing.values())

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """Send *outbound*.

        The Deferred fails with UpstreamUnhealthy where the circuit to its origin is open.
        """
        rule = self._rule
        if rule is None:
            return self._upstream.send(outbound)
        origin = outbound.target.target.origin
        breaker = self._failing.get(origin)
        body = outbound.body
        streamed = body is not None and not isinstance(body, bytes)
        if breaker is None:
            answer = self._upstream.send(outbound)
            return answer.addErrback(self._first_failure, origin, rule, streamed)
        permit = breaker.enter(self._clock.seconds())
        if not isinstance(permit, Pass):
            seconds = max(1, math.ceil(permit))
            reason = f"the circuit to {origin} is {breaker.state.value}"
            return fail(UpstreamUnhealthy(reason=reason, retry_after=seconds))
        about = origin, breaker, permit, streamed
        # A probe that raised without a Deferred would never be over.
        answer = maybeDeferred(self._upstream.send, outbound)
        return answer.addCallbacks(self._answered, self._failed, about, {}, about, {})

    def close(self) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        return self._upstream.close()

    def _answered(
        self, response: IResponse, origin: str, breaker: Breaker, permit: Pass, _: bool
    ) -> IResponse:
        before = breaker.state
        breaker.answered(permit)
        if before is not breaker.state:
            self._log.info(
                "{route}: {origin} answers again, its circuit is closed",
                route=self._route,
                origin=origin,
            )
        if breaker.is_sound and self._failing.get(origin) is breaker:
            del self._failing[origin]
        return response

    def _first_failure(
        self, failure: Failure, origin: str, rule: CircuitBreaker, streamed: bool
    ) -> Failure:
        breaker = self._failing.get(origin)
        if breaker is None and _is_the_upstreams(failure, streamed):
            breaker = self._failing[origin] = Breaker(rule)
            if len(self._failing) > _MOST:
                self._failing.popitem(last=False)
        if breaker is None or breaker.state is not State.CLOSED:
            return failure
        permit = breaker.enter(self._clock.seconds())
        assert isinstance(permit, Pass)  # A closed circuit lets every request go.
        return self._failed(failure, origin, breaker, permit, streamed)

    def _failed(
        self, failure: Failure, origin: str, breaker: Breaker, permit: Pass, streamed: bool
    ) -> Failure:
        if not _is_the_upstreams(failure, streamed):
            breaker.left(permit)
            return failure
        before = breaker.state
        breaker.failed(permit, self._clock.seconds())
        if before is not breaker.state:
            self.opened += 1
            self._log.warn(
                "{route}: {origin} does not answer ({reason}); its circuit is open",
                route=self._route,
                origin=origin,
                reason=getattr(failure.value, "for_log", ""),
            )
        return failure


def _is_the_upstreams(failure: Failure, streamed: bool) -> bool:
    """Whether *failure* tells of an upstream that is down: not reached, broken off, or too late.

    That a caller left does not, nor that an address may not be reached or this server is full.

    :param streamed: the body comes from the caller, who may have let the upstream wait for it: what
        became of such a request once it was on its way is no word about the upstream.
    """
    if failure.check(BadGateway, UpstreamTimeout) is None:
        return False
    return not (streamed and getattr(failure.value, "was_sent", True))
