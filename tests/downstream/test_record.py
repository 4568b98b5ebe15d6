"""What an exchange leaves behind."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream import record
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.model import User


class Caller(SynchronousTestCase):
    def test_who_is_counted(self):
        """A user is nobody's address; an IPv6 caller is a whole /64."""
        for user, client, expected in (
            (None, "192.0.2.1", "a:192.0.2.1"),
            (None, "2001:db8:1:2:3::4", "a:2001:db8:1:2::/64"),
            (User("192.0.2.1"), "192.0.2.1", "u:192.0.2.1"),
            (User("guest:a", guest=True), "192.0.2.1", "g:guest:a"),
            (User("guest:a"), "192.0.2.1", "u:guest:a"),
        ):
            self.assertEqual(ExchangeRecord(user=user, client=client).caller, expected)


class Phases(SynchronousTestCase):
    def setUp(self):
        self.now = 100.0
        self.patch(record, "perf_counter", lambda: self.now)

    def test_mark(self):
        """A phase lasts from the end of the one before it; the first from the record's start."""
        # The default factory was bound before the clock was patched.
        exchange = ExchangeRecord(marked=100.0)
        for name, seconds in (("authorize", 0.5), ("body", 0.25), ("upstream", 2.0)):
            self.now += seconds
            exchange.mark(name)
        self.assertEqual(exchange.phases, {"authorize": 0.5, "body": 0.25, "upstream": 2.0})
        self.assertEqual(list(exchange.phases), ["authorize", "body", "upstream"])

    def test_phases_of_its_own(self):
        """Records share nothing."""
        first, second = ExchangeRecord(), ExchangeRecord()
        first.mark("body")
        self.assertEqual(second.phases, {})

    def test_fresh(self):
        """Until something goes wrong, the outcome is ok, and nothing is known."""
        exchange = ExchangeRecord()
        self.assertEqual((exchange.outcome, exchange.status, exchange.target), ("ok", 0, ""))
        self.assertIsNone(exchange.user)
