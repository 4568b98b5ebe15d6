"""The table of open files is full: what still answers, and at what cost. Real processes."""

import os
import re
import time
from http.client import HTTPConnection
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from naap_twisted.testing import PAUSE, ScriptedUpstream
from naap_twisted.testing.client import RawClient

from .faults import eventually
from .process import NO_PROCESS, SERVER, ProxyProcess, pinned

_PATIENCE = 60
_ADMIN = 'admin_listen = "tcp:0:interface=127.0.0.1"\n[auth]'
_ADMIN_AT = re.compile(rb"admin: http://127\.0\.0\.1:(\d+)")
_FILES = 256
_MOST = (_FILES - 100) // 2
# The limit is the process's own, so that it can't be raised, and of no other.
_LIMITED = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({_FILES}, {_FILES}))\n"
# Something in the process takes every file, and gives them back when it is asked to.
_HOARDING = _LIMITED + (
    "import os, signal\n"
    "hoard = []\n"
    "def take(*_):\n"
    "    try:\n"
    "        while True:\n"
    "            hoard.append(os.open(os.devnull, os.O_RDONLY))\n"
    "    except OSError:\n"
    "        pass\n"
    "def give(*_):\n"
    "    while hoard:\n"
    "        os.close(hoard.pop())\n"
    "signal.signal(signal.SIGUSR1, take)\n"
    "signal.signal(signal.SIGUSR2, give)\n"
)
_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_EVENT = b"7\r\ndata: 1\r\n"


class FileTests(TestCase):
    """A process with few files."""

    skip = NO_PROCESS
    timeout = 180

    async def begin(self, before, upstream):
        config = SERVER.replace("[auth]", _ADMIN).replace(
            "rate_limit = false", "rate_limit = false\nconnections_per_address = 1000"
        )
        self.process = ProxyProcess(self, pinned("/x", upstream), before=before, server=config)
        await self.process.started()
        self.admin = int(_ADMIN_AT.search(self.process.output)[1])

    async def get(self, port, path):
        """Status and body of one request on a connection of its own."""

        def ask():
            connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

        return await deferToThread(ask)

    async def assert_sound(self):
        """Health, readiness and metrics answer, and the log is written."""
        self.assertEqual((await self.get(self.process.port, "/healthz"))[0], 200)
        self.assertEqual((await self.get(self.admin, "/readyz"))[0], 200)
        status, metrics = await self.get(self.admin, "/metrics")
        self.assertEqual(status, 200)
        self.assertIn(b"naap_connections", metrics)
        before = self.process.output.count(b"/healthz")
        await self.get(self.process.port, "/healthz")
        await self.process.until(lambda: self.process.output.count(b"/healthz") > before)

    async def processor(self, seconds):
        """The share of one processor that the process uses over so long."""
        ticks, began = self.process._ticks(), time.monotonic()
        await deferLater(reactor, seconds)
        used = (self.process._ticks() - ticks) / os.sysconf("SC_CLK_TCK")
        return used / (time.monotonic() - began)

    def files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def test_connections(self):
        """Callers fill what is theirs: streams go on, a further one is told, health answers."""
        upstream = ScriptedUpstream(self, _STREAM + _EVENT, PAUSE, _EVENT, b"0\r\n\r\n")
        await self.begin(_LIMITED, upstream)
        streams = [await RawClient.connect(self, self.process.port) for _ in range(10)]
        for client in streams:
            client.request("GET", "/api/v1/x/stream")
            self.assertEqual((await client.head()).status, 200)
            await client.read(len(_EVENT))
        silent = [await RawClient.connect(self, self.process.port) for _ in range(_MOST - 10)]
        sockets = self.process.sockets
        await eventually(lambda: sockets() >= _MOST + 10, _PATIENCE)
        self.assertLess(self.files(), _FILES - 20)
        status, body = await self.get(self.process.port, "/api/v1/x/one-more")
        self.assertEqual(status, 503)
        self.assertIn(b"UNAVAILABLE", body)
        await self.assert_sound()
        self.assertLess(await self.processor(1.0), 0.3)
        for client in silent:
            await client.stop()
        upstream.release()
        for client in streams:
            self.assertTrue((await client.read_until(b"0\r\n\r\n")).endswith(b"0\r\n\r\n"))
        status, _ = await self.get(self.process.port, "/healthz")
        self.assertEqual(status, 200)

    async def test_a_full_table(self):
        """Nothing is left at all: no spinning, health and admin answer; later all is as before."""
        upstream = ScriptedUpstream(self, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await self.begin(_HOARDING, upstream)
        self.assertEqual((await self.get(self.process.port, "/api/v1/x/a"))[0], 200)
        os.kill(self.process.pid, 10)  # SIGUSR1
        # A connection of before may close meanwhile; those who wait below take what it leaves.
        await eventually(lambda: self.files() >= _FILES - 5, _PATIENCE)
        waiting = [await RawClient.connect(self, self.process.port) for _ in range(20)]
        await deferLater(reactor, 0.5)
        self.assertLess(await self.processor(2.0), 0.2)
        lines = self.process.output.count(b"\n")
        await deferLater(reactor, 1.0)
        self.assertLess(self.process.output.count(b"\n") - lines, 50)
        for client in waiting:
            await client.stop()
        await self.assert_sound()
        self.assertEqual((await self.get(self.process.port, "/api/v1/x/a"))[0], 503)
        told = self.process.output.count(b"is the limit of open files")
        self.assertIn(told, (1, 2))  # of each port that met it, once a minute
        os.kill(self.process.pid, 12)  # SIGUSR2

        async def served():
            return (await self.get(self.process.port, "/api/v1/x/a"))[0] == 200

        due = time.monotonic() + _PATIENCE
        while not await served():
            self.assertLess(time.monotonic(), due)
            await deferLater(reactor, 0.1)
        await self.assert_sound()
