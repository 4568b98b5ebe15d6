"""What the owner reads once: lost headers with the line that passes them, a key that is refused."""

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.route.notices import Notices
from naap_twisted.route.request_headers import RequestRewrite


class NoticesTests(SynchronousTestCase):
    def setUp(self):
        self.events = []
        self.clock = Clock()
        self.notices = Notices(Logger("t", observer=self.events.append), self.clock)
        self.record = ExchangeRecord(route="/r", target="https://a.example")

    def test_dropped(self):
        """Each is counted, and the first of each name logged, of 64 names."""
        rewrite = RequestRewrite(("Accept",), ())
        for name in (b"X-One", b"x-one", *(b"X-%d" % number for number in range(100))):
            self.notices.dropped(self.record, name, rewrite)
        self.assertEqual((self.record.dropped, len(self.events)), (102, 64))
        self.assertEqual(self.events[0]["line"], 'pass_headers = ["X-One"]')

    def test_refused(self):
        """Once an hour."""
        for seconds in (0, 3599, 1):
            self.clock.advance(seconds)
            self.notices.refused(self.record, ("Authorization",))
        self.assertEqual([event["names"] for event in self.events], ["Authorization"] * 2)
