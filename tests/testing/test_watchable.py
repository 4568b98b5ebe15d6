"""Waiting for events instead of for time."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.testing import Watchable


class WatchableTests(SynchronousTestCase):
    def test_what_holds_already_fires_at_once(self):
        self.successResultOf(Watchable().until(lambda: True))

    def test_fires_at_the_event_that_makes_it_true_and_not_before(self):
        watched, seen = Watchable(), []
        done = watched.until(lambda: len(seen) > 1)
        seen.append(1)
        watched.changed()
        self.assertNoResult(done)
        seen.append(2)
        watched.changed()
        self.successResultOf(done)

    def test_each_waits_for_its_own_condition(self):
        watched, seen = Watchable(), set()
        one, two = (watched.until(lambda name=name: name in seen) for name in "ab")
        seen.add("b")
        watched.changed()
        self.assertNoResult(one)
        self.successResultOf(two)

    def test_cancelled_waiting_is_forgotten(self):
        watched = Watchable()
        asked = []
        done = watched.until(lambda: asked.append(1))
        done.cancel()
        asked.clear()
        watched.changed()
        self.assertEqual(asked, [])
        self.failureResultOf(done)
