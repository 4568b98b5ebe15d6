"""Waiting for what an owner's callables and authenticators return, but not for ever.

Whoever waits holds a connection and a place among the exchanges in progress: a callable that never
answers would take them all, one request at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import Unavailable


class Patience:
    """One deadline for each thing that is waited for.

    :param clock: tells when it passes.
    :param seconds: until then.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds

    async def settle(self, value: Any, what: str) -> Any:
        """The outcome of what may be a plain value, a coroutine or a Deferred.

        :param what: for the log: whose outcome it is.
        :raises Unavailable: it is not there in time. It is cancelled then, and whatever comes of
            it later decides nothing.
        """
        if not isawaitable(value):
            return value
        pending = Deferred.fromCoroutine(_outcome(value))
        if pending.called:  # nobody waits, so nobody needs a clock
            return await pending
        return await self._in_time(pending, what)

    def _in_time(self, pending: Deferred[Any], what: str) -> Deferred[Any]:
        """Fires as *pending* does or at the deadline, even where *pending* ignores its cancel."""

        def give_up(_: Deferred[Any]) -> None:
            overdue.cancel()
            pending.cancel()

        def late() -> None:
            reason = f"{what} did not answer within {self.seconds:g} s"
            in_time.errback(Unavailable(reason=reason))
            pending.cancel()

        def settled(outcome: Any) -> None:
            if in_time.called:
                self._ignore(outcome, what)
                return
            if overdue.active():
                overdue.cancel()
            in_time.callback(outcome)  # a Failure goes to the errbacks

        in_time: Deferred[Any] = Deferred(give_up)
        overdue = self._clock.callLater(self.seconds, late)
        pending.addBoth(settled)
        return in_time

    def _ignore(self, outcome: Any, what: str) -> None:
        if isinstance(outcome, Failure) and not outcome.check(CancelledError):
            self._log.failure("{what} failed when nobody waited any more", outcome, what=what)


async def _outcome(value: Any) -> Any:
    while isawaitable(value):
        value = await _awaited(value)
    return value


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
