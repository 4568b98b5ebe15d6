"""Retries are a tenth of the requests at most, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.limits.retry_budget import RetryBudget


class RetryBudgetTests(SynchronousTestCase):
    @given(st.lists(st.booleans(), max_size=500))
    def test_a_tenth(self, steps):
        """One, and one for ten requests."""
        budget, asked, taken = RetryBudget(), 0, 0
        for is_request in steps:
            if is_request:
                budget.asked()
                asked += 1
            else:
                taken += budget.take()
            self.assertLessEqual(taken, 1 + asked / 10)

    def test_whole(self):
        """Ten requests are enough for one."""
        budget = RetryBudget()
        self.assertTrue(budget.take())
        for _ in range(9):
            budget.asked()
        self.assertFalse(budget.take())
        budget.asked()
        self.assertTrue(budget.take())

    def test_saved(self):
        """A long calm time does not allow a storm."""
        budget = RetryBudget()
        for _ in range(10_000):
            budget.asked()
        self.assertEqual(sum(budget.take() for _ in range(100)), 10)
