"""Counted places: bounded for each route, for each caller, and in all."""

from __future__ import annotations

from collections import Counter

from attrs import frozen


@frozen
class Share:
    """The route and the caller for which a place is counted.

    :ivar route: the realm of its egress policy; 0 for no route.
    :ivar caller: a user or an address, as rate limits count them; ``""`` for the server itself.
    """

    route: int = 0
    caller: str = ""


@frozen
class PlaceLimits:
    """How many places there are; a route or caller at its bound leaves places to the others.

    :ivar total: in all, without those of *reserve*.
    :ivar reserve: the places of each route that no other route can take.
    :ivar route: the most that one route may hold.
    :ivar caller: the most that one caller may hold.
    :ivar both: the most that one caller may hold on one route.
    """

    total: int
    reserve: int
    route: int
    caller: int
    both: int


class Places:
    """Counts the places that are held, each until it is left."""

    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._total = 0
        self._held: Counter[int | str | Share] = Counter()

    def __len__(self) -> int:
        return self._total

    def full(self, share: Share) -> bool:
        """Whether there is no place left for *share*."""
        limits, held = self._limits, self._held
        of_route = held[share.route]
        return (
            of_route >= limits.route
            or held[share.caller] >= limits.caller
            or held[share] >= limits.both
            or (self._total >= limits.total and of_route >= limits.reserve)
        )

    def take(self, share: Share) -> None:
        """Hold one more place."""
        self._total += 1
        self._held.update((share.route, share.caller, share))

    def leave(self, share: Share) -> None:
        """Hold one place less."""
        self._total -= 1
        for key in (share.route, share.caller, share):
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
