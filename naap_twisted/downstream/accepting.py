"""Accepts connections as far as the table of open files goes, and waits where it is full.

A listening socket on which somebody waits stays readable. Where ``accept`` fails for want of a
file, the reactor would ask again at once and for ever, at the cost of a whole processor. Here the
port is left alone for a moment then. Some files are held back, so that a health check is answered
even where something else has taken all of the others.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.tcp import Port
from twisted.logger import Logger

from .site import DownstreamSite

# Files that are free for one connection, and for what answering it may open.
_HELD_BACK = 4
# Of the numbers below the limit: one so high says that little else is free.
_LAST = 48
# Seconds until a port is looked at again, and until the files that were held back are taken again.
_PAUSE = 0.25
_RECOVERY = 1.0
_TOLD_EVERY = 60.0


class HeldFiles:
    """Open files that are there to be closed."""

    def __init__(self, most: int = _HELD_BACK) -> None:
        self._most = most
        self._files: list[int] = []

    def take(self) -> bool:
        """Open what is missing; whether all are there now."""
        try:
            while len(self._files) < self._most:
                self._files.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def give(self) -> bool:
        """Close them; whether there were any."""
        files, self._files = self._files, []
        for file in files:
            os.close(file)
        return bool(files)


class Accepting:
    """One listening port of *site*, which this takes the readiness of.

    :ivar pauses: how often it was left alone.
    """

    _log = Logger()

    def __init__(self, port: Port, site: DownstreamSite, reactor: Any) -> None:
        self._port = port
        self._site = site
        self._reactor = reactor
        self._accept: Callable[[], None] = port.doRead
        self._held = HeldFiles()
        self._held.take()
        self._waiting: dict[str, IDelayedCall] = {}
        self._told = -_TOLD_EVERY
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.pauses = 0
        port.doRead = self.read  # type: ignore[method-assign]

    def read(self) -> None:
        """Accept who waits, as far as there is room; the reactor calls it."""
        try:
            # A new file gets the lowest number that is free, and so tells how many are in use.
            lowest = os.dup(self._port.fileno())
        except OSError:
            self._tell()
            if not self._held.give():
                self._pause()
                return
            self._later("recover", _RECOVERY, self._recover)
        else:
            os.close(lowest)
            self._site.tight = "recover" in self._waiting or lowest > self._limit - _LAST
        if "recover" in self._waiting:
            self._site.tight = True
            # What was held back is for one at a time: Twisted's own loop would take it all.
            self._port.numberAccepts = 1
        self._accept()

    def close(self) -> None:
        """Give back what this holds."""
        for call in self._waiting.values():
            call.cancel()
        self._waiting.clear()
        self._held.give()

    def _tell(self) -> None:
        now = self._reactor.seconds()
        if now - self._told >= _TOLD_EVERY:
            self._told = now
            self._log.warn(
                "no file can be opened: {limit} is the limit of open files; connections wait, and"
                " are refused but for /healthz",
                limit=self._limit,
            )

    def _pause(self) -> None:
        self.pauses += 1
        self._port.stopReading()
        self._later("pause", _PAUSE, self._resume)

    def _resume(self) -> None:
        del self._waiting["pause"]
        if self._port.connected:
            self._port.startReading()

    def _recover(self) -> None:
        del self._waiting["recover"]
        if self._held.take():
            self._site.tight = False
        else:
            self._later("recover", _RECOVERY, self._recover)

    def _later(self, name: str, seconds: float, call: Any) -> None:
        if name not in self._waiting:
            self._waiting[name] = self._reactor.callLater(seconds, call)
