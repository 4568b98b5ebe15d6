"""An upstream that is down, over sockets: refused at once, asked again later, apart from others."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater

from naap_twisted.testing import ABORT, PAUSE, ScriptedUpstream

from .support import OK, IntegrationTestCase, until

RULE = {"failures": 3, "window": "30s", "open": "500ms"}
DOWN, UNHEALTHY = (502, "BAD_GATEWAY"), (503, "UPSTREAM_UNHEALTHY")


class CircuitTests(IntegrationTestCase):
    async def outcome(self, path):
        answer = await self.post(b"{}", path=path)
        return answer.status, answer.json()["error"]["code"] if answer.status >= 400 else ""

    async def test_down_and_up(self):
        """Nobody listens; then somebody does. Another route to the same place asks for itself."""
        self.start(OK)
        down = ScriptedUpstream(self, OK)
        await down.stop()
        for path in ("/a", "/b"):
            self.mount(path, target=down.origin, circuit_breaker=RULE)
        for _ in range(3):
            self.assertEqual(await self.outcome("/api/v1/a"), DOWN)
        self.assertEqual(await self.outcome("/api/v1/a"), UNHEALTHY)
        self.assertEqual(await self.outcome("/api/v1/b"), DOWN)
        back = reactor.listenTCP(down.port, down._port.factory, interface="127.0.0.1")
        self.addCleanup(back.stopListening)
        self.assertEqual(await self.outcome("/api/v1/a"), UNHEALTHY)
        self.assertEqual(len(down.requests), 0)
        await deferLater(reactor, 0.5)
        self.assertEqual(await self.outcome("/api/v1/a"), (200, ""))
        self.assertEqual(await self.outcome("/api/v1/a"), (200, ""))

    async def test_stalled(self):
        """It takes requests and answers none: it is left alone, and holds no place meanwhile."""
        self.start(PAUSE)
        self.mount("/s", target=self.upstream.origin, timeout=0.1, circuit_breaker=RULE)
        for _ in range(3):
            self.assertEqual(await self.outcome("/api/v1/s"), (504, "UPSTREAM_TIMEOUT"))
        self.assertEqual(await self.outcome("/api/v1/s"), UNHEALTHY)
        self.assertEqual(len(self.upstream.requests), 3)
        self.assertEqual(self.running.server.parts.capacity.in_flight, 0)

    async def test_a_full_house(self):
        """Callers of a route that stalls take what they can; another route and health answer."""
        self.start(PAUSE, server={"max_connections": 32})
        sound = ScriptedUpstream(self, OK)
        self.mount("/s", target=self.upstream.origin)
        self.mount("/o", target=sound.origin)
        stalled = []
        for _ in range(40):
            client = await self.running.client()
            headers = {**self.headers(), "Connection": "close"}
            client.request("POST", "/api/v1/s", headers, b"{}")
            stalled.append(client)
        await until(lambda: len(self.upstream.requests) >= 28)
        await until(lambda: sum(client.closed for client in stalled) >= 11)
        for _ in range(3):
            self.assertEqual(await self.outcome("/api/v1/o"), (200, ""))
        self.assertEqual((await self.running.ask("GET", "/healthz")).status, 200)
        self.assertEqual(len(self.upstream.requests), 28)

    async def test_sent_again(self):
        """A GET that is cut off is answered by the next try; a POST is not sent twice."""
        self.start(ABORT)
        self.mount("/s", target=self.upstream.origin, methods=["GET", "POST"], retries=2)
        for method, body, sent in (("POST", b"{}", 1), ("GET", None, 2)):
            before = len(self.upstream.requests)
            answer = await self.post(body, method, "/api/v1/s")
            self.assert_refused(answer, 502, "BAD_GATEWAY")
            self.assertEqual(answer.header("X-Should-Retry"), "false")
            self.assertEqual(len(self.upstream.requests) - before, sent, "a budget of one")

    async def test_callers_who_leave(self):
        """Any number of them says nothing about the upstream."""
        self.start(PAUSE)
        self.mount("/s", target=self.upstream.origin, circuit_breaker=RULE)
        for number in range(6):
            client = await self.running.client()
            client.request("POST", "/api/v1/s", self.headers(), b"{}")
            await until(lambda number=number: len(self.upstream.requests) > number)
            await client.stop()
        await until(lambda: self.running.server.parts.capacity.in_flight == 0)
        self.assertEqual(self.running.server.routes()[-1].proxy.breaking.open, 0)
