"""Secrets and certificates whose files change while the server runs: looked at once a second.

A file is taken only when two looks a second apart saw the same one. So a file that is being written
in place is not read half way, unless its writer rests for a second; one that is put in its place by
a rename, as Kubernetes swaps its ``..data`` link, is never half there. What is taken has to pass
all that a start asks of it; else the old value goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .rereading import files_of, read_again

#: Seconds between two looks.
PERIOD = 1.0

Look = tuple[object, ...]


def look_at(files: tuple[Path, ...]) -> Look:
    """What tells whether one of *files*, links followed, is another or was changed."""
    seen: list[object] = []
    for file in files:
        try:
            status = os.stat(file)
        except OSError as error:
            seen.append(error.errno)
            continue
        # The change time, too: chmod moves no other, and may be what lets a file be read.
        times = status.st_mtime_ns, status.st_ctime_ns
        seen.append((status.st_dev, status.st_ino, status.st_size, *times))
    return tuple(seen)


@define(eq=False)
class _Watched:
    name: str
    again: Callable[[], Any] = field(repr=False)
    take: Callable[[Any], None]
    files: tuple[Path, ...]
    read: Look
    last: Look
    failing: str = ""

    def news(self) -> tuple[Any, str]:
        """What the files hold now or ``None``, and what is wrong with it; called in a thread."""
        now = look_at(self.files)
        settled, self.last = now == self.last, now
        if not settled or (now == self.read and not self.failing):
            return None, self.failing
        try:
            found = self.again()
        except ValueError as error:
            return None, str(error)
        if look_at(self.files) != now:
            return None, self.failing
        self.read = now
        return found, ""


class SecretFiles:
    """Watches the files of every route's secrets.

    :param reactor: has the timer and the threads.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._watched: list[_Watched] = []
        self._call: Any = None
        self._running = False
        self._looking = False

    def watch(self, name: str, options: object, take: Callable[[Any], None]) -> None:
        """Call *take* with other options when a file behind a secret of *options* has changed.

        :param name: whose options they are, for the log.
        """
        now: Any = options

        def again() -> Any:
            found = read_again(now)
            return None if found is now else found

        def taken(found: Any) -> None:
            nonlocal now
            now = found
            take(found)

        files = files_of(options)
        if files:
            self.watch_files(name, files, again, taken)

    def watch_files(
        self,
        name: str,
        files: tuple[Path, ...],
        again: Callable[[], Any],
        take: Callable[[Any], None],
    ) -> Callable[[], None]:
        """Call *take* with what *again* gives, each time that one of *files* has changed.

        :param name: whose files they are, for the log.
        :param again: is called in a thread; ``None`` where nothing has changed after all. It raises
            ``ValueError`` where the files can't be used, and what was before stays then.
        :returns: what ends it.
        """
        seen = look_at(files)
        watched = _Watched(name, again, take, files, seen, seen)
        self._watched.append(watched)
        self._later()
        return partial(self._watched.remove, watched)

    def start(self) -> None:
        """Look once a second, as soon as there is anything to look at."""
        self._running = True
        self._later()

    def stop(self) -> None:
        """Look no more."""
        self._running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _later(self) -> None:
        # A timer after each look, so that a file system that hangs holds one thread and no more.
        if self._running and self._watched and self._call is None and not self._looking:
            self._call = self._reactor.callLater(PERIOD, self._look)

    def _look(self) -> None:
        self._call = None
        self._looking = True
        pool, watched = self._reactor.getThreadPool(), tuple(self._watched)
        news: Deferred[Any] = deferToThreadPool(
            self._reactor, pool, lambda: [(each, *each.news()) for each in watched]
        )
        news.addCallback(self._told).addErrback(
            lambda failure: self._log.failure("Secret files could not be looked at", failure)
        )
        news.addBoth(self._looked)

    def _looked(self, _: object) -> None:
        self._looking = False
        self._later()

    def _told(self, news: list[tuple[_Watched, Any, str]]) -> None:
        for each, found, wrong in news:
            if each not in self._watched:
                continue
            if wrong and wrong != each.failing:
                self._log.error(
                    "{name}: all stays as it was: {reason}", name=each.name, reason=wrong
                )
            each.failing = wrong
            if found is not None:
                each.take(found)
                self._log.info(
                    "{name}: read again from {files}",
                    name=each.name,
                    files=", ".join(map(str, each.files)),
                )
