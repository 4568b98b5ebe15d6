"""Somebody sets the wall clock: an hour forward, an hour back, while requests are in flight.

The server is a process of its own whose ``time.time`` the test moves. A suspended machine that
wakes up looks the same to it: the wall clock has jumped, the monotonic one has not.
"""

import mmap
import struct
from pathlib import Path
from time import monotonic, time

from twisted.trial.unittest import TestCase
from twisted.web.http import stringToDatetime

from naap_twisted.testing import PAUSE, RawClient, ScriptedUpstream
from tests.integration.support import OK

from .process import NO_PROCESS, ProxyProcess, pinned

HOUR = 3600.0
STREAMS = 20
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENT = b"c\r\ndata: tick\n\n\r\n"
# Before Twisted is imported: it takes time.time by its name.
_SET_BY_TEST = """
import mmap, struct, time
with open({path!r}, "rb") as file:
    clock = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
wall = time.time
time.time = lambda: wall() + struct.unpack_from("d", clock)[0]
"""


class WallClock:
    """What the child's ``time.time`` is ahead of the real one, in seconds."""

    def __init__(self, test):
        self.path = test.mktemp()
        with open(self.path, "wb") as file:
            file.write(bytes(8))
        with open(self.path, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        test.addCleanup(self._shared.close)
        self.before = _SET_BY_TEST.format(path=str(Path(self.path).resolve()))

    def set(self, ahead):
        struct.pack_into("d", self._shared, 0, ahead)


class SteppedClockTests(TestCase):
    """Nothing that lasts is measured by a clock that people set."""

    skip = NO_PROCESS
    timeout = 60

    async def setUp(self):
        self.clock = WallClock(self)
        self.stream = ScriptedUpstream(
            self, _HEAD + _EVENT, PAUSE, _EVENT, PAUSE, _EVENT + b"0\r\n\r\n"
        )
        self.silent = ScriptedUpstream(self, PAUSE)
        self.quick = ScriptedUpstream(self, OK)
        routes = (
            pinned("/stream", self.stream),
            pinned("/silent", self.silent, 'timeout = "2s"'),
            pinned("/quick", self.quick, 'rate_limit = { requests = 1, window = "15m" }'),
        )
        self.proxy = await ProxyProcess(self, "".join(routes), before=self.clock.before).started()

    async def get(self, path):
        client = await RawClient.connect(self, self.proxy.port)
        client.request("GET", f"/api/v1{path}")
        return client

    async def stepped(self, ahead):
        streams = [await self.get("/stream") for _ in range(STREAMS)]
        for client in streams:
            await client.read_until(b"tick\n\n\r\n")
        self.assertEqual((await (await self.get("/quick")).answer()).status, 200)
        late = await self.get("/silent")
        await self.silent.until(lambda: self.silent.requests)
        asked = monotonic()
        self.clock.set(ahead)

        for _ in range(2):
            self.stream.release()
            for client in streams:
                self.assertIn(b"data: tick", await client.read_until(b"tick\n\n\r\n"))
        for client in streams:
            self.assertEqual(await client.read_until(b"0\r\n\r\n"), b"0\r\n\r\n")
        # The connections are idle now, and were not closed for being old.
        streams[0].request("GET", "/healthz")
        self.assertEqual((await streams[0].answer()).status, 200)

        self.assertEqual((await late.answer()).status, 504)
        waited = monotonic() - asked
        self.assertGreater(waited, 1.5)
        self.assertLess(waited, 3.5)
        # The window of a limit is not over because the clock says so.
        self.assertEqual((await (await self.get("/quick")).answer()).status, 429)

    async def test_forward(self):
        """An hour forward cuts no stream, ends no window and fires no timeout."""
        await self.stepped(HOUR)

    async def test_back(self):
        """An hour back puts no timeout off."""
        await self.stepped(-HOUR)

    async def test_the_clock_itself(self):
        """The process does see the step: its Date header is an hour off."""
        self.clock.set(HOUR)
        answer = await (await self.get("/quick")).answer()
        ahead = stringToDatetime(answer.header("Date").encode()) - time()
        self.assertTrue(HOUR - 60 < ahead < HOUR + 60, ahead)
