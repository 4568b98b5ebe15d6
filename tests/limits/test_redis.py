"""Tests of naap_twisted.limits.redis: the contract on a real redis-server, and its loss."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.limits.redis import RedisRateLimiter
from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisGone, RedisLink
from naap_twisted.model import RateLimit
from naap_twisted.secret import Secret

from ..integration.support import until
from ..servers import NO_REDIS, Redis
from .contract import RateLimiterContract


class RedisTests(RateLimiterContract, TestCase):
    skip = NO_REDIS
    timeout = 60

    async def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_790_000_000.3)
        self.redis = Redis(self)
        self.number = 0
        self.link = await self.connect()

    async def connect(self) -> RedisLink:
        """A link as another process has it."""
        link = RedisLink(RedisAddress.parse(Secret(self.redis.url)), reactor, deadline=5.0)
        link.start()
        self.addCleanup(link.stop)
        await until(lambda: link.up)
        return link

    def limiter(self, requests: int, window: float, link: Any = None) -> RedisRateLimiter:
        limit = RateLimit(requests, window)
        return RedisRateLimiter(
            limit, link or self.link, self.clock, prefix="t:", now=self.clock.seconds
        )

    async def test_one_limit_for_two_processes(self) -> None:
        """Whatever passes here counts there, also when both ask at the same moment."""
        first, second = self.limiter(50, 60.0), self.limiter(50, 60.0, await self.connect())
        asked = [limiter.hit("a") for _ in range(50) for limiter in (first, second)]
        decisions = await gatherResults(asked)
        self.assertEqual(sum(decision.allowed for decision in decisions), 50)

    async def test_prefixes_are_apart(self) -> None:
        """Another policy's counts of the same key are another matter."""
        other = RedisRateLimiter(RateLimit(1, 60.0), self.link, self.clock, prefix="o:")
        self.assertTrue((await self.hit(self.limiter(1, 60.0))).allowed)
        self.assertTrue((await self.hit(other)).allowed)

    async def test_by_redis_own_clock(self) -> None:
        """Without a clock of the tests' the window is counted by Redis."""
        limiter = RedisRateLimiter(RateLimit(2, 60.0), self.link, self.clock, prefix="c:")
        decisions = [await self.hit(limiter) for _ in range(3)]
        self.assertEqual([decision.allowed for decision in decisions], [True, True, False])
        self.assertIn(decisions[2].retry_after, (59, 60))

    async def test_what_it_leaves(self) -> None:
        """A key's list is short, and Redis forgets it when the window is over."""
        limiter = self.limiter(1000, 60.0)
        for _ in range(200):
            self.clock.advance(0.5)
            await self.hit(limiter)
        ask = self.link._factory.handler
        self.assertLessEqual(await ask.llen("t:a"), 18)
        self.assertTrue(0 < await ask.execute_command("PTTL", "t:a") <= 60_000)

    async def test_scripts_forgotten(self) -> None:
        """A Redis that lost its scripts is given the script again."""
        limiter = self.limiter(5, 60.0)
        await self.hit(limiter)
        await self.link._factory.handler.execute_command("SCRIPT", "FLUSH")
        self.assertTrue((await self.hit(limiter)).allowed)
        self.assertTrue(self.link.up)


class Gone:
    """A link that is lost in the middle of every question, or was before."""

    def __init__(self, up: bool) -> None:
        self.up = up
        self.answer: Any = None

    def evaluate(self, *asked: Any) -> Any:
        result = succeed(self.answer)
        return result if self.answer else result.addCallback(self._fail)

    def _fail(self, _: Any) -> None:
        raise RedisGone("gone")


class LossTests(SynchronousTestCase):
    def limiter(self, link: Any, requests: int = 2, **options: Any) -> RedisRateLimiter:
        return RedisRateLimiter(RateLimit(requests, 60.0), link, Clock(), prefix="t:", **options)

    def outcome(self, decision: Any) -> bool:
        if hasattr(decision, "addCallback"):
            decision = self.successResultOf(decision)
        return decision.allowed

    def test_local(self) -> None:
        """Gone before or during the question: this process' own counts decide."""
        for up in (False, True):
            limiter = self.limiter(Gone(up))
            passed = [self.outcome(limiter.hit("a")) for _ in range(3)]
            self.assertEqual(passed, [True, True, False])

    def test_deny(self) -> None:
        """Or nobody passes: 503, which says that it is not the caller's fault."""
        self.assertRaises(Unavailable, self.limiter(Gone(False), deny=True).hit, "a")
        failed = self.limiter(Gone(True), deny=True).hit("a")
        self.failureResultOf(failed, Unavailable)

    def test_own_counts_go_on(self) -> None:
        """What this process let through while Redis was there counts when it is gone, and back.

        A Redis that came back empty does not give the process its limit a second time.
        """
        link = Gone(True)
        limiter = self.limiter(link, requests=3)
        link.answer = [1, 2, 60_000]
        self.assertTrue(self.outcome(limiter.hit("a")))
        link.answer, link.up = None, False
        self.assertTrue(self.outcome(limiter.hit("a")))
        link.answer, link.up = [1, 2, 60_000], True
        self.assertEqual([self.outcome(limiter.hit("a")) for _ in range(3)], [True, False, False])

    def test_never_over_by_itself(self) -> None:
        """Many requests wait for an empty Redis at once: this process still keeps the limit."""
        link = Gone(True)
        waiting: list[Deferred[Any]] = []
        link.evaluate = lambda *asked: waiting.append(Deferred()) or waiting[-1]
        limiter = self.limiter(link, requests=3)
        decisions = [limiter.hit("a") for _ in range(9)]
        for answer in waiting:
            answer.callback([1, 2, 60_000])
        self.assertEqual(sum(self.outcome(decision) for decision in decisions), 3)

    def test_refused_by_redis_is_not_counted(self) -> None:
        """Who is refused there is not counted here, or waiting would not help."""
        link = Gone(True)
        limiter = self.limiter(link, requests=2)
        link.answer = [0, 0, 5_000]
        self.assertFalse(any(self.outcome(limiter.hit("a")) for _ in range(9)))
        link.answer = [1, 1, 60_000]
        self.assertTrue(self.outcome(limiter.hit("a")))
