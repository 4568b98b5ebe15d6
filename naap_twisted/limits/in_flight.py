"""Bounds the exchanges that run at the same time, with a short queue for those behind them."""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen
from twisted.internet.defer import Deferred

from ..errors import Unavailable


@frozen
class InFlightLimit:
    """A bound on exchanges in flight.

    :ivar running: how many run at the same time.
    :ivar queued: how many wait behind them; a further one is answered 503.
    """

    running: int
    queued: int = 0


class InFlight:
    """Counts the exchanges in flight under one limit."""

    def __init__(self, limit: InFlightLimit) -> None:
        self._limit = limit
        self.running = 0
        # A dict keeps the order, and lets a browser that leaves drop out of the middle.
        self._queue: OrderedDict[int, Deferred[None]] = OrderedDict()

    @property
    def full(self) -> bool:
        """Whether the next exchange would have to wait."""
        return self.running >= self._limit.running

    def enter(self) -> Deferred[None] | None:
        """Take a place: ``None`` when one is free, else a Deferred that fires with its turn.

        Cancelling the Deferred leaves the queue. An exchange with a place calls :meth:`leave` once.

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
        """Give the place to the first in the queue, or back."""
        if self._queue:
            self._queue.popitem(last=False)[1].callback(None)
        else:
            self.running -= 1


class InFlightByKey:
    """An :class:`InFlight` for each key (a user), which lives while an exchange of the key runs."""

    def __init__(self, limit: InFlightLimit) -> None:
        self._limit = limit
        self._by_key: dict[str, InFlight] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def full(self, key: str) -> bool:
        """Whether the next exchange of *key* would have to wait."""
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
