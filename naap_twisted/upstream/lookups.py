"""Look-ups shared, remembered for their TTL, and bounded in number."""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import Unavailable
from ..interfaces import IResolver
from .resolver import Answer

_LONGEST_TTL = 300.0


@implementer(IResolver)
class SharedLookups:
    """In front of another resolver: one look-up a name at a time, *most* names at a time.

    An answer is kept for its TTL, at most five minutes; one without a TTL is not kept. What is
    kept is the answer, never a verdict on it: every connection judges the addresses anew.

    :param kept: names remembered.
    """

    def __init__(
        self, inner: IResolver, clock: IReactorTime, *, most: int = 100, kept: int = 1024
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._most = most
        self._kept = kept
        self._answers: OrderedDict[str, tuple[float, Answer]] = OrderedDict()
        self._waiting: dict[str, list[Deferred[Answer]]] = {}

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`. Fails with Unavailable over *most*."""
        known = self._answers.get(host)
        if known is not None:
            if known[0] > self._clock.seconds():
                return succeed(known[1])
            del self._answers[host]
        waiting = self._waiting.get(host)
        if waiting is None and len(self._waiting) >= self._most:
            raise Unavailable(reason="too many DNS look-ups in flight")
        waiter: Deferred[Answer] = Deferred(lambda d: self._forget(host, d))
        if waiting is not None:
            waiting.append(waiter)
        else:
            self._waiting[host] = [waiter]
            # What raises at once must not leave the name waiting for ever.
            maybeDeferred(self._inner.resolve, host).addBoth(self._done, host)
        return waiter

    def _forget(self, host: str, waiter: Deferred[Answer]) -> None:
        # The look-up itself goes on: its answer serves whoever asks next.
        waiting = self._waiting.get(host)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)

    def _done(self, outcome: Answer | Failure, host: str) -> None:
        waiters = self._waiting.pop(host)
        if isinstance(outcome, Answer) and outcome.ttl > 0:
            until = self._clock.seconds() + min(outcome.ttl, _LONGEST_TTL)
            self._answers[host] = (until, outcome)
            if len(self._answers) > self._kept:
                self._answers.popitem(last=False)
        for waiter in waiters:
            if isinstance(outcome, Failure):
                waiter.errback(outcome)
            else:
                waiter.callback(outcome)
