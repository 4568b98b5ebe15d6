"""Tests of naap_twisted.route.notices; what the spine tells is in test_spine.py."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.route.notices import Notices
from naap_twisted.route.request_headers import RequestRewrite


class NoticesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.clock = Clock()
        self.notices = Notices(Logger("test", observer=self.told.append), self.clock)
        self.record = ExchangeRecord(route="/r")

    def test_dropped(self) -> None:
        """Every one is counted, each name told once, and no more than 64 of them."""
        rewrite = RequestRewrite(())
        for names in ([b"X-A", b"x-a"], [b"X-A", b"X_B"], [b"X-%d" % n for n in range(100)]):
            self.notices.dropped(self.record, names, rewrite)
        self.assertEqual(self.record.dropped, 104)
        self.assertEqual([event["name"] for event in self.told[:2]], ["X-A", "X_B"])
        self.assertEqual(len(self.told), 64)

    def test_key_refused(self) -> None:
        """Once an hour."""
        for seconds, lines in ((0, 1), (3599, 1), (1, 2)):
            self.clock.advance(seconds)
            self.notices.key_refused(self.record, ("Authorization", "key"))
            self.assertEqual(len(self.told), lines)
        self.assertEqual(self.told[0]["names"], "Authorization, key")
