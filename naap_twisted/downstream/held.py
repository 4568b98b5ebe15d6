"""The account of request bodies in memory: one bound for all of them, and one for each caller.

The number of connections times the size of a body is more memory than any machine has. The account
counts received bytes and not announced ones: an announcement costs a caller nothing, and must not
take the room of callers who send.
"""

from __future__ import annotations

from collections import Counter

from ..errors import Unavailable


class HeldBytes:
    """The account of one server.

    A body that is alone, on the server or of its caller, always has room: the size of one body is
    bounded by its route.

    :param most: bytes at once.
    :param most_per_key: bytes at once of one caller.
    :ivar total: bytes held now.
    :ivar by_key: the same for each caller that holds some, by its rate-limit key.
    :ivar refused: how many bodies found no room.
    """

    def __init__(self, most: int, most_per_key: int) -> None:
        self._most = most
        self._most_per_key = most_per_key
        self.total = 0
        self.by_key: Counter[str] = Counter()
        self.refused = 0

    def rebound(self, most: int, most_per_key: int) -> None:
        """Other bounds from now on; what is held stays."""
        self._most = most
        self._most_per_key = most_per_key

    def check(self, key: str, size: int, own: int) -> None:
        """Check that *size* bytes more have room, for a body that holds *own* already.

        :raises Unavailable: they have none.
        """
        held = self.by_key[key]
        reason = ""
        if held + size > self._most_per_key and held > own:
            reason = f"one caller's bodies hold {held} bytes"
        elif self.total + size > self._most and self.total > own:
            reason = f"bodies hold {self.total} bytes"
        if reason:
            self.refused += 1
            raise Unavailable(reason=reason)

    def add(self, key: str, size: int) -> None:
        """Add *size* bytes, which may be negative, to what *key* holds."""
        self.total += size
        self.by_key[key] += size
        if not self.by_key[key]:
            del self.by_key[key]


class Hold:
    """The entry of one body in the account.

    :ivar size: bytes that the body holds.
    """

    __slots__ = ("_account", "_key", "size")

    def __init__(self, account: HeldBytes, key: str) -> None:
        self._account = account
        self._key = key
        self.size = 0

    def check(self, size: int) -> None:
        """Check that *size* bytes more would have room now, and take none.

        :raises Unavailable: they would not.
        """
        self._account.check(self._key, size, self.size)

    def take(self, size: int) -> None:
        """Hold *size* bytes more.

        :raises Unavailable: they have no room; the bytes held before stay held.
        """
        self.check(size)
        self._account.add(self._key, size)
        self.size += size

    def release(self) -> None:
        """Give all bytes back; a second call is a no-op."""
        size, self.size = self.size, 0
        if size:
            self._account.add(self._key, -size)
