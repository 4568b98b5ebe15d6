"""A route of OpenAI's with budgets, whose requests are reserved and settled without a wire."""

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
from naap_twisted.options.budget import budget_list
from naap_twisted.policy.target import PinnedBase
from naap_twisted.route.bill import Bill
from naap_twisted.route.sent_body import SentBody
from naap_twisted.route.spending import Spending
from naap_twisted.spend.ledger import MemoryLedger
from naap_twisted.spend.prices import Price, Prices
from naap_twisted.spend.purse import Purse

CHEAP, DEAR = Price(Decimal(1), Decimal(2)), Price(Decimal(10), Decimal(20))
#: Six cents for a minute of sound: 1,000,000 billionths of a dollar for each of its seconds.
HEARD = Price(Decimal(0), Decimal(0), per_minute=Decimal("0.06"))
PRICES = Prices({"cheap": CHEAP, "dear": DEAR, "heard": HEARD})
JSON = b"application/json"


class SpendingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ledger = MemoryLedger()
        self.record = ExchangeRecord(client="192.0.2.1", route="/r")

    def bill(
        self,
        body: Any,
        path: bytes = b"/chat/completions",
        kind: bytes = JSON,
        **route: Any,
    ) -> Deferred[Bill]:
        """The bill of a request; *body* is JSON, or bytes of that *kind*."""
        proxy = create_external_proxy(provider="openai", key="k" * 20, **route)
        budgets = budget_list([{"tokens": 10**6, "per": "day"}, {"usd": 9, "per": "day"}])
        purse = Purse.of_route("/r", budgets, (), self.ledger)
        spending = Spending(purse, proxy.route.costing, PRICES)
        base = proxy.route.pinned
        assert isinstance(base, PinnedBase)
        request: Any = SimpleNamespace(
            method=b"POST", record=self.record, responseHeaders=Headers()
        )
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        pockets = spending.pockets_of(self.record)
        sent = SentBody(content, kind)
        asked = spending.reserve(request, base.join(path), sent, pockets)
        return Deferred.fromCoroutine(asked)

    def spent(self) -> list[int]:
        tables = self.ledger._tables.values()
        return [sum(a.spent.values()) for table in tables for a, _ in table.values()]

    def ended(self, error: BaseException | None = None, **record: Any) -> list[int]:
        """What a chat has cost that ended so."""
        bill = self.successResultOf(self.bill({"model": "cheap", "max_tokens": 40}))
        return self.settled(bill, error, **record)

    def settled(self, bill: Bill, error: BaseException | None = None, **record: Any) -> list[int]:
        """What is spent in all when a request's exchange has ended so."""
        self.record.phases["headers"] = 0.1
        for name, value in record.items():
            setattr(self.record, name, value)
        bill.settle(self.record, error)
        return self.spent()
