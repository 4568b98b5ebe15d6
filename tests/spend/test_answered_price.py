"""Tests of naap_twisted.spend.answered_price."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import Tokens
from naap_twisted.spend.answered_price import AnsweredPrice
from naap_twisted.spend.prices import Price, PriceList, Prices

D = Decimal
FEW, MANY = Tokens(10, output=10), Tokens(1000, output=10)
CHEAP, DEAR, OWN = Price(D(1), D(2)), Price(D(10), D(20)), Price(D(3), D(4))
# Cheaper for a long question, dearer for a short one.
WORDY = Price(D("0.5"), D(30))
SHIPPED = PriceList("", "", date(2026, 1, 1), {"cheap": CHEAP, "dear": DEAR, "wordy": WORDY})
PRICES = Prices({"mine": OWN, "own": CHEAP, "router": DEAR}, {"openai": SHIPPED})


class AnsweredPriceTests(SynchronousTestCase):
    def of(self, asked: Price, models: tuple[str, ...], answered: str, tokens: Tokens) -> Price:
        return AnsweredPrice(PRICES, "openai", asked, models, ("router",)).of(answered, tokens)

    def test_vectors(self) -> None:
        """The dearer of the two; an unknown name changes nothing."""
        for asked, model, answered, tokens, price in (
            (CHEAP, "cheap", "cheap", FEW, CHEAP),
            (CHEAP, "cheap", "cheap-2026-01-01", FEW, CHEAP),
            (CHEAP, "cheap", "", FEW, CHEAP),
            (CHEAP, "cheap", "unknown", FEW, CHEAP),
            (CHEAP, "cheap", "dear-2026-01-01", FEW, DEAR),
            (DEAR, "dear", "cheap", FEW, DEAR),
            # Which is the dearer one is told for the tokens that were counted.
            (CHEAP, "cheap", "wordy", FEW, WORDY),
            (CHEAP, "cheap", "wordy", MANY, CHEAP),
            # A price of the user's own for what was asked goes before the table.
            (OWN, "mine", "dear", FEW, OWN),
            (CHEAP, "own", "mine", FEW, OWN),
            (CHEAP, "cheap", "mine", FEW, OWN),
        ):
            self.assertIs(self.of(asked, (model,), answered, tokens), price, (model, answered))

    def test_routers(self) -> None:
        """What leaves the choice to the vendor costs as what was chosen, and no router beside."""
        self.assertIs(self.of(DEAR, ("router",), "cheap", FEW), CHEAP)
        self.assertIs(self.of(DEAR, ("router",), "unknown", FEW), DEAR)
        self.assertIs(self.of(DEAR, ("router", "dear"), "cheap", FEW), DEAR)
