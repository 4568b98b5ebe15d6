"""What is waited for, and for how long."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.patience import Patience
from naap_twisted.errors import Forbidden, Unavailable


async def later(value):
    return value


class PatienceCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.patience = Patience(self.clock, 10.0)
        self.addCleanup(self._nothing_left)

    def _nothing_left(self):
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def settle(self, value):
        return Deferred.fromCoroutine(self.patience.settle(value, "the callable"))


class InTime(PatienceCase):
    def test_plain(self):
        """A plain value is itself."""
        value = object()
        self.assertIs(self.successResultOf(self.settle(value)), value)

    def test_nested(self):
        """A coroutine that returns a Deferred that gives a coroutine is its last value."""
        nested = later(succeed(None).addCallback(lambda _: later(7)))
        self.assertEqual(self.successResultOf(self.settle(nested)), 7)

    def test_at_once(self):
        """What is there already costs no timer, a failure neither."""
        self.assertEqual(self.successResultOf(self.settle(later(7))), 7)
        self.failureResultOf(self.settle(fail(Forbidden())), Forbidden)

    def test_just_in_time(self):
        """At any moment before the deadline, as it is."""
        for end, outcome in (("callback", 7), ("errback", Forbidden())):
            pending = Deferred()
            settled = self.settle(later(pending))
            self.clock.advance(9.9)
            self.assertNoResult(settled)
            getattr(pending, end)(outcome)
            if end == "callback":
                self.assertEqual(self.successResultOf(settled), 7)
            else:
                self.failureResultOf(settled, Forbidden)


class TooLate(PatienceCase):
    def test_cancelled(self):
        """At the deadline it is cancelled, and the caller may come again."""
        cancelled = []
        settled = self.settle(later(Deferred(cancelled.append)))
        self.clock.advance(9.9)
        self.assertEqual(cancelled, [])
        self.clock.advance(0.2)
        self.assertEqual(len(cancelled), 1)
        error = self.failureResultOf(settled, Unavailable).value
        self.assertIn("the callable did not answer within 10 s", error.reason)
        self.assertEqual(error.headers, ((b"Retry-After", b"1"),))

    def test_one_deadline_for_all_of_it(self):
        """A chain of answers that are no answers has no more time than one."""
        steps = [Deferred() for _ in range(3)]

        async def chain():
            for step in steps:
                await step

        settled = self.settle(chain())
        for step in steps[:2]:
            self.clock.advance(4.0)
            step.callback(None)
        self.assertNoResult(settled)
        self.clock.advance(2.0)
        self.failureResultOf(settled, Unavailable)

    def test_who_ignores_its_cancel(self):
        """Is given up all the same; what it says later is heard by the log alone."""
        for ending in (lambda: None, lambda: 1 / 0):
            second = Deferred()

            async def stubborn(second=second, ending=ending):
                try:
                    await Deferred()
                except CancelledError:
                    await second
                return ending()

            settled = self.settle(stubborn())
            self.clock.advance(10.0)
            self.failureResultOf(settled, Unavailable)
            second.callback(None)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_caller_gone(self):
        """Who leaves takes the callable along, its timer too, stubborn or not."""
        cancelled = []
        settled = self.settle(later(Deferred(cancelled.append)))
        settled.cancel()
        self.failureResultOf(settled, CancelledError)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
