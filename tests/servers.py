"""Real servers of our own for tests: a PostgreSQL cluster, a redis-server, each in its own folder.

Both come from Debian (``postgresql``, ``redis-server``). Where one is not installed its tests are
skipped, and say why.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PATIENCE = 30.0


def find(program: str) -> str | None:
    """Where *program* is; Debian keeps PostgreSQL's off the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / program).exists():
            return str(folder / program)
    return shutil.which(program)


NO_POSTGRES = None if find("initdb") else "postgresql is not installed (apt-get install postgresql)"
NO_REDIS = None if find("redis-server") else "redis-server is not installed (apt-get install it)"


def unprivileged() -> dict[str, Any]:
    """What makes subprocess run as somebody else than root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody", "extra_groups": []}


def wait_for(ready: Callable[[], bool], what: str) -> None:
    """Look again until *ready*; blocks."""
    due = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > due:
            raise AssertionError(f"{what} did not come up")
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A cluster on a UNIX socket, without fsync: nothing of it outlives the tests."""

    _shared: Postgres | None = None

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="naap_pg_")
        who = unprivileged()
        if who:
            shutil.chown(self.folder, who["user"])
        data = f"{self.folder}/data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run(
            [find("initdb"), "-D", data, "-U", "naap", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            timeout=120,
            **quiet,
            **who,
        )
        self._process = subprocess.Popen(
            [find("postgres"), "-D", data, "-k", self.folder, "-h", "", "-F"], **quiet, **who
        )
        atexit.register(self.stop)
        wait_for(self._answers, "postgres")

    @classmethod
    def shared(cls) -> Postgres:
        """The one of this test run."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def _connect(self, name: str) -> Any:
        import psycopg

        return psycopg.connect(host=self.folder, user="naap", dbname=name, autocommit=True)

    def _answers(self) -> bool:
        import psycopg

        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        with self._connect("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://naap@/{name}?host={self.folder}"

    def stop(self) -> None:
        """End it, and its folder."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis:
    """A redis-server on a port of its own.

    :param keeps: it writes each command before it answers; else a restart has forgotten all.
    """

    def __init__(self, test: Any, *, keeps: bool = False) -> None:
        self._keeps = keeps
        self.folder = tempfile.mkdtemp(prefix="naap_redis_")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        test.addCleanup(shutil.rmtree, self.folder, True)
        test.addCleanup(self.kill)
        self.start()

    def start(self, wait: bool = True) -> None:
        """Start it (again), on the same port."""
        options = {"--port": str(self.port), "--bind": "127.0.0.1", "--save": "", "--dir": ""}
        options["--dir"] = self.folder
        if self._keeps:
            options |= {"--appendonly": "yes", "--appendfsync": "always"}
        self._process = subprocess.Popen(
            [str(find("redis-server")), *(part for pair in options.items() for part in pair)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if wait:
            wait_for(self._answers, "redis-server")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def pause(self) -> None:
        """It neither answers nor closes: a network that swallows everything."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None
