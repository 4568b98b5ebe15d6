"""Deadlines: met late by a tick at most, never early, and at no cost while nothing waits."""

import time

from twisted.internet.base import ReactorBase
from twisted.internet.task import Clock
from twisted.python import runtime
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.deadlines import NEVER, Ticker, make_monotonic


class Thing:
    def __init__(self, deadline):
        self.deadline = deadline
        self.passed = 0
        self.then = lambda: None

    def deadline_passed(self):
        self.passed += 1
        self.then()


class Ticking(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.ticker = Ticker(self.clock)

    def later(self, seconds):
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_time(self):
        """Not before the deadline, and within a tick after it."""
        thing = Thing(1.0)
        self.ticker.watch(thing)
        self.later(0.8)
        self.assertEqual(thing.passed, 0)
        self.later(0.4)
        self.assertGreaterEqual(thing.passed, 1)
        self.assertAlmostEqual(self.ticker.now(), 1.2)

    def test_moved(self):
        """A deadline that moves costs nothing and holds."""
        thing = Thing(0.5)
        self.ticker.watch(thing)
        self.later(0.4)
        thing.deadline = NEVER
        self.later(50)
        self.assertEqual(thing.passed, 0)

    def test_again(self):
        """Called each tick until it moves its deadline or is let go."""
        thing = Thing(0.0)
        self.ticker.watch(thing)
        self.later(0.3)
        self.assertEqual(thing.passed, 3)
        self.ticker.unwatch(thing)
        self.later(1)
        self.assertEqual((thing.passed, len(self.ticker)), (3, 0))

    def test_stands_still(self):
        """No delayed call while nothing is watched; one for any number of things."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        things = [Thing(NEVER) for _ in range(5)]
        for thing in things:
            self.ticker.watch(thing)
            self.ticker.watch(thing)
        self.assertEqual((len(self.clock.getDelayedCalls()), len(self.ticker)), (1, 5))
        for thing in things:
            self.ticker.unwatch(thing)
            self.ticker.unwatch(thing)
        self.later(0.2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_let_go_by_another(self):
        """One that is let go in the same tick is not called any more."""
        one, two = Thing(0.0), Thing(0.0)
        one.then = lambda: self.ticker.unwatch(two)
        two.then = lambda: self.ticker.unwatch(one)
        self.ticker.watch(one)
        self.ticker.watch(two)
        self.later(0.1)
        self.assertEqual(one.passed + two.passed, 1)

    def test_watching_from_a_call(self):
        """Things may be watched and let go from within; the tick goes on."""
        second = Thing(0.2)
        first = Thing(0.0)

        def switch():
            self.ticker.unwatch(first)
            self.ticker.watch(second)

        first.then = switch
        self.ticker.watch(first)
        self.later(0.4)
        self.assertEqual(first.passed, 1)
        self.assertGreaterEqual(second.passed, 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_stop(self):
        """Stopping leaves nothing behind."""
        thing = Thing(0.0)
        self.ticker.watch(thing)
        self.ticker.stop()
        self.ticker.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.later(1)
        self.assertEqual(thing.passed, 0)


class Bare(ReactorBase):
    """A reactor that is never run."""

    def installWaker(self):
        pass


class Monotonic(SynchronousTestCase):
    """The reactor's clock, once a server has been made with it."""

    def setUp(self):
        self.reactor = Bare()
        # twisted.python.runtime.seconds, which reactors measure with, is time.time.
        self.assertIs(self.reactor.seconds, runtime.seconds)

    def test_goes_on(self):
        """It starts at the wall clock's value, so that pending calls keep their time."""
        call = self.reactor.callLater(5, lambda: None)
        wall = self.reactor.seconds()
        make_monotonic(self.reactor)
        self.assertIsNot(self.reactor.seconds, runtime.seconds)
        self.assertLess(abs(self.reactor.seconds() - wall), 1)
        self.assertLess(abs(call.getTime() - self.reactor.seconds() - 5), 1)

    def test_not_the_wall_clock(self):
        """It moves with time.monotonic and with nothing else."""
        now = [100.0]
        self.patch(time, "monotonic", lambda: now[0])
        make_monotonic(self.reactor)
        before = self.reactor.seconds()
        self.assertEqual(self.reactor.seconds(), before)
        now[0] += 7
        self.assertAlmostEqual(self.reactor.seconds() - before, 7, places=5)

    def test_once(self):
        """A second server changes nothing, nor does one over a clock of somebody's own."""
        make_monotonic(self.reactor)
        first = self.reactor.seconds
        make_monotonic(self.reactor)
        self.assertIs(self.reactor.seconds, first)
        clock = Clock()
        make_monotonic(clock)
        self.assertEqual(clock.seconds(), 0.0)
