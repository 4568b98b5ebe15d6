"""Tests of naap_twisted.server.setting: what a server takes from a workplace."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateLimit
from naap_twisted.options.code import read_server
from naap_twisted.server.made import parts_of
from naap_twisted.server.setting import ALONE, Setting
from naap_twisted.server.sockets import OwnSockets
from naap_twisted.spend.ledger import MemoryLedger


class Place:
    """A workplace that says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def limiter(self, policy: str, limit: RateLimit) -> Any:
        self.asked.append((policy, limit))
        return MemoryRateLimiter(limit, Clock())

    def ledger(self) -> Any:
        self.asked.append("ledger")
        return MemoryLedger()

    def page_tokens(self, lasting: float) -> Any:
        self.asked.append(lasting)

    def key(self, purpose: str) -> bytes:
        self.asked.append(purpose)
        return purpose.encode().ljust(32)


class SettingTests(SynchronousTestCase):
    def test_alone(self) -> None:
        """By default a server has everything to itself."""
        self.assertIsInstance(ALONE.sockets, OwnSockets)
        self.assertEqual((ALONE.crew, ALONE.workplace), (None, None))

    def test_workplace(self) -> None:
        """A worker asks for what would be in memory, over reloads, too."""
        place = Place()
        options = {"name": "x", "page_tokens": {"issuers": ["i" * 32]}}
        first = parts_of(read_server(options), Clock(), None, Setting(workplace=place))
        self.assertEqual(place.asked, ["page tokens", 3600.0, "ledger"])
        limit = RateLimit(3, 60.0)
        first.state.limiter("address", limit)
        self.assertEqual(place.asked.pop(), ("address", limit))
        self.assertEqual(first.state.location_key().open(), b"locations".ljust(32))
        assert first.state.page_tokens is not None
        self.assertEqual(first.state.page_tokens._memory.key, b"page tokens".ljust(32))
        second = parts_of(read_server(options), Clock(), first)
        self.assertIs(second.setting, first.setting)
