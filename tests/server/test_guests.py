"""From options to the desk at which visitors become guests."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import parse_config
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateLimit
from naap_twisted.route.cross_site import CrossSite
from naap_twisted.server.guests import desk_of, guests_of
from naap_twisted.server.heirlooms import Heirlooms

VERIFY = 'verify_url = "https://a.example/v"\nverify_secret = "${env:SECRET}"\n'


class GuestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.limits: dict[str, RateLimit] = {}

    def limiter(self, name: str, limit: RateLimit) -> MemoryRateLimiter:
        self.limits[name] = limit
        return MemoryRateLimiter(limit, MemoryReactorClock())

    def desk(self, text: str = "", mode: str = "guest") -> Any:
        config = parse_config(
            f'[auth]\nmode = "{mode}"\n{text}'
            '[[proxy]]\npath = "/a"\nallowed_hosts = ["a.example.com"]\n',
            environ={"SECRET": "s" * 32},
        )
        guests = guests_of(config, Heirlooms())
        if guests is None:
            return None
        return desk_of(config, guests, self.limiter, CrossSite(), MemoryReactorClock())

    def test_defaults(self) -> None:
        """Ceilings that count apart, and no challenge; none of it in another mode."""
        desk = self.desk()
        limits = {"guest-address": RateLimit(20, 3600.0), "guest-prefix": RateLimit(60, 3600.0)}
        self.assertEqual(self.limits, limits)
        self.assertIsNone(desk.challenge)
        self.assertIsNone(desk.app_check)
        self.assertIsNone(self.desk(mode="none"))

    def test_asked(self) -> None:
        """What the options name is asked for."""
        desk = self.desk(f'[auth.guest]\n{VERIFY}per_address = {{ requests = 1, window = "1s" }}\n')
        self.assertIsNotNone(desk.challenge)
        self.assertEqual(self.limits["guest-address"], RateLimit(1, 1.0))
        self.assertIsNotNone(self.desk('[auth.guest]\napp_check = "1"\n').app_check)
