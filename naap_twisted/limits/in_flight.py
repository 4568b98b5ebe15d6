"""How many exchanges may run at once, with a short, bounded queue behind."""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen
from twisted.internet.defer import Deferred

from ..errors import Unavailable


@frozen
class InFlightLimit:
    """A bound on exchanges in progress.

    :ivar running: at once.
    :ivar queued: waiting behind them; one more is answered 503.
    """

    running: int
    queued: int = 0


class InFlight:
    """Counts exchanges in progress under one limit."""

    def __init__(self, limit: InFlightLimit) -> None:
        self._limit = limit
        self.running = 0
        # Ordered, and removable from the middle when a browser leaves the queue.
        self._queue: OrderedDict[int, Deferred[None]] = OrderedDict()

    @property
    def full(self) -> bool:
        """Whether the next one would have to wait."""
        return self.running >= self._limit.running

    def enter(self) -> Deferred[None] | None:
        """Take a place: ``None`` when there is one, a Deferred of it when there is a queue.

        Cancelling the Deferred leaves the queue. Whoever got a place calls :meth:`leave` once.

        :raises Unavailable: the queue is full.
        """
        if self.running < self._limit.running:
            self.running += 1
            return None
        if len(self._queue) >= self._limit.queued:
            raise Unavailable(reason=f"{self.running} exchanges in flight and the queue is full")
        turn: Deferred[None] = Deferred(self._quit)
        self._queue[id(turn)] = turn
        return turn

    def _quit(self, turn: Deferred[None]) -> None:
        self._queue.pop(id(turn), None)

    def leave(self) -> None:
        """Give the place back, to the first in the queue."""
        if self._queue:
            self._queue.popitem(last=False)[1].callback(None)
        else:
            self.running -= 1


class InFlightByKey:
    """One :class:`InFlight` a key (a user), kept only while something of it runs."""

    def __init__(self, limit: InFlightLimit) -> None:
        self._limit = limit
        self._by_key: dict[str, InFlight] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def full(self, key: str) -> bool:
        """Whether *key*'s next one would have to wait."""
        counter = self._by_key.get(key)
        return self._limit.running < 1 if counter is None else counter.full

    def enter(self, key: str) -> Deferred[None] | None:
        """See :meth:`InFlight.enter`."""
        counter = self._by_key.get(key)
        if counter is None:
            counter = self._by_key[key] = InFlight(self._limit)
        return counter.enter()

    def leave(self, key: str) -> None:
        """See :meth:`InFlight.leave`."""
        counter = self._by_key[key]
        counter.leave()
        if counter.running == 0:
            del self._by_key[key]
