"""Idle upstream connections, bounded and short-lived."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import frozen

from .connection import PoolKey, UpstreamConnection


@frozen
class PoolLimits:
    """Bounds of the pool.

    :ivar idle: seconds a connection waits for reuse; shorter than common servers' own (Node closes
        after 5), so that it is we who close and no request races a close.
    :ivar per_key: idle connections per origin and policy, and there per user with a key of their
        own.
    :ivar total: idle connections in all.
    :ivar open_per_key: open connections per origin and policy, idle or not; more are refused.
    :ivar open_total: the same over all of them.
    """

    idle: float = 4.0
    per_key: int = 512
    total: int = 2048
    open_per_key: int = 20_000
    open_total: int = 24_000


class Pool:
    """Keeps idle connections by key; hands out the one used last that is fit for it."""

    def __init__(self, limits: PoolLimits | None = None) -> None:
        self._limits = limits or PoolLimits()
        self._idle: dict[PoolKey, list[UpstreamConnection]] = {}
        # By origin and policy: users with keys of their own share the bound of their upstream.
        self._open: dict[Hashable, int] = {}
        self._size = 0
        #: Connections that are open, idle ones included.
        self.opened = 0

    def __len__(self) -> int:
        return self._size

    def take(self, key: PoolKey) -> UpstreamConnection | None:
        """An idle connection that may be used now, or ``None``; those that may not are closed."""
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
        """Whether one more connection for *key* stays within the bounds."""
        limits = self._limits
        return self.opened < limits.open_total and self._open.get(key[0], 0) < limits.open_per_key

    def made(self, connection: UpstreamConnection) -> None:
        """Count an open connection."""
        origin = connection.key[0]
        self._open[origin] = self._open.get(origin, 0) + 1
        self.opened += 1

    def released(self, connection: UpstreamConnection) -> None:
        """Keep *connection* for reuse, or close it over the bounds."""
        waiting = self._idle.get(connection.key, [])
        if len(waiting) >= self._limits.per_key or self._size >= self._limits.total:
            connection.abort()
            return
        self._idle.setdefault(connection.key, waiting).append(connection)
        self._size += 1
        connection.wait_idle(self._limits.idle)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a connection that closed, waiting or not."""
        self.opened -= 1
        origin = connection.key[0]
        left = self._open.get(origin, 0) - 1
        if left > 0:
            self._open[origin] = left
        else:
            self._open.pop(origin, None)
        self.withdrawn(connection)

    def withdrawn(self, connection: UpstreamConnection) -> None:
        """Hand *connection* out no more, if it waits here: it is about to close."""
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
