"""slowhttptest in its four modes against a server process that serves normal requests meanwhile."""

import resource
import shutil
import socket
from time import monotonic

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from naap_twisted.testing import RawClient, ScriptedUpstream
from tests.integration.support import OK, response

from .faults import eventually
from .process import NO_PROCESS, Child, ProxyProcess, pinned

_TOOL = shutil.which("slowhttptest")
_SECONDS = 6
_CONNECTIONS = 300
_BIG = response(200, b"z" * 200_000, "Content-Type: application/octet-stream")


class FloodTests(TestCase):
    """Each mode: 300 slow connections in a second or two; a caller beside it notices nothing."""

    timeout = 60
    skip = NO_PROCESS or (None if _TOOL else "slowhttptest is not installed (Debian: slowhttptest)")

    async def flood(self, *mode, reply=OK, path="/api/v1/flooded"):
        """The attack and, while it lasts, normal requests, each of which is answered in time."""
        self.flooded = ScriptedUpstream(self, reply)
        self.normal = ScriptedUpstream(self, OK)
        self.proxy = await ProxyProcess(
            self, pinned("/flooded", self.flooded) + pinned("/normal", self.normal)
        ).started()
        await self.ask()
        before = self.proxy.sockets()
        base = ["-c", str(_CONNECTIONS), "-r", "100", "-l", str(_SECONDS), "-i", "1", "-p", "3"]
        url = f"http://127.0.0.1:{self.proxy.port}{path}"
        attack = Child(self, [_TOOL, *mode, *base, "-u", url], path=".")
        guard = reactor.callLater(_SECONDS + 10, attack.kill)
        longest, count, most = 0.0, 0, before
        while not attack.ended:
            longest, count = max(longest, await self.ask()), count + 1
            most = max(most, self.proxy.sockets())
            await deferLater(reactor, 0.05)
        if guard.active():
            guard.cancel()
        came = max(most - before, len(self.flooded.requests))
        self.assertGreater(came, _CONNECTIONS // 2, "the attack did not take place")
        self.assertGreater(count, 10)
        self.assertLess(longest, 1.0)
        print(f"\n  {count} requests, slowest {longest * 1000:.0f} ms, {most} sockets ", end="")
        # Idle connections to upstreams go after four seconds.
        await eventually(lambda: self.proxy.sockets() <= before, 8.0)
        self.assertFalse(self.proxy.ended)
        self.assertNotIn(b"Traceback", self.proxy.output)
        self.assertNotIn(b"Unhandled", self.proxy.output)

    async def ask(self):
        """One normal request; the seconds it took."""
        started = monotonic()
        client = await RawClient.connect(self, self.proxy.port)
        headers = {"Content-Type": "application/json"}
        client.request("POST", "/api/v1/normal/v1", headers, b'{"n": 1}')
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.complete), (200, True))
        await client.stop()
        return monotonic() - started

    async def test_slow_headers(self):
        await self.flood("-H", "-x", "24")

    async def test_slow_bodies(self):
        await self.flood("-B", "-t", "POST", "-f", "text/plain", "-s", "8192", "-x", "10")
        # Streaming: what was announced was passed on, and given up with the browser.
        await eventually(lambda: all(request.lost for request in self.flooded.requests), 5.0)

    async def test_slow_readers(self):
        window = ("-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3")
        await self.flood("-X", *window, reply=_BIG)

    async def test_ranges(self):
        await self.flood("-R", "-t", "GET", "-a", "5", "-b", "3000", reply=_BIG)


class CrowdTests(TestCase):
    """One address with as many idle connections as it may have."""

    timeout = 30
    skip = NO_PROCESS

    async def test_others_are_served(self):
        """Debian gives a process 1024 open files: fewer than two such addresses would need."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4096:
            self.skipTest("this machine allows too few open files for a crowd")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        normal = ScriptedUpstream(self, OK)
        proxy = await ProxyProcess(self, pinned("/normal", normal), files=1024).started()
        for guest in range(1, 1101):
            sock = socket.create_connection(
                ("127.0.0.1", proxy.port), 5, source_address=("127.0.0.2", 0)
            )
            self.addCleanup(sock.close)
            if guest % 100 == 0:
                await deferLater(reactor, 0.05)
        self.assertGreater(proxy.sockets(), 1000)
        started = monotonic()
        clients = [await RawClient.connect(self, proxy.port) for _ in range(40)]
        for client in clients:
            client.request("GET", "/api/v1/normal/v1")
            self.assertEqual((await client.answer()).status, 200)
        self.assertLess(monotonic() - started, 2.0)
        self.assertNotIn(b"Traceback", proxy.output)
