"""How many new guests an address and a /64 may have."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import RateLimited, Unavailable
from naap_twisted.limits.ceilings import Ceilings
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateDecision, RateLimit

FIRST = int(IPv6Address("2001:db8:1:2::"))


def in_prefix(number: int, prefix: int = 0) -> str:
    """An address of the /64 of that number."""
    return str(IPv6Address(FIRST + (prefix << 64) + number))


class CeilingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.address = MemoryRateLimiter(RateLimit(3, 3600.0), self.clock, 500)
        self.prefix = MemoryRateLimiter(RateLimit(8, 3600.0), self.clock, 500)
        self.ceilings = Ceilings(self.address, self.prefix)

    def count(self, client: str) -> str:
        """``""`` where it is let in, else what says no."""
        counted = Deferred.fromCoroutine(self.ceilings.count(client))
        outcome: list[Any] = []
        counted.addCallbacks(outcome.append, lambda failure: outcome.append(failure.value))
        (ended,) = outcome
        if ended is None:
            return ""
        self.assertIsInstance(ended, RateLimited)
        (retry,) = [value for name, value in ended.headers if name == b"Retry-After"]
        self.assertTrue(0 < int(retry) <= 3600, retry)
        return str(ended.reason.rpartition(" ")[2])

    def test_address(self) -> None:
        """So many from one, of either version, until the window has passed."""
        for client in ("192.0.2.7", "2001:db8::7", "unix"):
            self.assertEqual([self.count(client) for _ in range(4)], ["", "", "", "address"])
        self.assertEqual(self.count("192.0.2.8"), "")
        self.clock.advance(3601)
        self.assertEqual(self.count("192.0.2.7"), "")

    def test_prefix(self) -> None:
        """An IPv6 /64 has its own, whatever address in it is written how."""
        for number in range(8):
            self.assertEqual(self.count(in_prefix(number)), "")
        self.assertEqual(self.count(in_prefix(9)), "prefix")
        self.assertEqual(self.count("2001:0DB8:0001:0002:ffff::1"), "prefix")
        self.assertEqual(self.count(in_prefix(9, prefix=1)), "")

    def test_ten_thousand(self) -> None:
        """10,000 from one /64: eight get in, memory is bounded, and nobody else is kept out."""
        for _ in range(3):
            self.assertEqual(self.count("192.0.2.7"), "")
        let_in = [number for number in range(10_000) if not self.count(in_prefix(number))]
        self.assertEqual(let_in, list(range(8)))
        self.assertLessEqual(len(self.address), 500)
        # The prefix is one key: its addresses push no other prefix out.
        self.assertEqual(len(self.prefix), 2)
        self.assertEqual(self.count("198.51.100.1"), "")

    def test_neighbours(self) -> None:
        """One machine that asks on and on takes nothing from the others of its prefix."""
        for _ in range(3):
            self.assertEqual(self.count(in_prefix(1)), "")
        for _ in range(100):
            self.assertEqual(self.count(in_prefix(1)), "address")
        self.assertEqual([self.count(in_prefix(n)) for n in range(2, 7)], [""] * 5)
        self.assertEqual(self.count(in_prefix(8)), "prefix")

    def test_later(self) -> None:
        """A store may answer later, or not at all; then nobody is let in."""

        class Store:
            answers: Any = [succeed(RateDecision(True, 3, 2)), fail(Unavailable())]

            def hit(self, key: str) -> Any:
                return self.answers.pop(0)

        both = Store()
        counted = Deferred.fromCoroutine(Ceilings(both, both).count("192.0.2.7"))
        self.failureResultOf(counted, Unavailable)
