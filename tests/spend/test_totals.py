"""Tests of naap_twisted.spend.totals; what stores answer is in the contract of usage stores."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.totals import DIMENSIONS, Question


class QuestionTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        """Who names no number of rows gets no endless answer."""
        self.assertEqual((Question(("day",)).limit, Question(("day",)).offset), (1_000, 0))

    def test_times_come_first(self) -> None:
        """An answer names when, then who, then what."""
        self.assertEqual(DIMENSIONS[:3], ("month", "day", "user"))
