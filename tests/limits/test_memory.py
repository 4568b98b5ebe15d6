"""Tests of naap_twisted.limits.memory."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateDecision, RateLimit

from .contract import RateLimiterContract


class MemoryRateLimiterTests(RateLimiterContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.3)

    def limiter(self, requests: int, window: float, **more: int) -> MemoryRateLimiter:
        return MemoryRateLimiter(RateLimit(requests, window), self.clock, **more)

    def passes(self, limiter: MemoryRateLimiter, key: str, times: int = 1) -> list[bool]:
        return [limiter.hit(key).allowed for _ in range(times)]

    def test_refusal(self) -> None:
        """Asking counts nothing, and says what a hit would be refused with."""
        limiter = self.limiter(1, 60.0, max_keys=1)
        for _ in range(3):
            self.assertIsNone(limiter.refusal("a"))
        limiter.hit("a")
        self.assertEqual(limiter.refusal("a"), RateDecision(False, 1, 0, retry_after=60))
        self.clock.advance(60)
        self.assertIsNone(limiter.refusal("a"))
        # The key that was asked about holds nothing now, and makes room like any other.
        self.assertTrue(limiter.hit("b").allowed)
        self.assertEqual(len(limiter), 1)

    def test_an_entry_is_small(self) -> None:
        """A key keeps a bounded number of entries, however many its requests."""
        limiter = self.limiter(100_000, 60.0)
        for _ in range(10_000):
            self.clock.advance(0.02)
            limiter.hit("a")
        self.assertLessEqual(len(limiter._keys["a"].entries), 18)

    def test_expired_keys_go(self) -> None:
        """Keys whose window has passed make room as new ones come, below the bound too."""
        limiter = self.limiter(5, 60.0)
        for number in range(100):
            limiter.hit(f"old{number}")
        self.clock.advance(60)
        for number in range(50):
            limiter.hit(f"new{number}")
        self.assertEqual(len(limiter), 50)

    def test_bounded_keys(self) -> None:
        """At the bound the key with the oldest hit is forgotten, the others are not."""
        limiter = self.limiter(1, 60.0, max_keys=3)
        for key in "abc":
            limiter.hit(key)
            self.clock.advance(1)
        limiter.hit("d")
        self.assertEqual(len(limiter), 3)
        self.assertEqual(self.passes(limiter, "b") + self.passes(limiter, "c"), [False, False])
        self.assertEqual(self.passes(limiter, "a"), [True])

    def test_active_keys_stay(self) -> None:
        """A key that was hit again is younger than one that was not."""
        limiter = self.limiter(2, 60.0, max_keys=2)
        limiter.hit("a")
        limiter.hit("b")
        limiter.hit("a")
        limiter.hit("c")
        self.assertEqual(self.passes(limiter, "a"), [False])
