"""Absolute deadlines at the price of one coarse tick.

A ``callLater`` and its cancellation for each phase of each request costs more than the phase's own
bookkeeping. Here a watched object carries a plain ``deadline`` attribute that moves as it goes from
phase to phase, and one timer looks at all of them a few times a second. A deadline is thus met late
by up to one tick and never early.

The clock is monotonic. Twisted's own is the wall clock, which somebody may set: an hour forward
would cut every stream that is in flight, an hour back would put every timeout off by an hour.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python import runtime

TICK = 0.1
NEVER = float("inf")


def make_monotonic(reactor: Any) -> None:
    """Let *reactor* measure time on the monotonic clock, its delayed calls included.

    The clock goes on from the wall clock's value of this moment, so that delayed calls which are
    pending keep their time. A test's ``task.Clock`` stays as it is, and so does a reactor whose
    clock somebody has replaced already. While a machine is suspended the clock stands still
    (CLOCK_MONOTONIC of Linux), so that waking up cuts nothing either.
    """
    if isinstance(reactor, ReactorBase) and reactor.seconds is runtime.seconds:
        monotonic = time.monotonic
        ahead = reactor.seconds() - monotonic()
        reactor.seconds = lambda: monotonic() + ahead


class Watched(Protocol):
    """Something with a deadline.

    :ivar deadline: a point on the clock, in its seconds, or :data:`NEVER`.
    """

    deadline: float

    def deadline_passed(self) -> None:
        """Called once a tick for as long as the deadline lies in the past."""


class Ticker:
    """Looks at every watched object once a tick; stands still while there is none.

    :param clock: its ``seconds()`` is the time that deadlines are written in; a reactor is made
        monotonic.
    :ivar now: the clock's seconds.
    """

    def __init__(self, clock: IReactorTime, tick: float = TICK) -> None:
        make_monotonic(clock)
        self._clock = clock
        # Deadlines are this ticker's own: they need no clock that goes on from the wall clock.
        self.now = time.monotonic if isinstance(clock, ReactorBase) else clock.seconds
        self._tick = tick
        self._watched: set[Watched] = set()
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, thing: Watched) -> None:
        """Begin to look at *thing*."""
        self._watched.add(thing)
        if self._call is None:
            self._call = self._clock.callLater(self._tick, self._look)

    def unwatch(self, thing: Watched) -> None:
        """Stop looking; no-op for a stranger."""
        self._watched.discard(thing)

    def stop(self) -> None:
        """Forget everything and leave no delayed call behind."""
        self._watched.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        now = self.now()
        late = [thing for thing in self._watched if thing.deadline <= now]
        for thing in late:
            if thing in self._watched:
                thing.deadline_passed()
        if self._watched and self._call is None:
            self._call = self._clock.callLater(self._tick, self._look)
