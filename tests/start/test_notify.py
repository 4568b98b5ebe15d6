"""Tests of naap_twisted.start.notify: with a datagram socket in systemd's place."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.start import notify
from tests.adversarial.process import SERVER, ProxyProcess, pinned
from tests.demo.loopback import until

ROUTE = pinned("/x", SimpleNamespace(origin="http://127.0.0.1:9"))


class Manager:
    """The receiving end; *abstract*: its name is in no directory."""

    def __init__(self, test: SynchronousTestCase, abstract: bool = False) -> None:
        # A test's own folder can have a longer path than a socket's name may.
        folder = tempfile.mkdtemp()
        test.addCleanup(shutil.rmtree, folder)
        self.path = f"@naap-{os.getpid()}-{id(self)}" if abstract else f"{folder}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        test.addCleanup(self._socket.close)
        self._socket.bind("\0" + self.path[1:] if abstract else self.path)
        self._socket.setblocking(False)
        self.heard: list[dict[str, str]] = []

    def read(self) -> list[dict[str, str]]:
        """All messages so far."""
        while True:
            try:
                message = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in message.split("\n")))


class NotifyTests(SynchronousTestCase):
    def manager(self, abstract: bool = False) -> Manager:
        manager = Manager(self, abstract)
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": manager.path})
        return manager

    def test_messages(self) -> None:
        """A path, and a name in the abstract namespace; a status is one line."""
        for abstract in (False, True):
            manager = self.manager(abstract)
            before = time.monotonic_ns() // 1000
            self.assertTrue(notify.tell_reloading())
            self.assertTrue(notify.tell_ready("two\nREADY=0"))
            self.assertTrue(notify.tell_stopping())
            reloading, ready, stopping = manager.read()
            self.assertEqual(reloading["RELOADING"], "1")
            usec = int(reloading["MONOTONIC_USEC"])
            self.assertTrue(before <= usec <= time.monotonic_ns() // 1000)
            self.assertEqual(ready, {"READY": "1", "STATUS": "two READY=0"})
            self.assertEqual(stopping, {"STOPPING": "1", "STATUS": "draining"})

    def test_nobody_asks(self) -> None:
        """Without the variable nothing is sent, and nothing is logged."""
        self.patch(os, "environ", {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"})
        with capturedLogs() as events:
            self.assertFalse(notify.tell_ready())
        self.assertEqual(events, [])

    def test_nobody_hears(self) -> None:
        """A socket that is gone is a warning: the server goes on."""
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": "/nonexistent/notify"})
        with capturedLogs() as events:
            self.assertFalse(notify.tell_ready())
        self.assertIn("NOTIFY_SOCKET", events[0]["log_format"])

    def test_full(self) -> None:
        """A manager that does not read is not waited for."""
        self.manager()
        with capturedLogs() as events:
            for _ in range(100_000):
                if not notify.tell_ready():
                    break
            else:
                self.fail("it took everything")
        self.assertEqual(len(events), 1)


class ServerTests(TestCase):
    timeout = 60
    if sys.platform != "linux":
        skip = "systemd is Linux's"

    async def test_a_life(self) -> None:
        """Ready once it listens, two reloads of which one is refused, and the end."""
        manager = Manager(self)
        set_it = f"import os; os.environ['NOTIFY_SOCKET'] = {manager.path!r}\n"
        child = await ProxyProcess(self, ROUTE, before=set_it).started()
        await until(lambda: len(manager.read()) == 1)
        self.assertEqual(manager.heard[0], {"READY": "1", "STATUS": "serving"})
        config = Path(Path(f"/proc/{child.pid}/cmdline").read_text().split("\0")[-2])
        for text, status in ((SERVER + ROUTE, "generation 2"), ("[server", "reload refused")):
            manager.heard.clear()
            config.write_text(text)
            os.kill(child.pid, 1)
            await until(lambda: len(manager.read()) == 2)
            self.assertEqual(manager.heard[0]["RELOADING"], "1")
            self.assertEqual(manager.heard[1]["READY"], "1")
            self.assertIn(status, manager.heard[1]["STATUS"])
        manager.heard.clear()
        os.kill(child.pid, 15)
        await child.until(lambda: child.ended)
        self.assertEqual(manager.read(), [{"STOPPING": "1", "STATUS": "draining"}])
