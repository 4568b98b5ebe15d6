"""Tests of naap_twisted.limits.memory."""

from __future__ import annotations

import random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from naap_twisted.interfaces import IRateLimiter
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateDecision, RateLimit


class MemoryRateLimiterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.3)

    def limiter(self, requests: int, window: float, **more: int) -> MemoryRateLimiter:
        return MemoryRateLimiter(RateLimit(requests, window), self.clock, **more)

    def allowed(self, limiter: MemoryRateLimiter, key: str, times: int = 1) -> list[bool]:
        return [limiter.hit(key).allowed for _ in range(times)]

    def test_interface(self) -> None:
        """It stands behind IRateLimiter."""
        verifyObject(IRateLimiter, self.limiter(1, 1.0))

    def test_counts_down_then_refuses(self) -> None:
        """*requests* pass, the next does not, and is told when to come back."""
        limiter = self.limiter(2, 60.0)
        self.assertEqual(
            [limiter.hit("a") for _ in range(3)],
            [
                RateDecision(True, 2, 1),
                RateDecision(True, 2, 0),
                RateDecision(False, 2, 0, retry_after=60),
            ],
        )

    def test_passes_after_retry_after(self) -> None:
        """Who waits Retry-After seconds passes; who comes a little earlier does not."""
        limiter = self.limiter(1, 60.0)
        limiter.hit("a")
        self.clock.advance(10.5)
        self.assertEqual(limiter.hit("a").retry_after, 50)
        self.clock.advance(49.4)
        self.assertEqual(limiter.hit("a"), RateDecision(False, 1, 0, retry_after=1))
        self.clock.advance(0.6)
        self.assertTrue(limiter.hit("a").allowed)

    def test_refused_requests_do_not_count(self) -> None:
        """Hammering on a closed door does not keep it closed."""
        limiter = self.limiter(2, 60.0)
        self.allowed(limiter, "a", 100)
        self.clock.advance(60)
        self.assertEqual(self.allowed(limiter, "a", 3), [True, True, False])

    def test_keys_are_apart(self) -> None:
        """One caller's requests cost another nothing."""
        limiter = self.limiter(1, 60.0)
        self.assertEqual(self.allowed(limiter, "a", 2), [True, False])
        self.assertEqual(self.allowed(limiter, "b", 2), [True, False])

    def test_no_double_at_the_boundary(self) -> None:
        """A burst at the end of one window and one at the start of the next do not add up."""
        limiter = self.limiter(10, 60.0)
        limiter.hit("a")
        self.clock.advance(59.5)
        self.assertEqual(sum(self.allowed(limiter, "a", 20)), 9)
        self.clock.advance(0.5)
        self.assertEqual(sum(self.allowed(limiter, "a", 20)), 1)

    def test_never_over_in_any_window(self) -> None:
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
            if limiter.hit("a").allowed:
                passed.append(now)
            if len(ideal) < 20 or ideal[-20] + 60.0 <= now:
                ideal.append(now)
        pairs = zip(passed, passed[20:], strict=False)
        self.assertGreaterEqual(min(later - earlier for earlier, later in pairs), 60.0 - 1e-6)
        self.assertGreater(len(passed), len(ideal) * 0.9)

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
        self.assertEqual(self.allowed(limiter, "b") + self.allowed(limiter, "c"), [False, False])
        self.assertEqual(self.allowed(limiter, "a"), [True])

    def test_active_keys_stay(self) -> None:
        """A key that was hit again is younger than one that was not."""
        limiter = self.limiter(2, 60.0, max_keys=2)
        limiter.hit("a")
        limiter.hit("b")
        limiter.hit("a")
        limiter.hit("c")
        self.assertEqual(self.allowed(limiter, "a"), [False])

    def test_refuses_senseless_limits(self) -> None:
        """Zero, negative or endless limits are mistakes."""
        for requests, window, keys in [
            (0, 60.0, 1),
            (-1, 60.0, 1),
            (1, 0.0, 1),
            (1, -1.0, 1),
            (1, float("inf"), 1),
            (1, float("nan"), 1),
            (1, 60.0, 0),
        ]:
            with self.assertRaises(ValueError, msg=(requests, window, keys)):
                self.limiter(requests, window, max_keys=keys)
