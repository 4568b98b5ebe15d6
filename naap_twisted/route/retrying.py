"""Sends a request again where that can do no harm, and no more often than an upstream can bear.

It can do none where nothing was sent, where the method is safe (RFC 9110 section 9.2.1), and where
an Idempotency-Key tells the upstream that it is the same request. A body that streams is gone.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.iweb import IResponse

from ..errors import BadGateway, ProxyError, Unavailable, UpstreamTimeout
from ..interfaces import IUpstream
from ..limits.retry_budget import RetryBudget
from ..model import OutboundRequest

_SAFE = frozenset((b"GET", b"HEAD"))
_KEY = b"idempotency-key"
# Seconds before the first retry; each further one waits twice as long.
_FIRST_WAIT = 0.05
# Origins, of a route whose pages name the URL.
_MOST = 1_000


class Retrying:
    """An upstream that is asked again; see :class:`~naap_twisted.interfaces.IUpstream`.

    :param times: of one request, beside the first.
    :ivar retried: how often it was.
    """

    def __init__(self, upstream: IUpstream, times: int, clock: IReactorTime) -> None:
        self._upstream = upstream
        self._times = times
        self._clock = clock
        self._budgets: OrderedDict[str, RetryBudget] = OrderedDict()
        self.retried = 0

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """Send *outbound*, again if need be.

        The Deferred fails with the last failure that is the upstream's own.
        """
        if not self._times:
            return self._upstream.send(outbound)
        return Deferred.fromCoroutine(self._send(outbound))

    def close(self) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        return self._upstream.close()

    async def _send(self, outbound: OutboundRequest) -> IResponse:
        budget = self._budget(outbound.target.target.origin)
        budget.asked()
        began, failure = self._clock.seconds(), None
        for attempt in range(self._times + 1):
            try:
                return await self._upstream.send(self._rest(outbound, began))
            except (BadGateway, UpstreamTimeout) as error:
                failure = _later(failure, error)
            except Unavailable as error:
                # The circuit has opened, or there is no room: what happened before tells more.
                raise failure or error from None
            if attempt == self._times or not _harmless(outbound, failure) or not budget.take():
                break
            await deferLater(self._clock, _FIRST_WAIT * 2**attempt)
            if not self._time_is_left(outbound, began):
                break
            self.retried += 1
        assert failure is not None  # Every way here leads through it.
        raise failure

    def _budget(self, origin: str) -> RetryBudget:
        budget = self._budgets.get(origin)
        if budget is None:
            budget = self._budgets[origin] = RetryBudget()
            if len(self._budgets) > _MOST:
                self._budgets.popitem(last=False)
        return budget

    def _time_is_left(self, outbound: OutboundRequest, began: float) -> bool:
        total = outbound.timeouts.total
        return total is None or self._clock.seconds() - began < total

    def _rest(self, outbound: OutboundRequest, began: float) -> OutboundRequest:
        """*outbound* with what is left of its total time, which all attempts share."""
        spent = self._clock.seconds() - began
        if outbound.timeouts.total is None or not spent:
            return outbound
        left = max(outbound.timeouts.total - spent, 0.001)
        return evolve(outbound, timeouts=evolve(outbound.timeouts, total=left))


def _later(before: ProxyError | None, error: ProxyError) -> ProxyError:
    """The failure to tell: the last one, sent if any was."""
    return error.once_sent() if before is not None and before.was_sent else error


def _harmless(outbound: OutboundRequest, failure: ProxyError) -> bool:
    """Whether *outbound*, which ended in *failure*, may be sent again."""
    if not (outbound.body is None or isinstance(outbound.body, bytes)):
        return False
    if not failure.was_sent or outbound.method in _SAFE:
        return True
    return any(name.lower() == _KEY for name, _ in outbound.headers)
