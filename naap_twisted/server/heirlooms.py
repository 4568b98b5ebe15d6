"""What outlives a reload: stores, counts and pools that the next config describes alike.

A reload builds a whole server of the new config. What that one keeps between requests is not made
anew where the words about it are the same: limits go on counting, budgets know what is spent, idle
connections stay warm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

T = TypeVar("T")


def stamp(path: str) -> bytes:
    """What tells the content of a file that options name; ``b""`` for no name.

    :raises OSError: it can't be read.
    """
    return sha256(Path(path).read_bytes()).digest() if path else b""


def _nothing(thing: object) -> None:
    """What there is to do at most beginnings and ends."""


class Heirlooms:
    """The lasting things of one server.

    :param before: those of the server in whose place this one will serve.
    """

    def __init__(self, before: Heirlooms | None = None) -> None:
        self._before = before
        self._after: Heirlooms | None = None
        self._things: list[tuple[tuple[object, ...], object]] = []
        self._begins: list[Callable[[], object]] = []
        self._ends: list[tuple[object, Callable[[], object]]] = []

    def have(
        self,
        make: Callable[[], T],
        *words: object,
        begin: Callable[[T], object] = _nothing,
        end: Callable[[T], object] = _nothing,
    ) -> T:
        """What the server before had under the same *words*, else what *make* gives.

        :param words: all that the thing depends on; they are compared by ``==``. What is asked for
            by the same words again is another thing, of each server the second one.
        :param begin: is called with a thing that was made, as soon as this server serves.
        :param end: is called with it in the end, by :meth:`close`.
        """
        found = [kept for known, kept in self._kept(self._before) if known == words]
        # Two of the same words, such as two methods of one path, are two things.
        found = found[sum(known == words for known, _ in self._things) :]
        thing = cast(T, found[0]) if found else make()
        self._things.append((words, thing))
        self._ends.append((thing, partial(end, thing)))
        if not found:
            self._begins.append(partial(begin, thing))
            if self._before is None:
                self._begin()
        return thing

    def _begin(self) -> None:
        begins, self._begins = self._begins, []
        for begin in begins:
            begin()

    def close(self) -> None:
        """End what no other server has; of one that has served."""
        for thing, end in self._ends:
            if not self.shares(thing):
                end()

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
            self._begin()
