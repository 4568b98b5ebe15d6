"""Whether the server should be sent requests."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.ready import PATIENCE, Probe

from ..integration.support import until
from ..servers import NO_REDIS, Redis
from .support import AdminTestCase


class ProbeTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.asked = 0
        self.answer = Deferred()

    def ask(self):
        self.asked += 1
        return self.answer

    def test_answers(self):
        """Whether it answered; an error, also one that is raised, is no answer."""

        def broken():
            raise ZeroDivisionError

        for ask, well in (
            (lambda: succeed("x"), True),
            (lambda: fail(ValueError()), False),
            (broken, False),
        ):
            probe = Probe(ask, self.clock)
            self.assertEqual([self.successResultOf(probe()) for _ in range(2)], [well, well])

    def test_shared(self):
        """Those who ask at once share one question."""
        probe = Probe(self.ask, self.clock)
        waiting = [probe() for _ in range(5)]
        self.assertEqual(self.asked, 1)
        self.answer.callback(None)
        self.assertEqual([self.successResultOf(each) for each in waiting], [True] * 5)
        self.answer = Deferred()
        self.assertNoResult(probe())
        self.assertEqual(self.asked, 2)
        self.answer.callback(None)

    def test_silent(self):
        """What hangs is waited for a moment, and not asked again while it does."""
        probe = Probe(self.ask, self.clock)
        for _ in range(3):
            waiting = probe()
            self.clock.advance(PATIENCE - 0.01)
            self.assertNoResult(waiting)
            self.clock.advance(0.02)
            self.assertFalse(self.successResultOf(waiting))
        self.assertEqual(self.asked, 1)
        self.answer.callback(None)
        self.answer = succeed(None)
        self.assertTrue(self.successResultOf(probe()))

    def test_within_a_probe_s_second(self):
        """An orchestrator's probe gives up after a second."""
        self.assertLess(PATIENCE, 0.9)


class ReadinessTests(AdminTestCase):
    async def report(self):
        answer = await self.ask("/readyz")
        self.assertEqual(answer.header("cache-control"), "no-store")
        document = answer.json()
        self.assertEqual(answer.status == 200, document["status"] == "ready")
        return answer.status, document["failing"], document["checks"]

    async def test_nothing_behind(self):
        """A server that keeps nothing needs nothing."""
        self.start()
        checks = {"server": "ok", "listeners": "ok"}
        self.assertEqual(await self.report(), (200, [], checks))

    async def test_listener_down(self):
        """A public address that is not heard any more."""
        self.start(listen=["tcp:0:interface=127.0.0.1"] * 2)
        _, second = self.server._stage._listeners
        await second.stopService()
        status, failing, _ = await self.report()
        self.assertEqual((status, failing), (503, ["listeners"]))
        second.startService()

    async def test_database(self):
        """A database that can't be read."""
        self.start(state_dir=self.mktemp())
        self.assertEqual((await self.report())[2]["database"], "ok")
        database = self.server.parts.state._database
        database.close()
        status, failing, checks = await self.report()
        self.assertEqual((status, failing), (503, ["database"]))
        self.assertEqual(checks["database"], "unreachable")
        database.open()
        self.assertEqual((await self.report())[0], 200)


class RedisTests(AdminTestCase):
    skip = NO_REDIS
    timeout = 30

    async def report(self):
        document = (await self.ask("/readyz")).json()
        return document["failing"], document["checks"]["redis"]

    async def test_redis(self):
        """Needed where on_redis_loss denies; elsewhere told, and no reason to go."""
        for on_loss, failing in (("deny", ["redis"]), ("local", [])):
            redis = Redis(self)
            self.start(redis_url=redis.url, on_redis_loss=on_loss)
            link = self.server.parts.state.redis
            await until(lambda link=link: link.up)
            self.assertEqual(await self.report(), ([], "ok"))
            redis.kill()
            # Nobody else asked meanwhile: it is /readyz that finds out.
            self.assertEqual(await self.report(), (failing, "unreachable"))
            metrics = (await self.ask("/metrics")).body
            self.assertIn(b"naap_redis_up 0.0", metrics)
            self.assertIn(b"naap_redis_outages_total 1.0", metrics)
            redis.start()
            await until(lambda link=link: link.up)
            self.assertEqual(await self.report(), ([], "ok"))

    async def test_redis_that_swallows(self):
        """One that neither answers nor closes does not hold the answer up."""
        redis = Redis(self)
        self.start(redis_url=redis.url, on_redis_loss="deny")
        await until(lambda: self.server.parts.state.redis.up)
        redis.pause()
        self.addCleanup(redis.resume)
        late = deferLater(reactor, 5.0)
        self.assertEqual(await self.report(), (["redis"], "unreachable"))
        self.assertFalse(late.called)
        late.addErrback(lambda _: None).cancel()
