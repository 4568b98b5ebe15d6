"""What this process remembers of page tokens: those that are revoked, and the uses of others.

Every table is bounded, and none forgets to make room: a token that was revoked would come back. So
a full table refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from ..errors import Unavailable
from ..model import PageGrant

#: Entries of one table.
MOST = 100_000
K = TypeVar("K")
V = TypeVar("V")


@frozen
class Clocks:
    """Both clocks, in seconds: a token ends by the wall clock, which may be set.

    :ivar wall: since 1970.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@frozen
class Revocation:
    """Tokens that count no more.

    :ivar id: of one token; ``""``: all of the user's.
    :ivar sub: of this user only; ``""``: whosever it is, as an issuer may say.
    :ivar at: milliseconds since 1970; a user's tokens that are minted later count again.
    """

    id: str
    sub: str
    at: int

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.id, self.sub


class _Lasting(Generic[K, V]):
    """A bounded table whose entries are kept as long as a token may live, by both clocks.

    Neither a wall clock that is set forward nor one that is set back ends an entry early.
    """

    def __init__(self, clocks: Clocks, lasting: float, most: int) -> None:
        self._clocks = clocks
        self._lasting = lasting
        self._most = most
        self._entries: dict[K, tuple[V, float, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def last(self, seconds: float) -> None:
        """Keep entries for *seconds* at least: never less, so that they end in their order."""
        self._lasting = max(self._lasting, seconds)

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V) -> None:
        """Keep *value* from now on.

        :raises Unavailable: there is no room for it.
        """
        monotonic, wall = self._clocks.monotonic(), self._clocks.wall()
        self._entries.pop(key, None)
        self._forget(monotonic, wall)
        if len(self._entries) >= self._most:
            raise Unavailable(reason="too many page tokens are remembered")
        # Entries stand in the order in which the monotonic clock ends them.
        self._entries[key] = (value, monotonic + self._lasting, wall + self._lasting)

    def _forget(self, monotonic: float, wall: float) -> None:
        while self._entries:
            key = next(iter(self._entries))
            _, until, until_wall = self._entries[key]
            if until > monotonic or until_wall > wall:
                return
            del self._entries[key]


class Revocations:
    """The revocations that this process knows.

    :param lasting: seconds that one is kept: as long as a token may live.
    """

    def __init__(self, clocks: Clocks, lasting: float, most: int = MOST) -> None:
        self._known: _Lasting[tuple[str, str], int] = _Lasting(clocks, lasting, most)

    def __len__(self) -> int:
        return len(self._known)

    def last(self, seconds: float) -> None:
        """Remember for *seconds* at least, from now on."""
        self._known.last(seconds)

    def add(self, revocation: Revocation) -> None:
        """Remember *revocation*.

        :raises Unavailable: there is no room for it.
        """
        before = self._known.get(revocation.key)
        self._known.put(revocation.key, max(before or 0, revocation.at))

    def hold(self, sub: str, grant: PageGrant) -> bool:
        """Whether the token of *sub* with *grant* is revoked."""
        known = self._known
        if not known:
            return False
        every = known.get(("", sub))
        return (
            (every is not None and grant.issued_at <= every)
            or known.get((grant.id, "")) is not None
            or known.get((grant.id, sub)) is not None
        )


class Uses:
    """How often this process has seen each token that is good for so many requests."""

    def __init__(self, clocks: Clocks, lasting: float, most: int = MOST) -> None:
        self._counts: _Lasting[str, int] = _Lasting(clocks, lasting, most)

    def last(self, seconds: float) -> None:
        """Remember for *seconds* at least, from now on."""
        self._counts.last(seconds)

    def count(self, grant: PageGrant) -> bool:
        """Count one use; whether there was one left.

        :raises Unavailable: there is no room to count it.
        """
        used = self._counts.get(grant.id) or 0
        if used >= grant.uses:
            return False
        self._counts.put(grant.id, used + 1)
        return True
