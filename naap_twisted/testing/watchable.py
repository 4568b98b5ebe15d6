"""Waiting for events instead of for time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed


class Watchable:
    """Something whose state changes by events that a test can wait for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires once *condition* holds; it is asked now and after every event."""
        if condition():
            return succeed(None)
        done: Deferred[None] = Deferred(lambda _: self._waiting.remove(entry))
        entry = (condition, done)
        self._waiting.append(entry)
        return done

    def changed(self) -> None:
        """An event: ask every waiting condition again."""
        for entry in list(self._waiting):
            if entry in self._waiting and entry[0]():
                self._waiting.remove(entry)
                entry[1].callback(None)
