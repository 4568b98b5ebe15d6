"""Starts processes, waits until they listen, and stops every one of them whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from . import usage

_START_LIMIT = 20.0
_STOP_LIMIT = 5.0
_POLL = 0.002


class DidNotStart(Exception):
    """A process ended, or did not listen in time; the text has the end of its output."""


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A started process.

    :ivar port: where it listens on 127.0.0.1.
    :ivar start_seconds: from the start of the process to the first connection it took.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self.port = port
        self.start_seconds = 0.0
        self._output = folder / "output"
        # Appended to, so that truncating it really empties it.
        with self._output.open("ab") as out:
            self._begun = time.monotonic()
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Ctrl-C is ours to handle: a process that ends by itself spoils the others' stop.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait_until_listening(self) -> None:
        """:raises DidNotStart: it ended or took longer than the limit."""
        while time.monotonic() - self._begun < _START_LIMIT:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                self.start_seconds = time.monotonic() - self._begun
                return
            time.sleep(_POLL)
        raise DidNotStart(f"{self.name} does not listen:\n{self.last_output()}")

    def last_output(self) -> str:
        return self._output.read_bytes()[-2000:].decode(errors="replace")

    def empty_log(self) -> None:
        """Keeps a long run from filling the disk."""
        os.truncate(self._output, 0)

    def signal_and_wait(self, number: int, limit: float) -> bool:
        """Send a signal; whether it ended within *limit* seconds."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End it and its descendants, by their ids."""
        members = list(usage.family(self.pid)) if self._process.poll() is None else []
        if self.signal_and_wait(signal.SIGTERM, _STOP_LIMIT):
            return  # and with it its workers, as nginx's master sees to
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        self._process.wait()


class Processes:
    """A context: whatever was started in it is stopped at its end, errors and Ctrl-C included."""

    def __init__(self) -> None:
        self._running: list[Running] = []

    def __enter__(self) -> Processes:
        return self

    def start(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a process; it may not listen yet.

        :param folder: its working directory, made if need be; its output goes to a file there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        running = Running(name, command, port, folder, environment or {})
        self._running.append(running)
        return running

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        while self._running:
            self._running.pop().stop()
