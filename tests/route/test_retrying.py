"""What is sent again, how often, and what is told when all of it failed."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import (
    AddressNotAllowed,
    BadGateway,
    Unavailable,
    UpstreamTimeout,
    UpstreamUnhealthy,
)
from naap_twisted.model import OutboundRequest, Timeouts
from naap_twisted.route import retrying
from naap_twisted.route.retrying import Retrying
from tests.upstream.support import vetted

GET = OutboundRequest(b"GET", vetted(), ())
POST = evolve(GET, method=b"POST", body=b"{}")
KEYED = evolve(POST, headers=((b"Idempotency-Key", b"1"),))
STREAM = evolve(KEYED, body=object())


class Upstream:
    """Ends each request as the script says."""

    def __init__(self):
        self.script, self.sent = [], []

    def send(self, outbound):
        self.sent.append(outbound)
        end = self.script.pop(0)
        answer = Deferred()
        if isinstance(end, Exception):
            answer.errback(Failure(end))
        elif end is not None:
            answer.callback(end)
        return answer

    def close(self):
        return "closed"


class RetryingTests(SynchronousTestCase):
    def begin(self, *script, times=2):
        self.upstream, self.clock = Upstream(), Clock()
        self.upstream.script = list(script)
        self.retrying = Retrying(self.upstream, times, self.clock)
        budget = self.retrying._budget(GET.target.target.origin)
        for _ in range(1000):
            budget.asked()

    def ask(self, outbound):
        """The outcome, once all waits are over."""
        answer = self.retrying.send(outbound)
        self.clock.pump([0.05] * 20)
        found = []
        answer.addBoth(found.append)
        (outcome,) = found
        return outcome.value if isinstance(outcome, Failure) else outcome

    def test_answered(self):
        """Once, where the first try is answered."""
        self.begin("answer")
        self.assertEqual(self.ask(GET), "answer")
        self.assertEqual((len(self.upstream.sent), self.retrying.retried), (1, 0))

    def test_what_is_sent_again(self):
        """Nothing that the upstream may act on twice."""
        unsent, sent = BadGateway, lambda: BadGateway().once_sent()
        for outbound, failure, again in (
            (GET, unsent, True),
            (GET, sent, True),
            (GET, UpstreamTimeout, True),
            (POST, unsent, True),
            (POST, sent, False),
            (POST, UpstreamTimeout, False),
            (KEYED, sent, True),
            (KEYED, UpstreamTimeout, True),
            (STREAM, unsent, False),
            (GET, AddressNotAllowed, False),
            (GET, Unavailable, False),
            (GET, ValueError, False),
        ):
            self.begin(error := failure(), "answer")
            outcome = self.ask(outbound)
            self.assertEqual(outcome == "answer", again, (outbound, error))
            self.assertEqual(len(self.upstream.sent), 1 + again)

    def test_times(self):
        """So often beside the first, each later than the one before; the last failure is told."""
        errors = [BadGateway(reason=str(number)) for number in range(4)]
        self.begin(*errors)
        self.assertIs(self.ask(GET), errors[2])
        self.assertEqual((len(self.upstream.sent), self.retrying.retried), (3, 2))

    def test_waits(self):
        """Twice as long each time."""
        self.begin(*[BadGateway() for _ in range(3)])
        answer = self.retrying.send(GET)
        for seconds, sent in ((0.04, 1), (0.01, 2), (0.09, 2), (0.01, 3)):
            self.clock.advance(seconds)
            self.assertEqual(len(self.upstream.sent), sent)
        self.failureResultOf(answer, BadGateway)

    def test_sent_once_is_sent(self):
        """A client is told not to retry, if the last try alone did not reach the upstream."""
        self.begin(BadGateway().once_sent(), BadGateway(), BadGateway())
        self.assertTrue(self.ask(GET).was_sent)

    def test_a_circuit_that_opens(self):
        """What opened it is told."""
        first = BadGateway()
        self.begin(first, UpstreamUnhealthy())
        self.assertIs(self.ask(GET), first)

    def test_budget(self):
        """A tenth of the requests, however many fail; each origin has its own."""
        self.begin(*[BadGateway() for _ in range(500)], times=1)
        self.retrying._budgets.clear()
        for _ in range(100):
            self.ask(GET)
        self.assertEqual(self.retrying.retried, 11)
        self.assertEqual(len(self.upstream.sent), 111)
        self.ask(evolve(GET, target=vetted(host="other.example.com")))
        self.assertEqual(self.retrying.retried, 12)

    def test_total_timeout(self):
        """All tries share it; when it is over there is no further one."""
        whole = evolve(GET, timeouts=Timeouts(total=0.12))
        self.begin(*[BadGateway() for _ in range(5)], times=4)
        self.assertIsInstance(self.ask(whole), BadGateway)
        left = [round(outbound.timeouts.total, 3) for outbound in self.upstream.sent]
        self.assertEqual(left, [0.12, 0.07])

    def test_the_caller_leaves(self):
        """While it waits, or while one is under way."""
        for script in ((None,), (BadGateway(), None)):
            self.begin(*script)
            answer = self.retrying.send(GET)
            answer.cancel()
            self.failureResultOf(answer, CancelledError)
            self.clock.pump([0.05] * 20)
            self.assertEqual(len(self.upstream.sent), 1)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_off(self):
        """Without the option nothing is sent again."""
        self.begin(BadGateway(), times=0)
        self.assertIsInstance(self.ask(GET), BadGateway)
        self.assertEqual(self.retrying.close(), "closed")

    def test_bound(self):
        """So many origins are remembered."""
        self.patch(retrying, "_MOST", 3)
        self.begin(times=1)
        for number in range(10):
            self.retrying._budget(str(number))
        self.assertEqual(len(self.retrying._budgets), 3)
