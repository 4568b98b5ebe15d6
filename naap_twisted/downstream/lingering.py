"""Draining the unread rest of a request that was answered early (RFC 9112 section 9.6). Pure.

Most clients read an answer only when their upload is out, and a reset while they send destroys the
answer. So the connection reads on and drops what comes. What bounds it is time, how many
connections linger at once, and how fast all of them together are read: a sum of bytes would cut
off an honest client with a large file, and would not stop a crowd of small ones.
"""

from __future__ import annotations

from collections import Counter

from .limits import DownstreamLimits


class Lingering:
    """The account of the connections of one server that linger now.

    :ivar total: how many they are.
    :ivar by_key: how many of each caller, by its rate-limit key.
    """

    def __init__(self, limits: DownstreamLimits) -> None:
        self._limits = limits
        self._room = float(limits.linger_rate)  # bytes that may be read now
        self._counted_at = 0.0
        self.total = 0
        self.by_key: Counter[str] = Counter()

    def rebound(self, limits: DownstreamLimits) -> None:
        """Other bounds from now on, for connections that begin to linger."""
        self._limits = limits

    def enter(self, key: str, now: float, *, stuck: bool) -> Linger | None:
        """The drain of one more connection, or ``None`` where too many linger already.

        :param stuck: the client does not take its answer at present.
        """
        limits = self._limits
        if self.total >= limits.lingering or self.by_key[key] >= limits.lingering_per_address:
            return None
        self.total += 1
        self.by_key[key] += 1
        gap = limits.write_timeout if stuck else limits.linger_timeout
        return Linger(self, key, now, gap, max(gap, limits.linger_time))

    def leave(self, key: str) -> None:
        """Count one connection of *key* less."""
        self.total -= 1
        self.by_key[key] -= 1
        if not self.by_key[key]:
            del self.by_key[key]

    def read(self, size: int, now: float) -> bool:
        """Count *size* bytes that were read; whether there is room to read more now."""
        rate = self._limits.linger_rate
        refilled = self._room + (now - self._counted_at) * rate
        self._room, self._counted_at = min(rate, refilled) - size, now
        return self._room > 0


class Linger:
    """The drain of one connection.

    :param gap: seconds without a byte after which the client has no more to send.
    :param most: seconds that all of it may take.
    :ivar deadline: when to call :meth:`goes_on`.
    """

    __slots__ = ("_account", "_gap", "_key", "_paused", "_until", "deadline")

    def __init__(self, account: Lingering, key: str, now: float, gap: float, most: float) -> None:
        self._account = account
        self._key = key
        self._gap = gap
        self._until = now + most
        self._paused = False
        self.deadline = min(now + gap, self._until)

    def read(self, size: int, now: float) -> bool:
        """Count *size* bytes that were read; whether the connection may read on at once."""
        self._paused = not self._account.read(size, now)
        self.deadline = now if self._paused else min(now + self._gap, self._until)
        return not self._paused

    def goes_on(self, now: float) -> bool:
        """Whether the client still has time, at the :attr:`deadline`."""
        return self._paused and now < self._until

    def hurry(self, now: float) -> None:
        """Let the whole take a gap longer at most: the server is about to stop."""
        self._until = min(self._until, now + self._gap)
        self.deadline = min(self.deadline, self._until)

    def end(self) -> None:
        """The connection is closed, or about to be."""
        self._account.leave(self._key)
