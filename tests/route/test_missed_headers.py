"""Headers that are lost: each counted, each name told once, so many names and no more."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.route.missed_headers import MissedHeaders
from naap_twisted.route.request_headers import RequestRewrite


class MissedHeadersTests(SynchronousTestCase):
    def setUp(self):
        self.events = []
        self.missed = MissedHeaders(Logger("test", observer=self.events.append))
        self.record = ExchangeRecord(route="/api/v1/x")

    def tell(self, *names):
        for name in names:
            self.missed.tell(self.record, name, RequestRewrite(("Accept",)))

    def test_once_a_name(self):
        """However it is spelled; every one counts."""
        self.tell(b"X-Team", b"x-team", b"X-Team", b"X_Team")
        self.assertEqual(self.record.dropped, 4)
        self.assertEqual(
            [(event["name"], event["line"]) for event in self.events],
            [
                ("X-Team", 'pass_headers = ["X-Team"]'),
                ("X_Team", 'spell it with "-" for "_"'),
            ],
        )

    def test_bounds(self):
        """So many names, so much of each."""
        self.tell(*[b"X-%d" % number + b"a" * 200 for number in range(100)])
        self.assertEqual(self.record.dropped, 100)
        self.assertEqual(len(self.events), 64)
        self.assertEqual({len(event["name"]) for event in self.events}, {100})
