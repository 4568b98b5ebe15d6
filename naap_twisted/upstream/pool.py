"""The pool of idle upstream connections, which are bounded in number and short-lived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from attrs import frozen

from .connection import PoolKey, UpstreamConnection


@frozen
class PoolLimits:
    """The bounds of the pool.

    :ivar idle: seconds that a connection waits for reuse. Common servers wait longer (Node closes
        after 5), so that the proxy closes first and no request meets a closing connection.
    :ivar per_key: idle connections to one origin under one policy, and for one user's own key.
    :ivar total: idle connections in all.
    :ivar open_per_key: open connections to one origin under one policy, idle or not; a request
        that needs one more is refused.
    :ivar open_total: open connections in all.
    """

    idle: float = 4.0
    per_key: int = 512
    total: int = 2048
    open_per_key: int = 20_000
    open_total: int = 24_000


class Pool:
    """Keeps idle connections by key, and hands out the one that was used last and is usable.

    :ivar opened: connections that are open, idle ones and attempts to open one included.
    """

    def __init__(self, limits: PoolLimits | None = None) -> None:
        self._limits = limits or PoolLimits()
        self._idle: dict[PoolKey, list[UpstreamConnection]] = {}
        # The count is by origin and policy, for users with keys of their own share one bound.
        self._open: Counter[Hashable] = Counter()
        self._size = 0
        self._leaving: set[UpstreamConnection] = set()
        self.opened = 0

    def __len__(self) -> int:
        return self._size

    def take(self, key: PoolKey) -> UpstreamConnection | None:
        """An idle connection that is usable, or ``None``; unusable ones are closed on the way."""
        waiting = self._idle.get(key)
        while waiting:
            connection = waiting.pop()
            self._size -= 1
            if not waiting:
                del self._idle[key]
            if connection.usable():
                return connection
        return None

    def may_open(self, key: PoolKey) -> bool:
        """Whether a new connection for *key* stays within the bounds."""
        limits = self._limits
        return self.opened < limits.open_total and self._open[key[0]] < limits.open_per_key

    def make_room(self, key: PoolKey) -> bool:
        """Close an idle connection where all together are too many; whether that makes room."""
        if self._open[key[0]] >= self._limits.open_per_key or not self._idle:
            return False
        idle = next(iter(self._idle.values()))[0]
        # Its file is free in the reactor's next turn, before anything can have connected.
        self.lost(idle)
        self._leaving.add(idle)
        idle.abort()
        return True

    def begun(self, key: PoolKey) -> None:
        """Count an attempt to connect: it has a socket already."""
        self._open[key[0]] += 1
        self.opened += 1

    def ended(self, key: PoolKey) -> None:
        """Count an attempt no more, which has failed, or is counted as a connection by now."""
        self.opened -= 1
        self._open[key[0]] -= 1
        if not self._open[key[0]]:
            del self._open[key[0]]

    def made(self, connection: UpstreamConnection) -> None:
        """Count *connection*, a new one."""
        self.begun(connection.key)

    def released(self, connection: UpstreamConnection) -> None:
        """Keep *connection* for reuse, or close it where the bounds are reached."""
        waiting = self._idle.get(connection.key, [])
        if len(waiting) >= self._limits.per_key or self._size >= self._limits.total:
            connection.abort()
            return
        self._idle.setdefault(connection.key, waiting).append(connection)
        self._size += 1
        connection.wait_idle(self._limits.idle)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget *connection*, which is closed, whether it was idle or not."""
        if connection in self._leaving:
            self._leaving.remove(connection)
            return
        self.ended(connection.key)
        self.withdrawn(connection)

    def withdrawn(self, connection: UpstreamConnection) -> None:
        """Hand *connection*, which is about to close, out no more if it is idle here."""
        waiting = self._idle.get(connection.key)
        if waiting and connection in waiting:
            waiting.remove(connection)
            self._size -= 1
            if not waiting:
                del self._idle[connection.key]

    def close(self) -> None:
        """Close every idle connection."""
        idle, self._idle, self._size = self._idle, {}, 0
        for waiting in idle.values():
            for connection in waiting:
                connection.abort()
