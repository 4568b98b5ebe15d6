"""Tests of naap_twisted.route.spending: models and their prices."""

from __future__ import annotations

from naap_twisted.errors import ModelNotAllowed

from .spending_case import DEAR, SpendingTestCase


class PriceTests(SpendingTestCase):
    def test_the_dearest(self) -> None:
        """Of several models the dearest is reserved."""
        body = {"model": "cheap", "tools": [{"model": "dear"}], "max_tokens": 40}
        bill = self.successResultOf(self.bill(body))
        assert bill.price is not None
        self.assertIs(bill.price.asked, DEAR)

    def test_none(self) -> None:
        """A model without a price is refused with the line to write, and so is no model."""
        refusal = self.failureResultOf(self.bill({"model": "new"}), ModelNotAllowed).value
        self.assertEqual(refusal.remedy, '[prices] "new" = { input = 0.15, output = 0.60 }')
        self.failureResultOf(self.bill({}), ModelNotAllowed)
        tools = {"model": "cheap", "tools": [{"model": "x"}]}
        self.failureResultOf(self.bill(tools), ModelNotAllowed)
        self.assertEqual(len(self.ledger), 0)

    def test_where_no_model_answers(self) -> None:
        """An endpoint that has none needs no price."""
        self.successResultOf(self.bill({"purpose": "x"}, b"/uploads"))
