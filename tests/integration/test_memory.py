"""Big bodies and stalled readers: the proxy's memory stays where it is."""

import gc
import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall

from naap_twisted import create_external_proxy
from naap_twisted.testing import Watchable

from .support import PATH, IntegrationTestCase

MEGABYTE = 1024 * 1024
BOUND = 8 * MEGABYTE
# Four sockets stand between the upstream's program and the browser's, and the kernel lets each
# grow by itself; an upstream that is not stopped passes this in a second.
SOCKETS = 32 * MEGABYTE
_STATM = Path("/proc/self/statm")


def resident():
    """This process's resident bytes."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Peer(ProcessProtocol, Watchable):
    """The peer process: its lines, and a way to give it commands."""

    def __init__(self, test):
        super().__init__()
        self.lines = []
        self.ended = False
        self._rest = b""
        script = str(Path(__file__).with_name("peer.py"))
        self._process = reactor.spawnProcess(
            self, sys.executable, [sys.executable, script], childFDs={0: "w", 1: "r", 2: 2}
        )
        test.addCleanup(self.stop)

    def outReceived(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines.extend(line.decode().split() for line in lines)
        self.changed()

    def processEnded(self, reason):
        self.ended = True
        self.changed()

    def tell(self, *words):
        """One command."""
        self.transport.write(" ".join(map(str, words)).encode() + b"\n")

    async def said(self, word):
        """The first line that opens with *word*, taken; its other words are numbers."""
        await self.until(lambda: self.ended or any(line[0] == word for line in self.lines))
        line = next(line for line in self.lines if line[0] == word)
        self.lines.remove(line)
        return [int(number) for number in line[1:]]

    async def stop(self):
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        await self.until(lambda: self.ended)


class MemoryTests(IntegrationTestCase):
    timeout = 60
    if not _STATM.exists():
        skip = "needs /proc"

    async def _setting(self):
        self.peer = Peer(self)
        ports = await self.peer.said("ports")
        self.running = self.serve()
        proxy = create_external_proxy(
            allowed_hosts=["127.0.0.1"],
            allowed_schemes=["http"],
            allowed_ports=ports,
            content_type="*/*",
            body_limit="64mb",
        )
        self.running.server.mount("/x", proxy)
        return [f"http://127.0.0.1:{port}/" for port in ports]

    def _watch_memory(self):
        """Sample now and from now on; the returned call gives the growth so far."""
        gc.collect()
        before = peak = resident()

        def sample():
            nonlocal peak
            peak = max(peak, resident())

        call = LoopingCall(sample)
        call.start(0.01)
        self.addCleanup(call.stop)
        return lambda: peak - before

    async def _both_ways(self, target, total):
        self.peer.tell("both", self.running.port, PATH, target, total)
        (echoed,) = await self.peer.said("echoed")
        self.assertEqual(echoed, total)

    async def test_20_megabytes_both_ways(self):
        """Each byte comes back as it was sent, through a route of any content type."""
        echo, _ = await self._setting()
        await self._both_ways(echo, MEGABYTE)
        grown = self._watch_memory()
        await self._both_ways(echo, 20 * MEGABYTE)
        self.assertLess(grown(), BOUND)

    async def test_a_reader_that_stops_stops_the_upstream(self):
        """What the upstream could send is what sockets and buffers hold; leaving ends it."""
        _, pour = await self._setting()
        grown = self._watch_memory()
        self.peer.tell("stall", self.running.port, PATH, pour)
        (sent,) = await self.peer.said("blocked")
        self.assertLess(sent, SOCKETS)
        self.assertLess(grown(), BOUND)
        self.peer.tell("leave")
        left = reactor.seconds()
        (sent,) = await self.peer.said("gone")
        self.assertLess(sent, BOUND)
        self.assertLess(reactor.seconds() - left, 1.5)
