"""Real servers with workers, in processes of their own, and callers and an upstream beside them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.servers import free_port
from tests.support import INTERRUPTIBLE

DEADLINE = 90.0
CONFIG = """\
[server]
listen = {listen}
admin_listen = "tcp:{admin}:interface=127.0.0.1"
workers = {workers}
drain_timeout = 20
rate_limit = false
connections_per_address = 5000
{server}
[upstream]
allow_networks = ["127.0.0.1/32"]
[auth]
mode = "none"
{auth}
"""
ROUTE = """\
[[proxy]]
path = "{path}"
target = "{target}"
authorize = "anyone"
methods = ["GET"]
{more}
"""


# What systemd does for a socket unit (sd_listen_fds(3)).
GIVEN = """\
import os
for place, number in enumerate({numbers}, 3):
    os.dup2(number, place) if number != place else None
    os.environ |= {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(place - 2)}}
    os.environ["LISTEN_FDNAMES"] = ":".join(["web"] * (place - 2))
"""


class Upstream:
    """Answers ``/ok`` at once, and a ``/stream`` with one event now and another when released.

    A POST begins a WHIP session, and a DELETE ends it, any number of times.
    """

    def __init__(self, test: Any) -> None:
        self.release = release = Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                if not self.path.endswith("/stream"):
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                    return
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"9\r\ndata: 1\n\n\r\n")
                release.wait(DEADLINE)
                self.wfile.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(201)
                self.send_header("Location", "/v1/session/7")
                self.send_header("Content-Type", "application/sdp")
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"v=0\r\n")

            def do_DELETE(self) -> None:
                self.send_response(204 if self.path == "/v1/session/7" else 404)
                self.end_headers()

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # The worker that asked was killed.

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 500

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        test.addCleanup(self._server.server_close)
        test.addCleanup(self._server.shutdown)
        test.addCleanup(release.set)


class Stream:
    """A caller that reads an event stream."""

    def __init__(self, port: int, path: str = "/api/v1/a/stream") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.port = self._socket.getsockname()[1]
        self._socket.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        self.got = b""

    def until(self, word: bytes) -> bool:
        """Whether *word* comes, before the end."""
        try:
            while word not in self.got:
                data = self._socket.recv(65536)
                if not data:
                    return False
                self.got += data
        except ConnectionResetError:
            return False
        return True

    def whole(self) -> bool:
        """Whether the stream comes to its own end."""
        whole = self.until(b"0\r\n\r\n")
        self._socket.close()
        return whole


class CrewCase(SynchronousTestCase):
    """A server of ``self.workers`` workers.

    :ivar lines: what it has logged so far.
    """

    workers: object = 2

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.config = self.folder / "naap-proxy.toml"
        self.port, self.admin = free_port(), free_port()
        self.listen = [f"tcp:{self.port}:interface=127.0.0.1"]
        self.upstream = Upstream(self)
        self.lines: list[str] = []

    def write(self, *paths: str, server: str = "", auth: str = "", more: str = "") -> None:
        text = CONFIG.format(
            listen=json.dumps(self.listen),
            admin=self.admin,
            workers=json.dumps(self.workers),
            server=server,
            auth=auth,
        )
        routes = (
            ROUTE.format(path=path, target=self.upstream.url, more=more)
            for path in paths or ("/a",)
        )
        self.config.write_text(text + "".join(routes))
        self.config.chmod(0o600)

    def start(self, *options: str, inherits: Sequence[socket.socket] = ()) -> subprocess.Popen[str]:
        """Start it, and wait until its workers serve.

        :param inherits: sockets that systemd would give it.
        """
        numbers = [each.fileno() for each in inherits]
        program = GIVEN.format(numbers=numbers) + "from twisted.scripts.twistd import run; run()"
        process = subprocess.Popen(
            [
                *(*INTERRUPTIBLE, sys.executable, "-c", program, "-n", "--pidfile=", *options),
                *("naap-proxy", "--config", self.config.name),
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=numbers,
        )
        deadline = Timer(DEADLINE, process.kill)
        deadline.start()
        assert process.stdout is not None
        reader = Thread(target=self.lines.extend, args=(process.stdout,), daemon=True)
        reader.start()
        for clean in (deadline.cancel, process.stdout.close, reader.join, process.wait):
            self.addCleanup(clean)
        self.addCleanup(process.kill)
        self.until(lambda: self.states() == {"ready": 2})
        # The log is written in a thread, so that a line may come later than what it tells of.
        self.until(lambda: options or len(self.pids()) == 2)
        return process

    def until(self, holds: Callable[[], object]) -> None:
        """Look again until *holds*."""
        due = time.monotonic() + DEADLINE
        while not holds():
            if time.monotonic() > due:
                raise AssertionError("".join(self.lines))
            time.sleep(0.02)

    def get(
        self,
        path: str,
        port: int = 0,
        method: str = "GET",
        body: str | None = None,
        **headers: str,
    ) -> tuple[int, str]:
        """Ask on a connection of its own."""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        data = None if body is None else body.encode()
        try:
            with urlopen(Request(url, data, headers, method=method), timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def statuses(self, count: int, path: str = "/api/v1/a/ok", **headers: str) -> list[int]:
        return [self.get(path, **headers)[0] for _ in range(count)]

    def metrics(self) -> dict[str, float]:
        """Values by name and labels, as they are written."""
        status, text = self.get("/metrics", self.admin)
        self.assertEqual(status, 200)
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def states(self) -> dict[str, int]:
        """How many workers are in which state; none where nobody answers."""
        try:
            found = self.metrics()
        except OSError:
            return {}
        named = ((re.findall('naap_workers{state="(.*)"}', name), n) for name, n in found.items())
        return {name[0]: int(count) for name, count in named if name and count}

    def pids(self) -> dict[str, int]:
        """The process of each worker, as the log told last."""
        told = re.findall(r"(worker \d+) serves, process (\d+)", "".join(self.lines))
        return {name: int(pid) for name, pid in told}

    def streams(self, count: int) -> list[Stream]:
        streams = [Stream(self.port) for _ in range(count)]
        for stream in streams:
            self.assertTrue(stream.until(b"data: 1"), stream.got)
        return streams

    def owners(self, streams: list[Stream]) -> dict[int, int]:
        """By the port of each stream's caller, the process that serves it."""
        place = f"0100007F:{self.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {row[9]: int(row[2].split(":")[1], 16) for row in rows if row[1] == place}
        found = {}
        for pid in self.pids().values():
            for file in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    inode = re.findall(r"socket:\[(\d+)\]", os.readlink(file))
                except OSError:
                    continue
                if inode and inode[0] in inodes:
                    found[inodes[inode[0]]] = pid
        return {stream.port: found[stream.port] for stream in streams}
