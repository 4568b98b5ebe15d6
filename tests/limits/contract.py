"""What every rate limiter does, wherever it counts."""

from __future__ import annotations

import random
from inspect import isawaitable
from typing import Any

from naap_twisted.interfaces import IRateLimiter
from naap_twisted.model import RateDecision
from tests.support import verify_protocol


class RateLimiterContract:
    """Mixed into a TestCase with ``clock`` and ``limiter(requests, window)``."""

    clock: Any
    limiter: Any

    async def hit(self, limiter: Any, key: str = "a") -> RateDecision:
        """One decision, at once or later."""
        decision = limiter.hit(key)
        return await decision if isawaitable(decision) else decision

    async def allowed(self, limiter: Any, key: str, times: int = 1) -> list[bool]:
        """Whether each of some requests in a row passes."""
        return [(await self.hit(limiter, key)).allowed for _ in range(times)]

    def test_interface(self: Any) -> None:
        """It stands behind IRateLimiter."""
        verify_protocol(IRateLimiter, self.limiter(1, 1.0))

    async def test_counts_down_then_refuses(self: Any) -> None:
        """*requests* pass, the next does not, and is told when to come back."""
        limiter = self.limiter(2, 60.0)
        self.assertEqual(
            [await self.hit(limiter) for _ in range(3)],
            [
                RateDecision(True, 2, 1),
                RateDecision(True, 2, 0),
                RateDecision(False, 2, 0, retry_after=60),
            ],
        )

    async def test_passes_after_retry_after(self: Any) -> None:
        """Who waits Retry-After seconds passes; who comes a little earlier does not."""
        limiter = self.limiter(1, 60.0)
        await self.hit(limiter)
        self.clock.advance(10.5)
        self.assertEqual((await self.hit(limiter)).retry_after, 50)
        self.clock.advance(49.4)
        self.assertEqual(await self.hit(limiter), RateDecision(False, 1, 0, retry_after=1))
        self.clock.advance(0.6)
        self.assertTrue((await self.hit(limiter)).allowed)

    async def test_reset(self: Any) -> None:
        """``reset`` says when the oldest request is forgotten, whether this one passes or not."""
        limiter = self.limiter(2, 64.0)
        self.assertEqual((await self.hit(limiter)).reset, 64)
        self.clock.advance(20)
        self.assertEqual([(await self.hit(limiter)).reset for _ in range(2)], [44, 44])

    async def test_refused_requests_do_not_count(self: Any) -> None:
        """Hammering on a closed door does not keep it closed."""
        limiter = self.limiter(2, 60.0)
        await self.allowed(limiter, "a", 100)
        self.clock.advance(60)
        self.assertEqual(await self.allowed(limiter, "a", 3), [True, True, False])

    async def test_keys_are_apart(self: Any) -> None:
        """One caller's requests cost another nothing."""
        limiter = self.limiter(1, 60.0)
        for key in ("a", "b", "a ", "ä", "u:" + "x" * 300, "2001:db8::/64", ""):
            self.assertEqual(await self.allowed(limiter, key, 2), [True, False], key)

    async def test_no_double_at_the_boundary(self: Any) -> None:
        """A burst at the end of one window and one at the start of the next do not add up."""
        limiter = self.limiter(10, 60.0)
        await self.hit(limiter)
        self.clock.advance(59.5)
        self.assertEqual(sum(await self.allowed(limiter, "a", 20)), 9)
        self.clock.advance(0.5)
        self.assertEqual(sum(await self.allowed(limiter, "a", 20)), 1)

    async def test_never_over_in_any_window(self: Any) -> None:
        """Whatever the arrival times, no window holds more than *requests*.

        Against a full log of times, at most a tenth less gets through.
        """
        chance = random.Random(9110)
        limiter = self.limiter(20, 60.0)
        passed: list[float] = []
        ideal: list[float] = []
        for _ in range(3000):
            self.clock.advance(chance.choice([0.0, 0.01, 0.3, 2.0, 9.0]))
            now = self.clock.seconds()
            if (await self.hit(limiter)).allowed:
                passed.append(now)
            if len(ideal) < 20 or ideal[-20] + 60.0 <= now:
                ideal.append(now)
        pairs = zip(passed, passed[20:], strict=False)
        # Redis counts in whole milliseconds.
        self.assertGreaterEqual(min(later - earlier for earlier, later in pairs), 60.0 - 0.002)
        self.assertGreater(len(passed), len(ideal) * 0.9)
