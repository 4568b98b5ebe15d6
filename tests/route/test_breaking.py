"""A route whose upstream fails: what counts, who is told what, what is remembered."""

from __future__ import annotations

from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import (
    AddressNotAllowed,
    BadGateway,
    InternalError,
    Unavailable,
    UpstreamTimeout,
    UpstreamUnhealthy,
)
from naap_twisted.model import CircuitBreaker
from naap_twisted.route import breaking
from naap_twisted.route.breaking import Breaking
from tests.spine import make_spine

RULE = CircuitBreaker(failures=2, window=10.0, open=30.0)
A, B = "https://a.example.com", "https://b.example.com"


class Upstream:
    """Keeps each request until the test ends it."""

    def __init__(self):
        self.waiting = []

    def send(self, outbound):
        answer = Deferred()
        self.waiting.append(answer)
        return answer

    def close(self):
        return "closed"


def outbound(origin, body=None):
    target = SimpleNamespace(target=SimpleNamespace(origin=origin))
    return SimpleNamespace(target=target, body=body)


class BreakingTests(SynchronousTestCase):
    def setUp(self):
        self.events = []
        self.make(RULE)

    def make(self, rule):
        self.upstream, self.clock = Upstream(), Clock()
        log = Logger("test", observer=self.events.append)
        self.breaking = Breaking(self.upstream, rule, self.clock, "/r", log)

    def ask(self, end, origin=A, body=None):
        """One request, which ends so: its outcome."""
        answer = self.breaking.send(outbound(origin, body))
        if self.upstream.waiting:
            if isinstance(end, Exception):
                self.upstream.waiting.pop().errback(Failure(end))
            else:
                self.upstream.waiting.pop().callback(end)
        outcome = []
        answer.addBoth(outcome.append)
        (result,) = outcome
        return type(result.value) if isinstance(result, Failure) else result

    def fail_often(self, origin=A):
        for _ in range(RULE.failures):
            self.assertIs(self.ask(BadGateway(), origin), BadGateway)

    def test_open_and_closed(self):
        """Refused at once, with the time until the next; one line in the log each way."""
        self.fail_often()
        self.clock.advance(0.5)
        error = self.failureResultOf(self.breaking.send(outbound(A)), UpstreamUnhealthy).value
        self.assertEqual(error.headers, ((b"Retry-After", b"30"),))
        self.assertFalse(error.was_sent)
        self.assertEqual((self.breaking.open, self.breaking.opened), (1, 1))
        self.clock.advance(29.5)
        self.assertEqual(self.ask("answer"), "answer")
        self.assertEqual((self.breaking.open, self.breaking.opened), (0, 1))
        self.assertEqual([event["log_level"].name for event in self.events], ["warn", "info"])
        self.assertEqual({event["origin"] for event in self.events}, {A})
        self.assertEqual(self.breaking._failing, {})

    def test_each_origin(self):
        """Another origin goes on."""
        self.fail_often()
        self.assertEqual(self.ask("answer", B), "answer")
        self.assertIs(self.ask("", A), UpstreamUnhealthy)

    def test_what_counts(self):
        """What says that the upstream is down; not what says nothing about it."""
        for error, counts in (
            (BadGateway(), True),
            (UpstreamTimeout(), True),
            (UpstreamUnhealthy(), False),
            (Unavailable(), False),
            (AddressNotAllowed(), False),
            (CancelledError(), False),
            (InternalError(), False),
            (ValueError(), False),
        ):
            for first in (BadGateway(), error):
                self.make(RULE)
                self.assertIs(self.ask(first), type(first))
                self.assertIs(self.ask(error), type(error))
                self.assertEqual(self.breaking.open, int(counts), error)

    def test_an_answer_between(self):
        """In a row, that is."""
        for _ in range(5):
            self.ask(BadGateway())
            self.assertEqual(self.ask("answer"), "answer")
        self.assertEqual((self.breaking.opened, self.breaking._failing), (0, {}))

    def test_at_once(self):
        """Failures of requests that were under way together count each."""
        answers = [self.breaking.send(outbound(A)) for _ in range(4)]
        for waiting in self.upstream.waiting:
            waiting.errback(UpstreamTimeout())
        for answer in answers:
            self.failureResultOf(answer, UpstreamTimeout)
        self.assertEqual((self.breaking.open, self.breaking.opened), (1, 1))

    def test_a_body_that_is_streamed(self):
        """Whose caller may have let the upstream wait is no word about the upstream."""
        for failure in (BadGateway().once_sent(), BadGateway()):
            self.make(RULE)
            for _ in range(RULE.failures):
                self.assertIs(self.ask(failure, body=object()), BadGateway)
            self.assertEqual(self.breaking.open, int(not failure.was_sent))

    def test_a_caller_leaves(self):
        """A probe that is cancelled leaves its place to the next."""
        self.fail_often()
        self.clock.advance(30.0)
        probe = self.breaking.send(outbound(A))
        self.failureResultOf(self.breaking.send(outbound(A)), UpstreamUnhealthy)
        probe.cancel()
        self.failureResultOf(probe, CancelledError)
        self.upstream.waiting.clear()
        self.assertEqual(self.ask("answer"), "answer")

    def test_a_probe_that_raises(self):
        """An upstream of somebody's own may raise in place of a Deferred."""
        self.fail_often()
        self.clock.advance(30.0)

        def send(outbound):
            raise ValueError

        usual, self.upstream.send = self.upstream.send, send
        self.failureResultOf(self.breaking.send(outbound(A)), ValueError)
        self.upstream.send = usual
        self.assertEqual(self.ask("answer"), "answer")

    def test_none(self):
        """Without a rule every request goes."""
        self.make(None)
        self.fail_often()
        self.fail_often()
        self.assertEqual(self.breaking.open, 0)
        self.assertEqual(self.breaking.close(), "closed")

    def test_bound(self):
        """Of so many origins the failures are remembered."""
        self.patch(breaking, "_MOST", 3)
        for number in range(10):
            self.ask(BadGateway(), f"https://{number}.example.com")
        self.assertEqual(len(self.breaking._failing), 3)


class RouteTests(SynchronousTestCase):
    def test_of_a_route(self):
        """The page's answer; by default after five, and never where it is off."""
        for options, asked in (({}, 5), ({"circuit_breaker": {"failures": 2}}, 2)):
            spine = make_spine(**options)
            self.break_down(spine)
            for _ in range(asked):
                self.assertEqual(spine.ask().error, (502, "BAD_GATEWAY"))
            answer = spine.ask()
            self.assertEqual(answer.error, (503, "UPSTREAM_UNHEALTHY"))
            self.assertEqual(answer.header("Retry-After"), "30")
        spine = make_spine(circuit_breaker=False)
        self.break_down(spine)
        for _ in range(20):
            self.assertEqual(spine.ask().error, (502, "BAD_GATEWAY"))

    def break_down(self, spine):
        def send(outbound):
            answer = Deferred()
            answer.errback(Failure(BadGateway()))
            return answer

        spine.proxy.breaking._upstream.send = send

    def test_spends_nothing(self):
        """A request that is not sent costs nothing."""
        spine = make_spine(
            circuit_breaker={"failures": 1},
            budget=[{"requests": 1, "per": "day", "of": "route"}],
        )
        self.break_down(spine)
        self.assertEqual(spine.ask().error, (502, "BAD_GATEWAY"))
        for _ in range(3):
            self.assertEqual(spine.ask().error, (503, "UPSTREAM_UNHEALTHY"))

    def test_rule(self):
        """What a table leaves out is usual."""
        rule = make_spine(circuit_breaker={"open": "1m"}).proxy.options.circuit_breaker
        self.assertEqual(rule, evolve(CircuitBreaker(), open=60.0))
