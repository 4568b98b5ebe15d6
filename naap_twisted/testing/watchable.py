"""How a test waits for what it waits for, and never for time to pass."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed


class Watchable:
    """An object whose state changes by events, and which a test can wait for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """A Deferred that fires once *condition* is true; it is called now and after each event."""
        if condition():
            return succeed(None)
        done: Deferred[None] = Deferred(lambda _: self._waiting.remove(entry))
        entry = (condition, done)
        self._waiting.append(entry)
        return done

    def changed(self) -> None:
        """An event has happened: call every waiting condition again."""
        for entry in list(self._waiting):
            if entry in self._waiting and entry[0]():
                self._waiting.remove(entry)
                entry[1].callback(None)
