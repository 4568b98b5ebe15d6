"""Begins the process of a worker, with its end of the channel and a place for its log lines."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import InvalidLogLevelError, Logger, LogLevel
from twisted.python.failure import Failure

from ..observe.log import NAMESPACE
from .channel import Channel, OneChannel

#: Begins a process: named for people, spoken to by the channel; the callable hears how it ended.
Spawn = Callable[[str, Channel, Callable[[str], None]], Any]
#: The file descriptor of the worker's end of the channel.
CHANNEL = 3
_PROGRAM = "from naap_twisted.start.worker import main; main()"
# Bytes of a log line; the rest of a longer one is told as a line of its own.
_LONGEST = 1024 * 1024
# Where a service manager is told of the service: by the supervisor, and by nobody else.
_MANAGER = "NOTIFY_SOCKET"


class Spawner:
    """Spawns workers.

    :param piped: their log lines come through pipes into the log of this process; else they write
        to the stdout and stderr that it has itself.
    """

    def __init__(self, reactor: Any, *, piped: bool) -> None:
        self._reactor = reactor
        self._piped = piped
        # As they are now: going to the background may change the directory.
        here = os.getcwd()
        self._path = os.pathsep.join(os.path.join(here, place) for place in sys.path)

    def __call__(self, name: str, channel: Channel, ended: Callable[[str], None]) -> Any:
        """Begin a process.

        :returns: an ``IProcessTransport``.
        :raises OSError: there is no room for another process, or for its files.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs, open(os.devnull, "rb") as nothing:
            for end in (ours, theirs):
                end.setblocking(False)
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, OneChannel(channel))
            output: dict[int, Any] = {1: "r", 2: "r"} if self._piped else {1: 1, 2: 2}
            how = "piped" if self._piped else "inherited"
            environment = {**os.environ, "PYTHONPATH": self._path}
            return self._reactor.spawnProcess(
                WorkerProcess(name, ended),
                sys.executable,
                [sys.executable, "-P", "-c", _PROGRAM, how],
                env={name: value for name, value in environment.items() if name != _MANAGER},
                childFDs={0: nothing.fileno(), **output, CHANNEL: theirs.fileno()},
            )


class WorkerProcess(ProcessProtocol):
    """Takes the log lines of a worker into this process's log, and tells of its end."""

    _log = Logger()

    def __init__(self, name: str, ended: Callable[[str], None]) -> None:
        self._name = name
        self._ended = ended
        self._rest = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Lines, or pieces of them."""
        *lines, rest = (self._rest[childFD] + data).split(b"\n")
        if len(rest) > _LONGEST:
            lines.append(rest)
            rest = b""
        self._rest[childFD] = rest
        for line in lines:
            tell(self._name, line)

    def processEnded(self, reason: Failure) -> None:
        """It has ended, and every line of it is here."""
        for rest in self._rest.values():
            if rest:
                tell(self._name, rest)
        self._ended(how_ended(reason))


def how_ended(reason: Failure) -> str:
    """In words, how a process ended."""
    error = reason.value
    if isinstance(error, ProcessDone):
        return "exit status 0"
    if isinstance(error, ProcessTerminated) and error.signal is not None:
        return f"signal {error.signal}"
    return f"exit status {getattr(error, 'exitCode', None)}"


def line_of(level: str, namespace: str, text: str) -> str:
    """A log event of a worker as it goes through the pipe."""
    return json.dumps([level, namespace, text]) + "\n"


def tell(name: str, line: bytes) -> None:
    """Log what a worker has logged by :func:`line_of`, and whatever else it wrote by its *name*."""
    try:
        level, namespace, text = json.loads(line)
        more = {"access_line": text} if namespace == NAMESPACE else {}
        log = Logger(namespace=namespace)
        log.emit(LogLevel.levelWithName(level), "{text}", text=text, **more)
    except (ValueError, TypeError, InvalidLogLevelError):
        shown = line.decode("utf-8", "replace")
        WorkerProcess._log.warn("{name}: {line}", name=name, line=shown)
