"""One call for all who ask at once."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.single_flight import SingleFlight
from naap_twisted.errors import InvalidToken, Unavailable


class SingleFlightTests(SynchronousTestCase):
    def setUp(self):
        self.calls = SingleFlight(2)
        self.made = []

    def ask(self, key=b"k"):
        async def call():
            answer = Deferred()
            self.made.append(answer)
            return await answer

        return self.calls.ask(key, call)

    def test_shared(self):
        """Many waiters, one call, one answer; the next asks anew."""
        waiters = [self.ask() for _ in range(1000)]
        self.assertEqual(len(self.made), 1)
        self.made[0].callback("x")
        for waiter in waiters:
            self.assertEqual(self.successResultOf(waiter), "x")
        self.assertNoResult(self.ask())
        self.assertEqual(len(self.made), 2)

    def test_failure(self):
        """Everybody gets it."""
        waiters = [self.ask() for _ in range(3)]
        self.made[0].errback(InvalidToken())
        for waiter in waiters:
            self.failureResultOf(waiter, InvalidToken)

    def test_cancel(self):
        """Who leaves takes nothing from the others, not even the first one or all of them."""
        waiters = [self.ask() for _ in range(3)]
        waiters[0].cancel()
        self.failureResultOf(waiters[0], CancelledError)
        self.assertFalse(self.made[0].called)
        waiters[2].cancel()
        self.failureResultOf(waiters[2], CancelledError)
        self.made[0].callback("x")
        self.assertEqual(self.successResultOf(waiters[1]), "x")

    def test_nobody_left(self):
        """The call ends by itself, and its failure is nobody's unhandled error."""
        waiter = self.ask()
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.made[0].errback(InvalidToken())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_bound(self):
        """Over the bound only new keys are refused."""
        self.ask(b"a"), self.ask(b"b"), self.ask(b"a")
        self.assertRaises(Unavailable, self.ask, b"c")
        self.made[0].callback("x")
        self.assertNoResult(self.ask(b"c"))

    def test_at_once(self):
        """A call that has its answer already."""

        async def call():
            return 7

        self.assertEqual(self.successResultOf(self.calls.ask(b"k", call)), 7)
        self.assertEqual(self.successResultOf(self.calls.ask(b"k", call)), 7)
