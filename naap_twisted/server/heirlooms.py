"""What outlives a reload: stores, counts and pools that the next config describes alike.

A reload builds a whole server of the new config. What that one keeps between requests is not made
anew where the words about it are the same: limits go on counting, budgets know what is spent, idle
connections stay warm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

T = TypeVar("T")


def stamp(path: str) -> bytes:
    """What tells the content of a file that options name; ``b""`` for no name.

    :raises OSError: it can't be read.
    """
    return sha256(Path(path).read_bytes()).digest() if path else b""


class Heirlooms:
    """The lasting things of one server.

    :param before: those of the server in whose place this one will serve.
    """

    def __init__(self, before: Heirlooms | None = None) -> None:
        self._before = before
        self._after: Heirlooms | None = None
        self._things: list[tuple[tuple[object, ...], object]] = []

    def have(self, make: Callable[[], T], *words: object) -> T:
        """What the server before had under the same *words*, else what *make* gives.

        :param words: all that the thing depends on; they are compared by ``==``.
        """
        found = [kept for known, kept in self._kept(self._before) if known == words]
        thing = cast(T, found[0]) if found else make()
        self._things.append((words, thing))
        return thing

    @staticmethod
    def _kept(of: Heirlooms | None) -> Iterator[tuple[tuple[object, ...], object]]:
        return iter(()) if of is None else iter(of._things)

    def shares(self, thing: object) -> bool:
        """Whether the server before or after this one has *thing*, too: it stays open then."""
        others = (*self._kept(self._before), *self._kept(self._after))
        return any(thing is other for _, other in others)

    def succeed(self) -> None:
        """Note that this server now serves in the place of the one before."""
        if self._before is not None:
            self._before._after = self
            # Without this each reload would keep every server before it in memory.
            self._before._before = None
            self._before = None
