"""Writes the log from a thread, so that what it is written to can't stop the server.

A pipe whose reader has stopped, a terminal that is held and a disk that stalls make a write wait,
and with it every exchange, where the reactor's own thread writes. Here that thread puts lines into
a bounded queue. What finds the queue full, or can't be written, is dropped, counted, and told by a
line of the log once lines are written again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Protocol

_MOST_LINES = 10_000
_MOST_TEXT = 8 * 1024 * 1024  # characters
_PIECE = 64 * 1024
# Seconds that lines are gathered: a thread that woke for each would take the interpreter from the
# reactor's own as often.
_GATHER = 0.02
_SLOW = "what the log is written to did not take them in time"


class Outlet(Protocol):
    """What lines are written to, in the queue's thread."""

    def take(self, lines: Sequence[str]) -> tuple[int, str]:
        """Write *lines*; how many of them, and why not the others: ``""`` where all are."""


class LogQueue:
    """Lines that wait for their turn, and the thread that writes them.

    :param tell: called in that thread, once lines are written again, with the number that was
        dropped before and the reason of the last.
    :ivar dropped: lines that were never written.
    """

    def __init__(
        self,
        tell: Callable[[int, str], None] = lambda count, reason: None,
        *,
        lines: int = _MOST_LINES,
        text: int = _MOST_TEXT,
    ) -> None:
        self.tell = tell
        self.dropped = 0
        self._most_lines = lines
        self._most_text = text
        self._told = 0
        self._reason = ""
        self._patience: float | None = None
        self._given_up = False
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that was forked off: it has the lines, and not the thread."""
        # Of a lock that its holder may take again: a signal's handler may log, too.
        self._changed = threading.Condition()
        self._lines: list[tuple[Outlet, str]] = []
        # Of all lines that are not written yet, those that the thread is at included.
        self._count = self._size = 0
        self._idle = False
        self._thread: threading.Thread | None = None

    def put(self, outlet: Outlet, line: str) -> None:
        """Let *line* be written to *outlet*, or drop it where too much waits already."""
        with self._changed:
            if self._count >= self._most_lines or self._size + len(line) > self._most_text:
                self.dropped += 1
                self._reason = _SLOW
                return
            self._lines.append((outlet, line))
            self._count += 1
            self._size += len(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            if self._idle:
                self._changed.notify_all()
            if self._patience is not None:
                self._wait(self._patience)

    def call(self, function: Callable[[], None]) -> None:
        """Call *function* in the thread, after the lines that wait."""
        self.put(_Call(function), "")

    def finish(self, seconds: float) -> None:
        """Wait until all is written, as a process ends; lines after it are waited for likewise.

        :param seconds: a wait that takes longer is the last one.
        """
        with self._changed:
            untold, self._told = self.dropped - self._told, self.dropped
        if untold:
            self.tell(untold, self._reason)
        with self._changed:
            self._patience = seconds
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if not self._given_up:
            self._given_up = not self._changed.wait_for(lambda: not self._count, seconds)

    @property
    def is_current(self) -> bool:
        """Whether this is the thread that writes."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = True
                self._changed.wait_for(lambda: self._lines)
                self._idle = False
            if self._patience is None:
                time.sleep(_GATHER)
            with self._changed:
                batch, self._lines = self._lines, []
            for outlet, lines in _pieces(batch):
                try:
                    written, why = outlet.take(lines)
                except Exception as error:  # Without the thread no line would ever be written.
                    written, why = 0, f"{type(error).__name__}: {error}"
                self._written(lines, written, why)

    def _written(self, lines: Sequence[str], written: int, why: str) -> None:
        untold = 0
        with self._changed:
            self._count -= len(lines)
            self._size -= sum(map(len, lines))
            self.dropped += len(lines) - written
            self._reason = why or self._reason
            if written and not why:
                untold, self._told = self.dropped - self._told, self.dropped
            self._changed.notify_all()
        if untold:
            self.tell(untold, self._reason)


class _Call:
    """An outlet that calls a function where a line is due."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function

    def take(self, lines: Sequence[str]) -> tuple[int, str]:
        """Call it, once for each."""
        for _ in lines:
            self._function()
        return len(lines), ""


def _pieces(batch: Sequence[tuple[Outlet, str]]) -> Iterator[tuple[Outlet, list[str]]]:
    """The lines of *batch* in their order, those that go to one outlet in pieces of a fair size."""
    for outlet, group in groupby(batch, key=itemgetter(0)):
        piece: list[str] = []
        size = 0
        for _, line in group:
            if piece and size + len(line) > _PIECE:
                yield outlet, piece
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        yield outlet, piece
