"""Bytes of request bodies that are held whole: one bound for all of them, one for each caller.

The number of connections times the size of a body is more memory than any machine has. What is
counted is what is here, not what a head announces: an announcement costs its sender nothing, and
must not take the room of those who send.
"""

from __future__ import annotations

from ..errors import Unavailable


class HeldBytes:
    """The account of one server.

    A body that is alone, on the server or of its caller, always has room: how large one may be is
    its route's to say.

    :param most: bytes at once.
    :param most_per_key: bytes at once of one caller.
    :ivar total: bytes held now.
    :ivar refused: bodies that found no room.
    """

    def __init__(self, most: int, most_per_key: int) -> None:
        self._most = most
        self._most_per_key = most_per_key
        self.total = 0
        self.refused = 0
        self._by_key: dict[str, int] = {}

    def __len__(self) -> int:
        """How many callers hold something."""
        return len(self._by_key)

    def of(self, key: str) -> int:
        """Bytes that *key* holds."""
        return self._by_key.get(key, 0)

    def open(self, key: str) -> Hold:
        """One body's part of the account, empty yet."""
        return Hold(self, key)

    def check(self, key: str, size: int, own: int) -> None:
        """Whether *size* bytes more have room, for a body that holds *own* already.

        :raises Unavailable: they have none.
        """
        total, held = self.total, self._by_key.get(key, 0)
        if held + size > self._most_per_key and held > own:
            self._refuse(f"one caller's bodies hold {held} bytes")
        if total + size > self._most and total > own:
            self._refuse(f"bodies hold {total} bytes")

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        raise Unavailable(reason=reason)

    def add(self, key: str, size: int) -> None:
        """Count *size* bytes more, or less, of *key*."""
        self.total += size
        held = self._by_key.get(key, 0) + size
        if held:
            self._by_key[key] = held
        else:
            self._by_key.pop(key, None)


class Hold:
    """What one body holds.

    :ivar size: bytes.
    """

    __slots__ = ("_key", "_ledger", "size")

    def __init__(self, ledger: HeldBytes, key: str) -> None:
        self._ledger = ledger
        self._key = key
        self.size = 0

    def check(self, size: int) -> None:
        """Ask whether *size* bytes more would have room now; takes none.

        :raises Unavailable: they would not.
        """
        self._ledger.check(self._key, size, self.size)

    def take(self, size: int) -> None:
        """Hold *size* bytes more.

        :raises Unavailable: there is no room; what is held already stays so.
        """
        self._ledger.check(self._key, size, self.size)
        self._ledger.add(self._key, size)
        self.size += size

    def release(self) -> None:
        """Give everything back; a second call has nothing to give."""
        size, self.size = self.size, 0
        if size:
            self._ledger.add(self._key, -size)
