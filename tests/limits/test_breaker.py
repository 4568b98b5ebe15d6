"""The state machine of a circuit: by examples, and whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.limits.breaker import Breaker, Pass, State
from naap_twisted.model import CircuitBreaker

RULE = CircuitBreaker(failures=3, window=10.0, open=30.0)


class BreakerTests(SynchronousTestCase):
    def setUp(self):
        self.breaker = Breaker(RULE)

    def fail(self, *times):  # type: ignore[override]
        for now in times:
            permit = self.breaker.enter(now)
            self.assertIsInstance(permit, Pass)
            self.breaker.failed(permit, now)

    def test_in_a_row(self):
        """So many failures open it, an answer in between forgets them."""
        self.fail(0.0, 1.0)
        self.breaker.answered(self.breaker.enter(2.0))
        self.assertTrue(self.breaker.is_sound)
        self.fail(3.0, 4.0)
        self.assertEqual(self.breaker.state, State.CLOSED)
        self.fail(5.0)
        self.assertEqual(self.breaker.state, State.OPEN)

    def test_in_the_window(self):
        """Failures far apart do not; its very end is within."""
        self.fail(0.0, 5.0, 10.5)
        self.assertEqual(self.breaker.state, State.CLOSED)
        self.fail(15.0)
        self.assertEqual(self.breaker.state, State.OPEN)

    def test_open(self):
        """Nothing goes until its time is over; then one goes, and the others wait for it."""
        self.fail(0.0, 0.0, 0.0)
        self.assertEqual(self.breaker.enter(0.0), 30.0)
        self.assertEqual(self.breaker.enter(29.0), 1.0)
        probe = self.breaker.enter(30.0)
        self.assertIsInstance(probe, Pass)
        self.assertEqual(self.breaker.state, State.HALF_OPEN)
        self.assertEqual(self.breaker.enter(31.0), 1.0)
        self.breaker.answered(probe)
        self.assertTrue(self.breaker.is_sound)

    def test_a_probe_that_fails(self):
        """Opens it for as long again."""
        self.fail(0.0, 0.0, 0.0)
        self.breaker.failed(self.breaker.enter(30.0), 35.0)
        self.assertEqual(self.breaker.enter(36.0), 29.0)

    def test_a_probe_whose_caller_leaves(self):
        """Says nothing: the next is the probe."""
        self.fail(0.0, 0.0, 0.0)
        self.breaker.left(self.breaker.enter(30.0))
        self.assertIsInstance(self.breaker.enter(30.0), Pass)

    def test_of_before(self):
        """What was sent before it opened neither closes it nor keeps it open."""
        early, earlier = self.breaker.enter(0.0), self.breaker.enter(0.0)
        self.fail(0.0, 0.0, 0.0)
        self.breaker.answered(early)
        self.assertEqual(self.breaker.state, State.OPEN)
        probe = self.breaker.enter(30.0)
        self.breaker.failed(earlier, 30.0)
        self.breaker.left(early)
        self.assertEqual(self.breaker.enter(30.0), 1.0)
        self.breaker.answered(probe)
        self.assertEqual(self.breaker.state, State.CLOSED)

    def test_one(self):
        """A single failure may do."""
        self.breaker = Breaker(CircuitBreaker(failures=1))
        self.fail(0.0)
        self.assertEqual(self.breaker.state, State.OPEN)


class Requests(RuleBasedStateMachine):
    """Requests that come, and end in some way, in any order and at any time."""

    def __init__(self):
        super().__init__()
        self.breaker, self.now = Breaker(RULE), 0.0
        self.running: list[Pass] = []
        self.probes: set[int] = set()
        self.opened_at: float | None = None

    @rule(seconds=st.floats(0.0, 40.0))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def ask(self):
        permit = self.breaker.enter(self.now)
        if isinstance(permit, Pass):
            self.running.append(permit)
            if self.opened_at is not None:
                assert self.now >= self.opened_at + RULE.open
        else:
            assert 0.0 < permit <= RULE.open + 1e-6  # sums of floats

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(["answered", "failed", "left"]))
    def end(self, data, end):
        permit = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.breaker.state
        if end == "failed":
            self.breaker.failed(permit, self.now)
        else:
            getattr(self.breaker, end)(permit)
        after = self.breaker.state
        if after is State.OPEN and before is not State.OPEN:
            assert end == "failed"
            self.opened_at = self.now
        if after is State.CLOSED and before is not State.CLOSED:
            assert before is State.HALF_OPEN and end == "answered"
            self.opened_at = None
        if before is State.OPEN:
            assert after is State.OPEN, "only time ends it"

    @invariant()
    def one_probe_at_most(self):
        if self.breaker.state is State.HALF_OPEN:
            now = [permit for permit in self.running if permit.turn == self.breaker._turn]
            assert len(now) <= 1

    @invariant()
    def never_for_ever(self):
        """After the open time one request goes, unless a probe is under way."""
        if self.breaker.state is State.OPEN:
            assert self.breaker._until <= self.now + RULE.open + 1e-6


class AnyOrder(SynchronousTestCase):
    def test_any_order(self):
        """The rules hold in every order of requests and ends."""
        case = Requests.TestCase()
        case.settings = Requests.TestCase.settings
        case.runTest()
