"""Tests of naap_twisted.options.budget; tests/options/verdict_vectors.py has the refusals."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.budget import budget_list


class BudgetTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Units, windows and callers; money in billionths of a dollar."""
        day, rolling, month = budget_list(
            [
                {"tokens": 200_000, "per": "day"},
                {"requests": 5, "per": "90m", "of": "address", "mode": "audit"},
                {"usd": 0.1, "per": "month", "zone": "Europe/Berlin"},
            ]
        )
        self.assertEqual((day.unit, day.limit), ("tokens", 200_000))
        self.assertEqual((day.of, day.audit), ("caller", False))
        self.assertEqual((rolling.window.seconds, rolling.audit), (5400, True))
        self.assertEqual((month.limit, str(month.window.zone)), (100_000_000, "Europe/Berlin"))
        self.assertEqual(budget_list([day, rolling]), (day, rolling))

    def test_words(self) -> None:
        """A mistake says what to write instead."""
        for value, words in (
            ({"tokens": 5}, "lacks per"),
            ({"per": "day"}, "names one of requests, tokens, usd"),
            ({"tokens": 5, "per": "week"}, '"24h" for a window that rolls'),
            ({"tokens": 5, "per": "day", "zone": "Mars"}, "Europe/Berlin"),
        ):
            error = self.assertRaises(ValueError, budget_list, [value])
            self.assertIn(words, str(error))
