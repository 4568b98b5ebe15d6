"""An exchange's places under each in-flight limit that it falls under: server, route and user."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import field, frozen
from twisted.internet.defer import Deferred

from ..errors import Unavailable
from ..model import User
from .house import House, Share
from .in_flight import InFlight, InFlightByKey, InFlightLimit

#: Functions of which each gives back one place that the exchange holds.
Places = list[Callable[[], None]]


@frozen
class CapacityLimits:
    """The server's bounds on exchanges in flight.

    :ivar total: of all routes together.
    :ivar route: of one route.
    :ivar user: of one authenticated user.
    """

    total: InFlightLimit = field(factory=lambda: InFlightLimit(20_000, 1_000))
    route: InFlightLimit = field(factory=lambda: InFlightLimit(20_000, 1_000))
    user: InFlightLimit = field(factory=lambda: InFlightLimit(1_000, 100))


class Capacity:
    """The counters of one route: its own, and those that all routes of the server share."""

    def __init__(
        self, total: InFlight, users: InFlightByKey, route: InFlightLimit, house: House | None
    ) -> None:
        self._total = total
        self._users = users
        self._route = InFlight(route)
        self._house = house
        self._share: Share | None = None

    @classmethod
    def of(cls, limits: CapacityLimits, connections: int | None = None) -> Capacity:
        """Fresh counters, for one server's first route.

        :param connections: that may be open, of which every sibling leaves the others some.
        """
        house = None if connections is None else House(connections)
        return cls(InFlight(limits.total), InFlightByKey(limits.user), limits.route, house)

    @property
    def in_flight(self) -> int:
        """Exchanges in flight on all routes of the server."""
        return self._total.running

    def sibling(self, route: InFlightLimit) -> Capacity:
        """The counters of another route of the same server."""
        return Capacity(self._total, self._users, route, self._house)

    def move_in(self) -> None:
        """Let the other routes leave room to this one, from now on."""
        if self._house is not None:
            self._share = self._house.add()

    def move_out(self) -> None:
        """Need no more room: the route is gone, and none of its exchanges is in flight."""
        if self._house is not None and self._share is not None:
            self._house.remove(self._share)
            self._share = None

    def take(self, user: User | None) -> Places | None:
        """Take a place under every limit if each has a free one; else take none: ``None``."""
        route, total = self._route, self._total
        if route.full or total.full or (user is not None and self._users.full(user.id)):
            return None
        share = self._share
        if share is not None and not share.has_room:
            return None
        route.enter()
        total.enter()
        places: Places = [route.leave, total.leave]
        if share is not None:
            share.enter()
            places.append(share.leave)
        if user is not None:
            self._users.enter(user.id)
            places.append(partial(self._users.leave, user.id))
        return places

    async def enter(self, user: User | None) -> Places:
        """Take a place under every limit, the narrowest first, and wait in queues for it.

        :raises Unavailable: one of the queues is full, or the other routes need what room there
            is; no place is held then.
        """
        held: Places = []
        share = self._share
        if share is not None:
            if not share.has_room:
                raise Unavailable(
                    reason=f"{share.inside} exchanges of this route; the others need the room"
                )
            share.enter()
            held.append(share.leave)
        try:
            if user is not None:
                await _turn(self._users.enter(user.id))
                held.append(partial(self._users.leave, user.id))
            for counter in (self._route, self._total):
                await _turn(counter.enter())
                held.append(counter.leave)
        except BaseException:
            leave(held)
            raise
        return held


def leave(places: Places) -> None:
    """Give every place back."""
    while places:
        places.pop()()


async def _turn(waiting: Deferred[None] | None) -> None:
    if waiting is not None:
        await waiting
