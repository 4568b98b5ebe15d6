"""Puts the queue of the log between Twisted's observers and what they write to."""

from __future__ import annotations

import atexit
import io
import os
import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import FileLogObserver, Logger, LogPublisher, globalLogPublisher
from twisted.python.compat import ioType
from twisted.python.log import FileLogObserver as OldFileLogObserver
from twisted.python.logfile import DailyLogFile, LogFile
from twisted.python.syslog import SyslogObserver

from .._twisted import file_of, observers_of, write_to
from .log_queue import LogQueue, Outlet

#: Of this process: a log is one process's, as ``globalLogPublisher`` is.
LOG_QUEUE = LogQueue()
#: Seconds that the end of a process waits for what its log is written to.
PATIENCE = 2.0
_AGAIN = 1000  # milliseconds between two looks at a descriptor that takes nothing
_log = Logger()


class Descriptor:
    """Writes to a file descriptor, such as that of standard output.

    The buffer of ``sys.stdout`` is left out: the interpreter takes its lock as it ends, and aborts
    where a thread that waits for the pipe's reader holds it.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._torn = False

    def take(self, lines: Sequence[str]) -> tuple[int, str]:
        """Write *lines*; see :class:`~.log_queue.Outlet`."""
        wire = [line.encode(self._encoding, "backslashreplace") for line in lines]
        if self._torn:
            wire[0] = b"\n" + wire[0]
        left = memoryview(b"".join(wire))
        try:
            while left:
                left = left[self._write(left) :]
        except OSError as error:
            return self._whole(wire, len(left)), error.strerror or str(error)
        self._torn = False
        return len(lines), ""

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # Whoever shares the pipe has made it so.
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLOUT)
            waiting.poll(_AGAIN)
            return 0

    def _whole(self, wire: Sequence[bytes], left: int) -> int:
        """How many of the lines are out, where *left* bytes of them all are not."""
        sent, whole = sum(map(len, wire)) - left, 0
        while sent and sent >= len(wire[whole]):
            sent -= len(wire[whole])
            whole += 1
        self._torn = bool(sent) or (self._torn and not whole)
        return whole


class Methods:
    """Writes by the methods of a file object.

    :param flush: is called behind each *write*.
    """

    def __init__(self, write: Callable[[str], object], flush: Callable[[], object]) -> None:
        self._write = write
        self._flush = flush

    def take(self, lines: Sequence[str]) -> tuple[int, str]:
        """Write *lines*; see :class:`~.log_queue.Outlet`."""
        try:
            self._write("".join(lines))
            self._flush()
        except (OSError, ValueError) as error:  # ValueError: the file is closed.
            return 0, getattr(error, "strerror", None) or str(error)
        return len(lines), ""


class Syslog:
    """Sends lines of one priority to the system's log, each by itself."""

    def __init__(self, send: Callable[[int, str], object], priority: int) -> None:
        self._send = partial(send, priority)

    def take(self, lines: Sequence[str]) -> tuple[int, str]:
        """Send *lines*; see :class:`~.log_queue.Outlet`."""
        for line in lines:
            self._send(line)
        return len(lines), ""


class QueuedFile(io.TextIOBase):
    """What a log observer takes for its file."""

    def __init__(self, queue: LogQueue, outlet: Outlet) -> None:
        self._queue = queue
        self._outlet = outlet

    def write(self, text: Any) -> int:
        """Let *text* be written, soon."""
        line = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
        self._queue.put(self._outlet, line)
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing waits on this side of the queue."""


def write_in_a_thread(
    reactor: IReactorFromThreads,
    publisher: LogPublisher = globalLogPublisher,
    queue: LogQueue = LOG_QUEUE,
) -> None:
    """Let the observers of *publisher* that write to files, or to syslog, write through *queue*.

    Observers of other kinds are left alone. A second call finds nothing to do. What waits at the
    process's end is written, for :data:`PATIENCE` at most.
    """
    found = [each for each in observers_of(publisher) if _put_between(each, queue)]
    if not found:
        return
    queue.tell = partial(reactor.callFromThread, _tell_dropped)
    end = partial(queue.finish, PATIENCE)
    # twistd ends by the signal that it got, which no function of atexit outlives; a script goes on
    # after the reactor.
    reactor.addSystemEventTrigger("after", "shutdown", end)  # type: ignore[attr-defined]
    atexit.register(end)
    os.register_at_fork(after_in_child=queue.forget)


def _tell_dropped(count: int, reason: str) -> None:
    _log.warn("{count} log lines dropped: {reason}", count=count, reason=reason)


def _put_between(observer: object, queue: LogQueue) -> bool:
    if isinstance(observer, FileLogObserver):
        file = file_of(observer)
        if isinstance(file, QueuedFile):
            return False
        write_to(observer, QueuedFile(queue, _outlet(file, queue)))
        return True
    # An observer of twisted.python.log is a method, which Twisted wraps.
    old = getattr(getattr(observer, "legacyObserver", None), "__self__", None)
    if isinstance(old, OldFileLogObserver) and "write" in vars(old):
        if isinstance(getattr(old.write, "__self__", None), QueuedFile):
            return False
        file = getattr(old.write, "__self__", None)
        between = QueuedFile(queue, _outlet(old if file is None else file, queue))
        old.write, old.flush = between.write, between.flush
        return True
    if isinstance(old, SyslogObserver) and "syslog" not in vars(old):
        old.syslog = _syslog(queue, old.syslog)
        return True
    return False


def _outlet(file: Any, queue: LogQueue) -> Outlet:
    if isinstance(file, io.TextIOWrapper):
        try:
            descriptor = file.fileno()
        except (OSError, ValueError):
            pass  # It only looks like a file: a test's, or a notebook's.
        else:
            with suppress(OSError):  # On a full disk nothing of the start was written, nor is now.
                file.flush()
            return Descriptor(descriptor, file.encoding)
    if isinstance(file, LogFile | DailyLogFile):
        _rotate_in_order(file, queue)
    if ioType(file) is bytes:
        return Methods(lambda text: file.write(text.encode("utf-8")), file.flush)
    return Methods(file.write, file.flush)


def _rotate_in_order(file: LogFile | DailyLogFile, queue: LogQueue) -> None:
    """Let *file* rotate between two lines: twistd rotates its log on SIGUSR1, in the main thread.

    A file that is full rotates itself as it is written to, in the queue's thread.
    """
    rotate: Callable[[], None] = file.rotate

    def later() -> None:
        if queue.is_current:
            rotate()
        else:
            queue.call(rotate)

    file.rotate = later  # type: ignore[method-assign]


def _syslog(queue: LogQueue, send: Callable[[int, str], object]) -> Callable[[int, str], None]:
    outlets: dict[int, Syslog] = {}

    def put(priority: int, line: str) -> None:
        outlet = outlets.get(priority)
        if outlet is None:
            outlet = outlets[priority] = Syslog(send, priority)
        queue.put(outlet, line)

    return put
