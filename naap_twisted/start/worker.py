"""The process of a worker: it serves on the sockets that its supervisor gives, until told to stop.

The supervisor begins it; see :mod:`.crew`. Without its supervisor it drains and ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import (
    FileLogObserver,
    LogEvent,
    Logger,
    LogLevel,
    eventAsText,
    globalLogBeginner,
    textFileLogObserver,
)

from ..admin.metrics import metrics_of
from ..admin.sums import written
from ..config.load import ConfigFile
from ..server.listeners import Listeners
from ..server.run import plainly, settle_down
from ..server.setting import Setting
from ..server.sockets import GivenSockets
from .channel import Channel, OneChannel
from .reloading import ReloadingServer
from .shared import ChannelWorkplace
from .spawn import CHANNEL, line_of


class WorkerSide:
    """What a worker does when its supervisor says so.

    :ivar channel: to the supervisor.
    :ivar status: of the process, at its end.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._sockets = GivenSockets()
        self._file: ConfigFile | None = None
        self._serving: ReloadingServer | None = None
        self._stand_ins: dict[int, Listeners] = {}
        self._stopping = False
        self.status = 0
        handlers: dict[str, Callable[..., Any]] = {
            "begin": self.begin,
            "reload": self.reload,
            "numbers": self.numbers,
            "check": lambda: "ok",
            "stand_in": self.stand_in,
            "stand_down": self.stand_down,
            "stop": self.stop,
            "hurry": self.hurry,
        }
        self.channel = Channel(reactor, handlers, self.stop)
        reactor.addSystemEventTrigger("before", "shutdown", self._drain)

    def begin(self, sockets: list[str], secret: str, **file: Any) -> None:
        """Serve by the config that is given, on *sockets*: endpoint strings."""
        try:
            self._begin(sockets, secret, file)
        except Exception:
            self._log.failure("cannot serve")
            self.status = 1
            self.stop()

    def _begin(self, sockets: list[str], secret: str, file: dict[str, Any]) -> None:
        self._take(sockets, file)
        workplace = ChannelWorkplace(self.channel, bytes.fromhex(secret))
        setting = Setting(self._sockets, None, workplace)
        try:
            with plainly():
                assert self._file is not None
                self._serving = ReloadingServer(
                    self._file.path, self._reactor, setting, read=lambda _: self._current()
                )
                self._serving.startService()
        except SystemExit as ended:
            self._log.critical("cannot serve: {reason}", reason=ended.code)
            self._serving, self.status = None, 1
            self.stop()
            return
        self._sockets.close()
        settle_down(self._reactor, self.hurry, cautions=False)
        self.channel.tell("ready", addresses=self._serving.addresses())

    def _take(self, sockets: list[str], file: dict[str, Any]) -> None:
        descriptors = self.channel.take_descriptors(len(sockets))
        self._sockets.give([*zip(sockets, descriptors, strict=True)])
        self._file = ConfigFile(Path(file["path"]), file["text"], file["readable"])

    def _current(self) -> ConfigFile:
        assert self._file is not None
        return self._file

    def reload(self, sockets: list[str], **file: Any) -> list[str]:
        """Serve by another config; the answer is why that can't be."""
        self._take(sockets, file)
        try:
            if self._serving is None:
                return ["it does not serve"]
            return [*self._serving.reload().problems]
        finally:
            self._sockets.close()

    def stand_in(self, number: int, sockets: list[str]) -> None:
        """Accept on the sockets of another worker, too, which has ended."""
        descriptors = self.channel.take_descriptors(len(sockets))
        given = GivenSockets()
        given.give([*zip(sockets, descriptors, strict=True)])
        self.stand_down(number)
        if self._serving is not None and not self._stopping:
            listeners = Listeners(self._reactor, self._serving.server.site(), given)
            listeners.change(sockets)()
            self._stand_ins[number] = listeners
        given.close()

    def stand_down(self, number: int) -> None:
        """Leave the sockets of that worker to the next one."""
        if number in self._stand_ins:
            self._stand_ins.pop(number).change(())()

    def numbers(self) -> list[Any]:
        """What ``/metrics`` tells of this process."""
        return [] if self._serving is None else written(metrics_of(self._serving.server))

    def stop(self) -> None:
        """Drain and end; the supervisor has said so, or is gone."""
        if not self._stopping:
            self._stopping = True
            # Not at once: what says so may run before the reactor does.
            self._reactor.callLater(0, self._reactor.stop)

    def hurry(self) -> None:
        """Cut what is open, while this process stops."""
        if self._serving is not None:
            self._serving.hurry()

    def _drain(self) -> Deferred[None] | None:
        self._stopping = True
        for number in [*self._stand_ins]:
            self.stand_down(number)
        serving = self._serving
        return None if serving is None else Deferred.fromCoroutine(self._end(serving))

    async def _end(self, serving: ReloadingServer) -> None:
        await serving.stopService()
        # What was counted in the drain is not lost.
        self.channel.tell("numbers", numbers=self.numbers())
        self._serving = None
        self.channel.close()


def piped_log() -> FileLogObserver:
    """Writes log events for the supervisor, which puts them into its own log."""

    def text(event: LogEvent) -> str:
        level: Any = event.get("log_level") or LogLevel.info
        shown = eventAsText(event, includeTimestamp=False, includeSystem=False)
        return line_of(level.name, event.get("log_namespace") or "-", shown)

    return FileLogObserver(sys.stdout, text)


def main() -> None:
    """Run until the supervisor says stop, or is gone; for the process that :mod:`.spawn` begins."""
    # A terminal sends these to the whole group of processes. The supervisor says what they mean.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    from twisted.internet import reactor

    observer = piped_log() if sys.argv[1:] == ["piped"] else textFileLogObserver(sys.stdout)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    side = WorkerSide(reactor)
    os.set_blocking(CHANNEL, False)
    connect: Any = reactor
    connect.adoptStreamConnection(CHANNEL, socket.AF_UNIX, OneChannel(side.channel))
    os.close(CHANNEL)
    connect.run()
    sys.exit(side.status)
