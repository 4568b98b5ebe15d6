"""The shared ledger is lost: what callers, probes and scrapers see, and what is booked."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from twisted.logger import capturedLogs, formatEvent

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.testing import RawClient

from ..servers import NO_POSTGRES, NO_REDIS, Postgres, Redis
from .support import IntegrationTestCase, response, until

ANSWER = response(200, b"{}", "Content-Type: application/json")
PATH = "/api/v1/p"
ADA = {"Authorization": "Bearer t-ada"}


class LossTestCase(IntegrationTestCase):
    timeout = 60

    def begin(self, **server):
        options = {"admin_listen": "tcp:0:interface=127.0.0.1", "require_auth": True, **server}
        self.start(
            ANSWER, server={**options, "authenticator": StaticTokens({"t-ada": User("ada")})}
        )
        budget = [{"requests": 5, "per": "month"}]
        self.mount("/p", target=f"{self.upstream.origin}/v1", budget=budget)
        self.state = self.running.server.parts.state

    async def chat(self):
        headers = {**ADA, "Content-Type": "application/json"}
        return (await self.running.ask("POST", f"{PATH}/chat", headers, b"{}")).status

    async def spent(self):
        """What the user's only budget has spent, as its user reads it."""
        answer = await self.running.ask("GET", "/api/v1/usage", ADA)
        (budget,) = answer.json()["budgets"]
        return budget["spent"], budget["reserved"]

    async def admin(self, path):
        port = urlsplit(self.running.server.admin_address).port
        client = await RawClient.connect(self, port)
        client.request("GET", path)
        answer = await client.answer()
        await client.stop()
        return answer

    async def ready(self):
        """The status of /readyz, what fails, and what it says of the ledger."""
        answer = await self.admin("/readyz")
        document = json.loads(answer.body)
        return answer.status, document["failing"], document["checks"]["ledger"]

    async def metric(self, name):
        lines = (await self.admin("/metrics")).body.decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


class RedisTests(LossTestCase):
    skip = NO_REDIS

    async def started(self, on_loss):
        self.redis = Redis(self)
        self.begin(redis_url=self.redis.url, on_redis_loss=on_loss)
        await until(lambda: self.state.redis.up)

    async def test_goes_on(self):
        """By itself it goes on from what it knows, says so, and books it when Redis is back."""
        await self.started("local")
        self.assertEqual([await self.chat() for _ in range(3)], [200] * 3)
        await until(lambda: not self.state.ledger.waiting)
        self.assertEqual(await self.ready(), (200, [], "ok"))
        with capturedLogs() as logs:
            self.redis.kill()
            self.assertEqual([await self.chat() for _ in range(4)], [200, 200, 429, 429])
            self.assertEqual(await self.ready(), (200, [], "local"))
            self.assertEqual(await self.metric("naap_ledger_up"), 0)
            self.redis.start()  # it has forgotten everything
            await until(lambda: not self.state.watch.gone)
        self.assertEqual(await self.ready(), (200, [], "ok"))
        self.assertEqual(await self.spent(), (5, 0))
        self.assertEqual(await self.chat(), 429)
        for name, value in (
            ("naap_ledger_up", 1),
            ("naap_ledger_losses_total", 1),
            ('naap_ledger_requests_without_total{done="local"}', 4),
            ('naap_ledger_requests_without_total{done="refused"}', 0),
            ("naap_ledger_unbooked_total", 0),
        ):
            self.assertEqual(await self.metric(name), value, name)
        lines = [formatEvent(e) for e in logs if "The ledger of budgets" in e["log_format"]]
        self.assertEqual(len(lines), 2, lines)

    async def test_refuses(self):
        """Nothing is spent without it, and no load balancer should send requests here."""
        await self.started("deny")
        self.assertEqual(await self.chat(), 200)
        self.redis.kill()
        self.assertEqual([await self.chat() for _ in range(2)], [503, 503])
        self.assertEqual(await self.ready(), (503, ["redis", "ledger"], "unreachable"))
        self.redis.start()
        await until(lambda: self.state.redis.up and not self.state.ledger.waiting)
        self.assertEqual(await self.ready(), (200, [], "ok"))
        self.assertEqual(await self.chat(), 200)
        self.assertEqual(await self.metric('naap_ledger_requests_without_total{done="ref'), 2)
        await until(lambda: not self.state.ledger.waiting)
        self.assertEqual(await self.spent(), (2, 0))


class PostgresTests(LossTestCase):
    skip = NO_POSTGRES

    async def test_gone(self):
        """Without the database nothing under a budget is spent: 503, and not ready."""
        cluster = Postgres()
        self.addCleanup(cluster.stop)
        self.begin(database_url=cluster.database("naap_loss"))
        self.assertEqual(await self.chat(), 200)
        self.assertEqual(await self.ready(), (200, [], "ok"))
        cluster.stop()
        self.assertEqual(await self.chat(), 503)
        self.assertEqual(await self.ready(), (503, ["database", "ledger"], "unreachable"))
        self.assertEqual(await self.metric("naap_ledger_losses_total"), 1)


class NothingSharedTests(LossTestCase):
    async def test_no_ledger(self):
        """What is in memory can't be lost, and is not spoken of."""
        self.begin()
        document = json.loads((await self.admin("/readyz")).body)
        self.assertEqual(document["checks"], {"server": "ok", "listeners": "ok"})
        self.assertNotIn(b"naap_ledger", (await self.admin("/metrics")).body)
