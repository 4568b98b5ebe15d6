"""Tests of naap_twisted.spend.purse: whose budgets a request falls under, and what is told."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import BudgetExceeded
from naap_twisted.model import PageBudget, PageGrant
from naap_twisted.spend.budget import Budget, Window
from naap_twisted.spend.ledger import MemoryLedger
from naap_twisted.spend.purse import Cost, Purse, Reservation

DAY = Window("day", 0, UTC)
NOON = 1_795_000_000.0
ADA = ExchangeRecord(client="192.0.2.1", user=User("ada"), route="/r")
GUEST = ExchangeRecord(client="192.0.2.1", route="/r")
KNOWN_GUEST = ExchangeRecord(client="192.0.2.1", user=User("guest:a", guest=True), route="/r")


def budget(limit: int = 100, unit: str = "tokens", of: str = "caller", **more: Any) -> Budget:
    return Budget(unit, limit, DAY, of, **more)


class PurseTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ledger = MemoryLedger()

    def purse(self, *own: Budget, of_server: tuple[Budget, ...] = (), path: str = "/r") -> Purse:
        purse = Purse.of_route(path, own, of_server, self.ledger)
        purse._now = lambda: NOON
        return purse

    def reserve(self, purse: Purse, record: ExchangeRecord, tokens: int = 10) -> Reservation:
        asked = purse.reserve(record, purse.pockets_of(record), Cost(1, tokens, tokens))
        reservation, self.left = self.successResultOf(Deferred.fromCoroutine(asked))
        return reservation

    def standings(self, purse: Purse, record: ExchangeRecord) -> list[tuple[str, int]]:
        found = self.successResultOf(Deferred.fromCoroutine(purse.standings(record)))
        return [(name, standing.total) for name, _, standing, _ in found]


class CallerTests(PurseTestCase):
    def test_who_shares_a_budget(self) -> None:
        """A user, an address, who is not signed in, the route, the server."""
        for of, ada, guest in (
            ("caller", "/r:tokens:day:caller:u:ada", "/r:tokens:day:caller:a:192.0.2.1"),
            ("user", "/r:tokens:day:user:u:ada", None),
            ("guest", None, "/r:tokens:day:guest:a:192.0.2.1"),
            ("address", "/r:tokens:day:address:a:192.0.2.1", "/r:tokens:day:address:a:192.0.2.1"),
            ("route", "/r:tokens:day:route:", "/r:tokens:day:route:"),
        ):
            purse = self.purse(budget(of=of))
            for record, name in ((ADA, ada), (GUEST, guest)):
                found = [account for account, _ in self.standings(purse, record)]
                self.assertEqual(found, [] if name is None else [name])

    def test_a_known_guest(self) -> None:
        """A guest by mode is one whatever its address is, and is no user."""
        for of, name in (
            ("caller", "/r:tokens:day:caller:g:guest:a"),
            ("user", None),
            ("guest", "/r:tokens:day:guest:g:guest:a"),
            ("address", "/r:tokens:day:address:a:192.0.2.1"),
        ):
            purse = self.purse(budget(of=of))
            found = [account for account, _ in self.standings(purse, KNOWN_GUEST)]
            self.assertEqual(found, [] if name is None else [name])

    def test_of_the_server(self) -> None:
        """Its budgets are shared by all routes, unless each route has one."""
        listed = (budget(of="server"), budget(of="route"), budget())
        first, second = (self.purse(of_server=listed, path=path) for path in ("/r", "/s"))
        self.reserve(first, ADA)
        sums = [total for _, total in self.standings(second, ADA)]
        self.assertEqual(sums, [10, 0, 10])

    def test_of_a_page_token(self) -> None:
        """What the token may spend counts beside the budgets of its user, on all its routes."""
        grant = PageGrant("t1", ("/r",), 0, 9e9, budget=(PageBudget("usd", Decimal("0.5"), "day"),))
        record = ExchangeRecord(user=User("ada", page=grant), route="/r")
        first, second = self.purse(budget()), self.purse(path="/s")
        self.reserve(first, record)
        self.assertEqual(self.standings(second, record), [("page:t1:usd:day:server:", 10)])
        self.assertEqual(len(self.standings(first, record)), 2)


class ReservationTests(PurseTestCase):
    def test_of_a_service(self) -> None:
        """It is the service's own, over all routes, whichever of its tokens comes."""
        spends = PageBudget("requests", Decimal(2), "month")
        record = ExchangeRecord(user=User("token:ci", budget=(spends,)), route="/r")
        purses = self.purse(path="/r"), self.purse(path="/s")
        self.reserve(purses[0], record)
        self.reserve(purses[1], record)
        asked = purses[0].reserve(record, purses[0].pockets_of(record), Cost(1))
        self.failureResultOf(Deferred.fromCoroutine(asked), BudgetExceeded)
        other = ExchangeRecord(user=User("token:other", budget=(spends,)), route="/r")
        self.reserve(purses[0], other)
        self.assertEqual(purses[0].pockets_of(ExchangeRecord(user=User("ada"))).each, ())

    def test_over(self) -> None:
        """A refusal says until when, and nothing that it reserved stays."""
        purse = self.purse(budget(15), budget(1000, "requests"))
        self.reserve(purse, ADA)
        self.reserve(purse, ADA)
        asked = purse.reserve(ADA, purse.pockets_of(ADA), Cost(1, 10))
        refusal = self.failureResultOf(Deferred.fromCoroutine(asked), BudgetExceeded).value
        self.assertIn("15 tokens a day of each caller", refusal.reason)
        self.assertNotIn("15", refusal.message)
        self.assertEqual([total for _, total in self.standings(purse, ADA)], [20, 2])

    def test_settled(self) -> None:
        """Each budget gets its unit of what was spent."""
        purse = self.purse(budget(), budget(5, "requests"), budget(9, "usd"))
        self.reserve(purse, ADA).settle(Cost(1, 3, 7))
        self.assertEqual([total for _, total in self.standings(purse, ADA)], [3, 1, 7])

    def test_left(self) -> None:
        """The tightest first; money in dollars; no less than nothing."""
        purse = self.purse(budget(100), budget(2 * 10**9, "usd"), budget(5, "requests"))
        self.reserve(purse, ADA)
        first, second, third = self.left.split(b", ")
        self.assertEqual((first, second), (b"requests=4;per=day", b"tokens=90;per=day"))
        self.assertEqual(third, b"usd=1.99999999;per=day")
        self.reserve(self.purse(budget(5)), GUEST)
        self.assertEqual(self.left, b"tokens=0;per=day")

    def test_no_budget(self) -> None:
        """A request that falls under none is not told of any."""
        purse = self.purse(budget(of="user"))
        self.reserve(purse, GUEST).settle(Cost(1, 1))
        self.assertEqual((self.left, len(self.ledger)), (b"", 0))

    def test_told_once(self) -> None:
        """Half, four fifths and all of a budget: a line each, not again after a settlement."""
        purse = self.purse(budget(100))
        with capturedLogs() as captured:
            for _ in range(3):
                self.reserve(purse, ADA, 60).settle(Cost(1, 30))
        told = [event["percent"] for event in captured]
        self.assertEqual(told, [50, 80, 100])

    def test_a_ledger_elsewhere(self) -> None:
        """One that answers later is waited for."""
        purse = self.purse(budget(100))
        ledger = self.ledger

        class Later:
            def reserve(self, charges: Any) -> Any:
                return succeed(ledger.reserve(charges))

            def settle(self, corrections: Any) -> Any:
                return succeed(ledger.settle(corrections))

            def read(self, charges: Any) -> Any:
                return succeed(ledger.read(charges))

        purse._ledger = Later()
        self.reserve(purse, ADA).settle(Cost(1, 4))
        self.assertEqual([total for _, total in self.standings(purse, ADA)], [4])
