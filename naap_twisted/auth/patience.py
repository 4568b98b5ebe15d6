"""A deadline for a plugin's callables and authenticators.

A request that waits holds a connection and an in-flight place: a callable that never answers would
take all of them, one request after another.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import Unavailable


class Patience:
    """Waits for a callable's outcome until a deadline.

    :param clock: has the timers.
    :param seconds: from the call to the deadline.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds

    async def settle(self, value: Any, what: str) -> Any:
        """The outcome of *value*: a plain value, a coroutine or a Deferred.

        :param what: names the callable in the log.
        :raises Unavailable: the outcome is late. The call is cancelled then, and a later outcome
            decides nothing.
        """
        if not isawaitable(value):
            return value
        pending = Deferred.fromCoroutine(_outcome(value))
        if pending.called:  # the outcome is here, so a timer would be work for nothing
            return await pending
        return await self._in_time(pending, what)

    def _in_time(self, pending: Deferred[Any], what: str) -> Deferred[Any]:
        """Fire as *pending* does, or at the deadline even where *pending* ignores its cancel."""

        def late(outcome: Any, seconds: float) -> None:
            self._ignore(outcome, what)
            raise Unavailable(reason=f"{what} did not answer within {seconds:g} s")

        def settled(outcome: Any) -> None:
            if in_time.called:
                self._ignore(outcome, what)
            else:
                in_time.callback(outcome)  # a Failure goes to the errbacks

        in_time: Deferred[Any] = Deferred(lambda _: pending.cancel())
        pending.addBoth(settled)
        return in_time.addTimeout(self.seconds, self._clock, late)

    def _ignore(self, outcome: Any, what: str) -> None:
        if isinstance(outcome, Failure) and not outcome.check(CancelledError):
            self._log.failure("{what} failed when nobody waited any more", outcome, what=what)


async def _outcome(value: Any) -> Any:
    while isawaitable(value):
        value = await value
    return value
