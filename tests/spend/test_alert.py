"""Tests of naap_twisted.spend.alert."""

from __future__ import annotations

import json
from datetime import UTC

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.alert import Alert
from naap_twisted.spend.budget import Budget, Window

from .ledger_contract import CHARGE

BUDGET = Budget("usd", 5_000_000_000, Window("day", 0, UTC), "user")
ALERT = Alert(80, BUDGET, CHARGE, 4_100_000_000, "/api/v1/openai", "u:ada")


class AlertTests(SynchronousTestCase):
    def test_document(self) -> None:
        """What a receiver needs, in numbers and in words; money is a text."""
        document = json.loads(json.dumps(ALERT.document("shop")))
        self.assertEqual((document["limit"], document["spent"]), ("5", "4.1"))
        self.assertEqual((document["percent"], document["who"]), (80, "u:ada"))
        self.assertEqual(
            document["text"],
            "shop: 80 % of a budget of /api/v1/openai is spent or reserved:"
            " 5 USD a day of each user; by u:ada",
        )
        self.assertTrue(document["window_began"].endswith("+00:00"))
        tokens = evolve(ALERT, budget=evolve(BUDGET, unit="tokens", limit=9), amount=8)
        self.assertEqual(tokens.document("shop")["spent"], 8)

    def test_id(self) -> None:
        """One of each part of each window, in every process; another of any other."""
        self.assertEqual(ALERT.id, evolve(ALERT, amount=1, route="/other").id)
        others = (
            evolve(ALERT, percent=100),
            evolve(ALERT, charge=evolve(CHARGE, part=CHARGE.part + 1)),
            evolve(ALERT, charge=evolve(CHARGE, account="another")),
        )
        self.assertEqual(len({ALERT.id, *(other.id for other in others)}), 4)
