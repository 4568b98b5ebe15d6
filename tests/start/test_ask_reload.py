"""Tests of naap_twisted.start.ask_reload: the command against a real server, in a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from threading import Timer
from typing import IO, Any
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.listen import parse_listen
from naap_twisted.start import ask_reload
from naap_twisted.start.ask_reload import _connection
from tests.servers import free_port
from tests.support import INTERRUPTIBLE

DEADLINE = 60.0
CONFIG = """\
[server]
listen = ["tcp:{port}:interface=127.0.0.1"]
{admin}
[auth]
mode = "none"
[[proxy]]
path = "{path}"
target = "https://api.example.com/v1"
"""


class ReloadProcessCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.config = self.folder / "naap-proxy.toml"
        self.port, self.admin = free_port(), free_port()
        self.environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.seen: list[str] = []

    def write(self, path: str = "/a", admin: str | None = None) -> None:
        if admin is None:
            admin = f'admin_listen = "tcp:{self.admin}:interface=127.0.0.1"'
        self.config.write_text(CONFIG.format(port=self.port, admin=admin, path=path))

    def spawn(self) -> subprocess.Popen[str]:
        program = "from twisted.scripts.twistd import run; run()"
        process = subprocess.Popen(
            [
                *(*INTERRUPTIBLE, sys.executable, "-c", program, "-n", "--pidfile="),
                *("naap-proxy", "--config", self.config.name),
            ],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = Timer(DEADLINE, process.kill)
        deadline.start()
        self.addCleanup(deadline.cancel)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        self.read_until(process.stdout, "listens on")
        self.wait_for_handlers()
        return process

    def wait_for_handlers(self) -> None:
        """The signal handlers are there once the reactor runs, and so answers."""
        with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=DEADLINE) as answer:
            self.assertEqual(answer.status, 200)

    def read_until(self, lines: IO[str], word: str) -> str:
        for line in lines:
            self.seen.append(line)
            if word in line:
                return line
        raise AssertionError("".join(self.seen))

    def command(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "naap_twisted", "reload", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        return done.returncode, done.stdout, done.stderr


class CommandTests(ReloadProcessCase):
    def test_reload(self) -> None:
        """It says what serves now and what changed, or why nothing did: of the server's reading."""
        self.write()
        process = self.spawn()
        name = self.config.name
        self.write("/b")
        status, out, err = self.command(name)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, "generation 2 serves; changed: /b (new), /a (gone)\n")
        self.config.write_text(self.config.read_text() + "nonsense = 1\n")
        status, out, err = self.command(name)
        self.assertEqual((status, out), (1, ""))
        line = len(self.config.read_text().splitlines())
        self.assertEqual(err, f"{name}:{line}: proxy[0].nonsense: unknown key\n")
        self.write("/b", admin="")
        status, out, err = self.command(name)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("no server.admin_listen; reload it by a signal", err)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.write()
        status, out, err = self.command(name)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("no answer from tcp:", err)

    def test_hangup(self) -> None:
        """SIGHUP reloads, a storm of them too; the process answers, and ends with status 0."""
        self.write()
        process = self.spawn()
        assert process.stdout is not None
        self.write("/b")
        process.send_signal(signal.SIGHUP)
        line = self.read_until(process.stdout, "reloaded")
        self.assertIn("generation 2; changed: /b (new), /a (gone)", line)
        self.write("/c")
        for _ in range(100):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.001)
        self.assertIn("/c (new)", self.read_until(process.stdout, "reloaded"))
        self.config.write_text("broken")
        process.send_signal(signal.SIGHUP)
        self.assertIn("not TOML", self.read_until(process.stdout, "reload refused"))
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        self.assertEqual(process.wait(30), 0, rest)
        self.assertNotIn("Traceback", "".join(self.seen) + rest)


class AskTests(SynchronousTestCase):
    def test_partly(self) -> None:
        """Where some workers refuse, it says which, and that the others do not."""
        config = Path(self.mktemp()).absolute()
        admin = 'admin_listen = "tcp:9:interface=127.0.0.1"'
        config.write_text(CONFIG.format(port=1, admin=admin, path="/a"))
        told = {"generation": 2, "changed": [], "problems": ["worker 1: x"], "partly": True}
        self.patch(ask_reload, "_ask", lambda _: (422, told))
        err = StringIO()
        with redirect_stderr(err):
            self.assertEqual(ask_reload.run(Namespace(config=str(config))), 1)
        said = "worker 1: x\ngeneration 2 serves, but not in these workers\n"
        self.assertEqual(err.getvalue(), said)

    def test_where(self) -> None:
        """Loopback for a listener on every interface, and the path of a UNIX socket."""
        for endpoint, host in (
            ("tcp:4021", "127.0.0.1"),
            ("tcp6:4021", "::1"),
            ("tcp:4021:interface=10.0.0.1", "10.0.0.1"),
            (r"tcp6:4021:interface=\:\:", "::1"),
        ):
            made: Any = _connection(parse_listen(endpoint))
            self.assertEqual((made.host, made.port), (host, 4021))
        self.assertRaises(OSError, _connection, parse_listen("unix:/nowhere/admin"))
