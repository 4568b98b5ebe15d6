"""Tests of naap_twisted.route.spending: models, prices, and what an end costs."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted import create_external_proxy
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import BadGateway, ModelNotAllowed, UpstreamCut
from naap_twisted.model import Tokens
from naap_twisted.options.budget import budget_list
from naap_twisted.policy.target import PinnedBase
from naap_twisted.route.spending import Bill, Spending
from naap_twisted.spend.estimate import Worst
from naap_twisted.spend.ledger import MemoryLedger
from naap_twisted.spend.prices import Price, Prices
from naap_twisted.spend.purse import Purse

CHEAP, DEAR = Price(Decimal(1), Decimal(2)), Price(Decimal(10), Decimal(20))
PRICES = Prices({"cheap": CHEAP, "dear": DEAR})
JSON = b"application/json"


class SpendingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ledger = MemoryLedger()
        self.record = ExchangeRecord(client="192.0.2.1", route="/r")

    def bill(self, body: Any, path: bytes = b"/chat/completions", **route: Any) -> Deferred[Bill]:
        proxy = create_external_proxy(provider="openai", key="k" * 20, **route)
        budgets = budget_list([{"tokens": 10**6, "per": "day"}, {"usd": 9, "per": "day"}])
        purse = Purse.of_route("/r", budgets, (), self.ledger)
        spending = Spending(purse, proxy.route.costing, PRICES)
        base = proxy.route.pinned
        assert isinstance(base, PinnedBase)
        request: Any = SimpleNamespace(
            method=b"POST", record=self.record, responseHeaders=Headers()
        )
        content = json.dumps(body).encode()
        asked = spending.reserve(request, base.join(path), content, JSON)
        return Deferred.fromCoroutine(asked)

    def spent(self) -> list[int]:
        tables = self.ledger._tables.values()
        return [sum(a.spent.values()) for table in tables for a, _ in table.values()]

    def ended(self, error: BaseException | None = None, **record: Any) -> list[int]:
        """What a chat has cost that ended so."""
        bill = self.successResultOf(self.bill({"model": "cheap", "max_tokens": 40}))
        self.record.phases["headers"] = 0.1
        for name, value in record.items():
            setattr(self.record, name, value)
        bill.settle(self.record, error)
        return self.spent()


class PriceTests(SpendingTestCase):
    def test_the_dearest(self) -> None:
        """Of several models the dearest is reserved."""
        body = {"model": "cheap", "tools": [{"model": "dear"}], "max_tokens": 40}
        bill = self.successResultOf(self.bill(body))
        self.assertIs(bill.price, DEAR)

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


class EndTests(SpendingTestCase):
    def test_reported(self) -> None:
        """What an answer reports, an explicit zero too."""
        for tokens in (Tokens(5, output=7), Tokens()):
            self.setUp()
            spent = self.ended(upstream_status=200, model_tokens=tokens)
            self.assertEqual(spent, [tokens.total, 1000 * (tokens.input + 2 * tokens.output)])
            self.assertEqual((self.record.booked, self.record.estimated), (tokens, False))

    def test_broken_off(self) -> None:
        """The larger of what was reported so far and of what came."""
        for tokens, text, spent in (
            (None, 30, Tokens(self.question, output=10)),
            (Tokens(500, output=1), 30, Tokens(500, output=10)),
            (Tokens(500, output=99), 30, Tokens(500, output=99)),
        ):
            self.setUp()
            more = {"upstream_status": 200, "model_tokens": tokens, "answer_text": text}
            self.assertEqual(self.ended(UpstreamCut("x"), **more)[0], spent.total)
            self.assertTrue(self.record.estimated)

    def test_partly_reported(self) -> None:
        """An answer that ends in order, but says more than it reports, is no free one."""
        tokens = Tokens(500, output=1)
        more = {"model_tokens": tokens, "answer_text": 60, "report_is_partial": True}
        spent = self.ended(upstream_status=200, **more)
        self.assertEqual((spent[0], self.record.estimated), (520, True))

    def test_no_more_than_was_reserved(self) -> None:
        """Words of many letters make an estimate above the limit that the upstream keeps to."""
        spent = self.ended(UpstreamCut("x"), upstream_status=200, answer_text=600)
        self.assertEqual(spent[0], self.question + 40)

    def test_more_than_a_guess(self) -> None:
        """Where nobody told the upstream a limit, the reservation is none."""
        bill = self.successResultOf(self.bill({"model": "cheap"}))
        self.record.phases["headers"] = 0.1
        self.record.upstream_status, self.record.answer_text = 200, 60_000
        bill.settle(self.record, UpstreamCut("x"))
        self.assertGreater(self.spent()[0], 20_000)

    @property
    def question(self) -> int:
        return -(-len(json.dumps({"model": "cheap", "max_tokens": 40})) // 3)

    def test_no_answer(self) -> None:
        """All that was reserved, unless no connection was made."""
        self.assertEqual(self.ended(BadGateway().once_sent())[0], self.question + 40)
        self.setUp()
        self.assertEqual(self.ended(BadGateway()), [0, 0])
        self.setUp()
        self.assertEqual(self.ended(GeneratorExit())[0], self.question + 40)

    def test_answered_here(self) -> None:
        """A route's callable that answers by itself costs nothing."""
        self.assertEqual(self.ended(), [0, 0])

    def test_stored_answers(self) -> None:
        """An answer that is read again reports what is booked already."""
        bill = self.successResultOf(self.bill({}, b"/uploads"))
        bill.worst = Worst()
        self.record.phases["headers"] = 0.1
        self.record.upstream_status, self.record.model_tokens = 200, Tokens(5, output=7)
        bill.settle(self.record, None)
        self.assertEqual(self.spent(), [0, 0])

    def test_an_error_of_the_upstream(self) -> None:
        """It costs what it reports, which is nothing as a rule."""
        self.assertEqual(self.ended(upstream_status=500), [0, 0])
