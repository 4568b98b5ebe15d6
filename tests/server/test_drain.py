"""How a server ends: what is in flight may finish, for as long as it was told, or until hurried."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.server.drain import Drain


class Channel:
    def __init__(self, site, exchange=None):
        self.site = site
        self.exchange = exchange

    def abort(self):
        self.site.cut.append(self)
        self.site.reactor.callLater(0, self.site.open.discard, self)


class Site:
    """Stands in for a DownstreamSite: its open connections, and those that were cut."""

    def __init__(self, reactor, connections):
        self.reactor = reactor
        self.closing = self.draining = False
        self.cut = []
        self.open = {Channel(self) for _ in range(connections)}

    def drain(self):
        self.closing = self.draining = True


class Alone:
    """Stands in for the Replays: exchanges that go on without their callers."""

    def __init__(self, count):
        self.going_on = count
        self.cuts = 0

    def cut(self):
        self.cuts += self.going_on
        self.going_on = 0


class DrainTests(SynchronousTestCase):
    def begin(self, connections, timeout=10.0, alone=0):
        self.clock = Clock()
        self.site = Site(self.clock, connections)
        self.alone = Alone(alone)
        self.drain = Drain(self.site, self.clock, timeout, self.alone)
        self.done = Deferred.fromCoroutine(self.drain.run())

    def test_nothing_open(self):
        """Over at once."""
        self.begin(0)
        self.successResultOf(self.done)
        self.assertTrue(self.site.draining)

    def test_all_end(self):
        """It takes no longer than the last connection."""
        self.begin(2)
        self.clock.advance(1)
        self.assertNoResult(self.done)
        self.site.open.clear()
        self.clock.pump([0.05] * 2)
        self.successResultOf(self.done)
        self.assertEqual(self.site.cut, [])

    def test_without_callers(self):
        """Exchanges that go on alone are waited for, and cut when their time is over."""
        self.begin(0, timeout=1.0, alone=2)
        self.clock.advance(0.5)
        self.assertNoResult(self.done)
        self.clock.pump([0.05] * 30)
        self.successResultOf(self.done)
        self.assertEqual(self.alone.cuts, 2)
        self.begin(0, alone=1)
        self.alone.going_on = 0
        self.clock.pump([0.05] * 2)
        self.successResultOf(self.done)
        self.assertEqual(self.alone.cuts, 0)

    def test_some_do_not(self):
        """They are cut when their time is over, and gone when the drain is."""
        self.begin(2, timeout=1.0)
        self.clock.pump([0.05] * 19)
        self.assertEqual(self.site.cut, [])
        self.clock.pump([0.05] * 3)
        self.successResultOf(self.done)
        self.assertEqual((len(self.site.cut), self.site.open), (2, set()))

    def test_hurried(self):
        """Whoever asks again does not wait for the rest of the time."""
        self.begin(1, timeout=1000.0)
        self.clock.advance(1)
        self.drain.hurry()
        self.clock.pump([0.05] * 3)
        self.successResultOf(self.done)
        self.assertEqual(len(self.site.cut), 1)

    def test_cut_is_told(self):
        """The log says how many were cut and of which routes; what failed before keeps its word."""
        self.begin(1, timeout=0.05)
        records = [ExchangeRecord(route=route) for route in ("/a", "/b", "/a", "")]
        records[1].outcome = "upstream_cut"
        self.site.open |= {Channel(self.site, record) for record in records}
        with capturedLogs() as logs:
            self.clock.pump([0.05] * 3)
        self.successResultOf(self.done)
        self.assertEqual(
            [record.outcome for record in records],
            ["drained", "upstream_cut", "drained", "drained"],
        )
        (line,) = [formatEvent(event) for event in logs if "were cut" in event["log_format"]]
        self.assertTrue(line.startswith("4 exchanges outlasted the drain and were cut: 2 of /a, "))
        self.assertIn("1 of no route", line)


class LameDuckTests(SynchronousTestCase):
    def announced(self, lame_duck):
        self.clock = Clock()
        self.site = Site(self.clock, 1)
        self.drain = Drain(self.site, self.clock, 10.0, Alone(0), lame_duck)
        return Deferred.fromCoroutine(self.drain.announce())

    def test_none(self):
        """Nothing is announced, and the drain begins at once."""
        self.successResultOf(self.announced(None))
        self.assertFalse(self.site.closing)

    def test_serves_on(self):
        """The site closes connections after their answers, and refuses nothing for that time."""
        announced = self.announced(5.0)
        self.clock.pump([0.05] * 99)
        self.assertNoResult(announced)
        self.assertEqual((self.site.closing, self.site.draining), (True, False))
        self.clock.pump([0.05] * 2)
        self.successResultOf(announced)
        self.assertEqual(self.site.cut, [])

    def test_hurried(self):
        """A second signal ends it, and the drain after it."""
        announced = self.announced(1000.0)
        self.drain.hurry()
        self.clock.pump([0.05] * 2)
        self.successResultOf(announced)
        done = Deferred.fromCoroutine(self.drain.run())
        self.clock.pump([0.05] * 2)
        self.successResultOf(done)
        self.assertEqual(len(self.site.cut), 1)
