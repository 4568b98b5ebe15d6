"""Keeps room for every route: one whose upstream stalls can't hold all connections. Pure.

An exchange holds its caller's connection, and so does one that waits in a queue. Both count here.
A sixteenth of the places is kept for routes that have few exchanges now, in equal parts; another is
left for connections that are in no exchange. A route that is alone has no others to leave room for.
"""

from __future__ import annotations

_PART = 16


class Share:
    """One route's.

    :ivar inside: its exchanges that are in flight, or wait to be.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.inside = 0

    @property
    def has_room(self) -> bool:
        """Whether one more exchange of the route leaves the others' room to them."""
        return self._house.has_room(self)

    def enter(self) -> None:
        """Count one more."""
        self._house.count(self, 1)

    def leave(self) -> None:
        """Count one less."""
        self._house.count(self, -1)


class House:
    """All routes of one server.

    :param places: connections that may be open.
    :ivar reserve: places that every route has, whatever the others do.
    """

    def __init__(self, places: int) -> None:
        self._kept = places // _PART
        self._most = places - self._kept
        self._shares: list[Share] = []
        self._inside = 0
        self._unused = 0
        self.reserve = 0

    def add(self) -> Share:
        """The share of one more route."""
        share = Share(self)
        self._shares.append(share)
        self._divide()
        return share

    def remove(self, share: Share) -> None:
        """Keep no room any more for a route that is gone, and has no exchange in flight."""
        self._shares.remove(share)
        self._divide()

    def _divide(self) -> None:
        self.reserve = max(1, self._kept // max(1, len(self._shares)))
        self._unused = sum(self._of_reserve(each) for each in self._shares)

    def has_room(self, share: Share) -> bool:
        """See :attr:`Share.has_room`."""
        if len(self._shares) == 1 or share.inside < self.reserve:
            return True
        return self._inside + self._unused < self._most

    def count(self, share: Share, more: int) -> None:
        """See :meth:`Share.enter` and :meth:`Share.leave`."""
        self._unused -= self._of_reserve(share)
        share.inside += more
        self._inside += more
        self._unused += self._of_reserve(share)

    def _of_reserve(self, share: Share) -> int:
        """How much of its reserve the route does not use now."""
        return max(0, self.reserve - share.inside)
