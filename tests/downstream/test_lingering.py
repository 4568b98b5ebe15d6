"""How long, how many and how fast connections linger."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.lingering import Lingering

LIMITS = DownstreamLimits(
    linger_time=30.0,
    linger_timeout=2.0,
    linger_rate=1000,
    lingering=3,
    lingering_per_address=2,
    write_timeout=60.0,
)


class Number(SynchronousTestCase):
    def setUp(self):
        self.account = Lingering(LIMITS)

    def enter(self, key):
        return self.account.enter(key, 100.0, stuck=False)

    def test_of_one_caller(self):
        """Another has room; who ends makes room; nothing is kept of who is gone."""
        mine = [self.enter("a"), self.enter("a")]
        self.assertIsNone(self.enter("a"))
        other = self.enter("b")
        mine.pop().end()
        mine.append(self.enter("a"))
        for linger in (*mine, other):
            linger.end()
        self.assertEqual((self.account.total, dict(self.account.by_key)), (0, {}))

    def test_of_all(self):
        """And who found no room takes none."""
        for key in "abc":
            self.assertIsNotNone(self.enter(key))
        self.assertIsNone(self.enter("d"))
        self.assertEqual((self.account.total, "d" in self.account.by_key), (3, False))


class Time(SynchronousTestCase):
    def begin(self, **more):
        return Lingering(LIMITS).enter("a", 100.0, **{"stuck": False, **more})

    def test_gap(self):
        """Each byte buys a gap."""
        linger = self.begin()
        self.assertEqual(linger.deadline, 102.0)
        self.assertFalse(linger.goes_on(102.0))
        self.assertTrue(linger.read(1, 101.5))
        self.assertEqual(linger.deadline, 103.5)

    def test_whole(self):
        """And no more than all the time there is."""
        linger = self.begin()
        for now in range(101, 130):
            linger.read(1, float(now))
        self.assertEqual(linger.deadline, 130.0)

    def test_stuck(self):
        """Who does not take the answer has the time that every reader has."""
        self.assertEqual(self.begin(stuck=True).deadline, 160.0)

    def test_hurry(self):
        """At the server's end a gap is left; a deadline is never put off."""
        linger = self.begin()
        for now in range(101, 110):
            linger.read(1, float(now))
        linger.hurry(109.5)
        self.assertEqual(linger.deadline, 111.0)
        linger.read(1, 111.0)
        self.assertEqual(linger.deadline, 111.5)


class Rate(SynchronousTestCase):
    def test_of_all_together(self):
        """A second's bytes at once, then at the rate; the pause costs nobody the gap."""
        account = Lingering(LIMITS)
        first, second = (account.enter(key, 0.0, stuck=False) for key in "ab")
        self.assertTrue(first.read(900, 0.0))
        self.assertFalse(second.read(300, 0.0))
        self.assertEqual(second.deadline, 0.0)
        self.assertTrue(second.goes_on(0.1))
        self.assertFalse(second.read(0, 0.1))
        self.assertTrue(second.read(0, 0.3))
        self.assertEqual(second.deadline, 2.3)
        self.assertFalse(second.goes_on(2.3))

    def test_no_credit(self):
        """An idle hour is no hour's worth of bytes."""
        account = Lingering(LIMITS)
        linger = account.enter("a", 3600.0, stuck=False)
        self.assertFalse(linger.read(1000, 3600.0))

    def test_a_pause_ends_with_the_time(self):
        """However little room the others leave."""
        linger = Lingering(LIMITS).enter("a", 0.0, stuck=False)
        linger.read(10**6, 29.0)
        self.assertTrue(linger.goes_on(29.9))
        self.assertFalse(linger.goes_on(30.0))
