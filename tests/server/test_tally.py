"""Plain numbers of finished exchanges."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.server.tally import BOUNDS, Tally


class TallyTests(SynchronousTestCase):
    def setUp(self):
        self.tally = Tally()

    def test_statuses(self):
        """By class; 0 is an answer that never began, and an unknown class is as 5xx to clients."""
        for status in (200, 204, 201, 404, 599, 0, 100, 999):
            self.tally.count(ExchangeRecord(route="/a"), status, 0.1)
        self.assertEqual(self.tally.routes["/a"].statuses, [1, 1, 3, 0, 1, 2])

    def test_durations(self):
        """The first bound that is not exceeded; the last bucket has none."""
        for seconds in (0.0, 0.005, 0.0051, 300.0, 301.0):
            self.tally.count(ExchangeRecord(route="/a"), 200, seconds)
        durations = self.tally.routes["/a"].durations
        self.assertEqual((durations[0], durations[1], durations[-2:]), (2, 1, [1, 1]))
        self.assertEqual(len(durations), len(BOUNDS) + 1)
        self.assertAlmostEqual(self.tally.routes["/a"].seconds, 601.0101)

    def test_outcomes(self):
        """What did not end well, by route and outcome."""
        for route, outcome in (("/a", "ok"), ("/a", "X"), ("/b", "X"), ("/b", "X")):
            self.tally.count(ExchangeRecord(route=route, outcome=outcome), 200, 0.1)
        self.assertEqual(self.tally.outcomes, {("/a", "X"): 1, ("/b", "X"): 2})

    def test_ended(self):
        """The exchange counts, timed by its site's clock."""
        site = SimpleNamespace(ticker=SimpleNamespace(now=lambda: 12.0))
        for code, began in ((404, True), (200, False)):
            record = ExchangeRecord(route="/a", started=11.0)
            request = SimpleNamespace(record=record, code=code, startedWriting=began, site=site)
            self.tally.ended(request)
        self.assertEqual(self.tally.routes["/a"].statuses, [1, 0, 0, 0, 1, 0])
        self.assertEqual(self.tally.routes["/a"].seconds, 2.0)
