"""Absolute deadlines of many connections, checked by one timer on the monotonic clock.

A ``callLater`` and its cancellation for each phase of each request costs more than the phase's own
bookkeeping. A watched object carries a plain ``deadline`` attribute instead, which moves from phase
to phase, and one timer looks at all of them ten times a second. A deadline is thus met late by up
to one tick and never early.

Twisted's own clock is the wall clock, which an operator or NTP may set: an hour forward would cut
every stream that is in flight, an hour back would put every timeout off by an hour.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python import runtime

#: Seconds between two looks.
TICK = 0.1
NEVER = float("inf")


def make_monotonic(reactor: Any) -> None:
    """Let *reactor* measure time on the monotonic clock, its delayed calls included.

    The clock goes on from the wall clock's present value, so that pending delayed calls keep their
    time. A test's ``task.Clock`` stays as it is, and so does a reactor whose clock has been
    replaced before. While a machine is suspended, Linux's CLOCK_MONOTONIC stands still, so that
    waking up cuts no stream either.
    """
    if isinstance(reactor, ReactorBase) and reactor.seconds is runtime.seconds:
        monotonic = time.monotonic
        ahead = reactor.seconds() - monotonic()
        reactor.seconds = lambda: monotonic() + ahead


class Watched(Protocol):
    """An object with a deadline.

    :ivar deadline: seconds as the ticker's ``now()`` counts them, or :data:`NEVER`.
    """

    deadline: float

    def deadline_passed(self) -> None:
        """The deadline lies in the past. Called at every tick until it is moved or unwatched."""


class Ticker:
    """Looks at every watched object once a tick, and stands still while there is none.

    :param clock: the clock on which deadlines are points; a reactor is made monotonic.
    :ivar now: a callable that gives the clock's seconds.
    """

    def __init__(self, clock: IReactorTime) -> None:
        make_monotonic(clock)
        self._clock = clock
        # Deadlines are this ticker's own, so they need no clock that goes on from the wall clock.
        self.now = time.monotonic if isinstance(clock, ReactorBase) else clock.seconds
        self._watched: set[Watched] = set()
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, watched: Watched) -> None:
        """Look at *watched* from the next tick on."""
        self._watched.add(watched)
        if self._call is None:
            self._call = self._clock.callLater(TICK, self._look)

    def unwatch(self, watched: Watched) -> None:
        """Look at *watched* no more, if it was watched at all."""
        self._watched.discard(watched)

    def stop(self) -> None:
        """Forget every watched object, and leave no delayed call behind."""
        self._watched.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        now = self.now()
        late = [watched for watched in self._watched if watched.deadline <= now]
        for watched in late:
            # A call before this one may have closed it.
            if watched in self._watched:
                watched.deadline_passed()
        if self._watched and self._call is None:
            self._call = self._clock.callLater(TICK, self._look)
