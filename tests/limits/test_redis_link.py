"""Tests of naap_twisted.limits.redis_link, over a real redis-server."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisGone, RedisLink, _Deadline
from naap_twisted.secret import Secret

from ..integration.support import until
from ..servers import NO_REDIS, Redis


class DeadlineTests(SynchronousTestCase):
    def test_on_time(self) -> None:
        """Nobody waits longer for Redis, nor once it has answered."""
        clock, ends = Clock(), []
        _Deadline(clock, 1.0, lambda: ends.append("gone"))
        answered = _Deadline(clock, 1.0, lambda: ends.append("never"))
        clock.pump([0.0625] * 8)
        answered.cancel()
        answered.cancel()
        self.assertEqual(ends, [])
        clock.pump([0.0625] * 12)
        self.assertEqual((ends, clock.getDelayedCalls()), (["gone"], []))

    def test_busy(self) -> None:
        """A process that comes late reads its sockets before it takes Redis for gone."""
        clock, ends = Clock(), []
        _Deadline(clock, 1.0, lambda: ends.append("gone"))
        clock.advance(5)
        self.assertEqual(ends, [])
        clock.pump([5] * 4)
        self.assertEqual((ends, clock.getDelayedCalls()), (["gone"], []))


class LinkTests(TestCase):
    skip = NO_REDIS
    timeout = 30

    def setUp(self) -> None:
        self.events: list[dict] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.redis = Redis(self)
        self.link = RedisLink(
            RedisAddress.parse(Secret(self.redis.url)), reactor, deadline=0.1, probe=0.02
        )
        self.addCleanup(self.link.stop)
        self.link.start()

    def told(self, word: str) -> int:
        return sum(
            word in event.get("log_format", "")
            for event in self.events
            if event.get("log_level") in (LogLevel.error, LogLevel.info)
        )

    async def answers(self) -> bool:
        try:
            return await self.link.evaluate("return 7", [], []) == 7
        except RedisGone:
            return False

    async def test_killed_and_back(self) -> None:
        """An outage is told once and counted, answered at once, and ends by itself."""
        await until(lambda: self.link.up)
        self.assertTrue(await self.answers())
        for outage in (1, 2):
            self.redis.kill()
            self.assertEqual([await self.answers() for _ in range(20)], [False] * 20)
            self.assertEqual((self.link.outages, self.told("is gone")), (outage, outage))
            self.redis.start()
            await until(lambda: self.link.up)
            self.assertTrue(await self.answers())
            self.assertEqual(self.told("Redis is back"), outage)

    async def test_silent(self) -> None:
        """One that swallows everything costs the deadline once; then nobody waits for it."""
        await until(lambda: self.link.up)
        self.redis.pause()
        self.addCleanup(self.redis.resume)
        began = reactor.seconds()
        self.assertFalse(await self.answers())
        self.assertLess(reactor.seconds() - began, 1.0)
        self.assertIsInstance(
            self.failureResultOf(self.link.evaluate("return 1", [], [])).value, RedisGone
        )
        self.redis.resume()
        await until(lambda: self.link.up)
        self.assertTrue(await self.answers())

    async def test_a_script_error_is_an_outage(self) -> None:
        """Whatever is not an answer closes the circuit; probing opens it again."""
        await until(lambda: self.link.up)
        failed = self.link.evaluate("return nonsense(", [], [])
        await self.assertFailure(failed, RedisGone)
        await until(lambda: self.link.up)
        self.assertTrue(await self.answers())

    async def test_absent_from_the_start(self) -> None:
        """A server starts without its Redis, and finds it when it comes."""
        self.redis.kill()
        link = RedisLink(RedisAddress.parse(Secret(self.redis.url)), reactor, probe=0.02)
        self.addCleanup(link.stop)
        link.start()
        await until(lambda: link.outages == 1)
        await self.assertFailure(link.evaluate("return 1", [], []), RedisGone)
        self.redis.start()
        await until(lambda: link.up)

    async def test_ping(self) -> None:
        """Whether it answers now: it is what finds an outage that nobody met."""
        await until(lambda: self.link.up)
        await self.link.ping()
        self.redis.kill()
        await self.assertFailure(self.link.ping(), RedisGone)
        self.assertEqual((self.link.up, self.link.outages), (False, 1))
        await self.assertFailure(self.link.ping(), RedisGone)
        self.assertEqual(self.link.outages, 1)
