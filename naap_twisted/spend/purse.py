"""The purse of one route: its budgets and the server's, charged together for each request."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC
from decimal import Decimal
from functools import lru_cache

from attrs import astuple, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..downstream.caller import rate_key
from ..downstream.record import ExchangeRecord
from ..errors import BudgetExceeded
from ..model import Tokens
from .alert import Alert
from .budget import Budget, Clock, Window, nanos, plain_usd
from .counts import Counts
from .ledger import Charge, Correction, Ledger, Standing, Verdict
from .prices import Price

#: Parts of a limit, in percent, that are told in the log when they are spent.
TOLD_AT = (50, 80, 100)
_MOST_TOLD = 10_000


@frozen
class Cost:
    """What one request costs, or may cost at most.

    :ivar usd: in billionths of a dollar.
    """

    requests: int = 0
    tokens: int = 0
    usd: int = 0

    @classmethod
    def of(cls, tokens: Tokens, price: Price | None) -> Cost:
        """The cost of one request with these tokens."""
        return cls(1, tokens.total, 0 if price is None else nanos(price.cost(tokens)))

    def amount(self, unit: str) -> int:
        """It in the unit of a budget."""
        return {"requests": self.requests, "tokens": self.tokens, "usd": self.usd}[unit]


class Pocket:
    """One budget, and whose requests fall under it.

    :param place: where the budget is written: the path of a route, or ``""`` for the server.
    :param route: the path of the route that is asked.
    """

    def __init__(self, budget: Budget, place: str, route: str) -> None:
        self.budget = budget
        self._clock = Clock(budget.window)
        audit = ":audit" if budget.audit else ""
        shared = route if budget.of == "route" else place
        self._name = f"{shared}:{budget.unit}:{budget.window.name}:{budget.of}{audit}:"
        self._keep = 2 * budget.window.length

    def charge(self, record: ExchangeRecord, cost: Cost, now: float) -> Charge | None:
        """What a request reserves here; ``None`` where the budget is not about its caller."""
        budget = self.budget
        who = self._who(record)
        if who is None:
            return None
        period = self._clock.at(now)
        return Charge(
            self._name + who,
            period.part,
            period.since,
            int(now // 60),
            budget.limit,
            cost.amount(budget.unit),
            not budget.audit,
            self._keep,
        )

    def _who(self, record: ExchangeRecord) -> str | None:
        of = self.budget.of
        if of in ("route", "server"):
            return ""
        if of == "address":
            return f"a:{rate_key(record.client)}"
        signed_in = record.user is not None and not record.user.guest
        if (of == "user" and not signed_in) or (of == "guest" and signed_in):
            return None
        return record.caller

    def frees(self, standing: Standing, now: float) -> int:
        """Whole seconds until some of what counts will not."""
        window = self.budget.window
        return max(1, math.ceil(window.frees(self._clock.at(now), standing.oldest) - now))


@frozen
class Pockets:
    """The budgets that one request falls under.

    :ivar counts_tokens: one of them is about a model's tokens, or what they cost.
    :ivar counts_money: one of them is about what they cost.
    """

    each: tuple[Pocket, ...]
    counts_tokens: bool
    counts_money: bool

    @classmethod
    def of(cls, pockets: Iterable[Pocket]) -> Pockets:
        """These together."""
        each = tuple(pockets)
        units = {pocket.budget.unit for pocket in each}
        return cls(each, not units <= {"requests"}, "usd" in units)


@frozen
class Reservation:
    """What a request has reserved, until it is settled."""

    purse: Purse
    charges: tuple[Charge, ...]
    units: tuple[str, ...]

    def settle(self, cost: Cost) -> None:
        """Put what the request did cost in the place of the reservation."""
        pairs = zip(self.charges, self.units, strict=True)
        self.purse.settle([Correction(charge, cost.amount(unit)) for charge, unit in pairs])


class Purse:
    """The budgets that a route's requests fall under.

    :param now: seconds since 1970; they choose the windows.
    :param alert: is told, beside the log, when a part of a budget is spent.
    :ivar spent: what this process booked for requests whose tokens or money a budget counts.
    """

    _log = Logger()

    def __init__(
        self,
        pockets: Iterable[Pocket],
        ledger: Ledger,
        now: Callable[[], float] = time.time,
        alert: Callable[[Alert], object] | None = None,
    ) -> None:
        self._pockets = Pockets.of(pockets)
        self._ledger = ledger
        self._now = now
        self.spent = Counts()
        self._alert = alert
        self._told: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    @classmethod
    def of_route(
        cls,
        path: str,
        own: Iterable[Budget],
        of_server: Iterable[Budget],
        ledger: Ledger,
        alert: Callable[[Alert], object] | None = None,
    ) -> Purse:
        """The purse of the route at *path*, with budgets of its *own*."""
        pockets = [Pocket(budget, "", path) for budget in of_server]
        pockets += [Pocket(budget, path, path) for budget in own]
        return cls(pockets, ledger, alert=alert)

    @property
    def has_budgets(self) -> bool:
        """Whether any request of the route may fall under a budget of it, or of the server."""
        return bool(self._pockets.each)

    def pockets_of(self, record: ExchangeRecord) -> Pockets:
        """The budgets of a request: of server and route, and of the caller, or its page token."""
        user = record.user
        if user is None:
            return self._pockets
        page = user.page
        if not user.budget and (page is None or not page.budget):
            return self._pockets
        own = [_own(f"token:{user.id}", *astuple(each)) for each in user.budget]
        if page is not None:
            own += (_own(f"page:{page.id}", *astuple(each)) for each in page.budget)
        return Pockets.of((*self._pockets.each, *own))

    async def reserve(
        self, record: ExchangeRecord, pockets: Pockets, worst: Cost
    ) -> tuple[Reservation, bytes]:
        """Reserve the worst case of a request under every budget, or under none.

        Beside the reservation: the value of ``X-Budget-Remaining``.

        :raises BudgetExceeded: a budget is spent.
        :raises Unavailable: the ledger can't be asked, and nothing may be spent without it.
        """
        now = self._now()
        asked = [(pocket, pocket.charge(record, worst, now)) for pocket in pockets.each]
        charged = [(pocket, charge) for pocket, charge in asked if charge is not None]
        charges = tuple([charge for _, charge in charged])
        if not charges:
            return Reservation(self, (), ()), b""
        verdict = self._ledger.reserve(charges)
        if not isinstance(verdict, Verdict):
            verdict = await verdict
        if verdict.refused >= 0:
            pocket = charged[verdict.refused][0]
            wait = pocket.frees(verdict.before[verdict.refused], now)
            text = pocket.budget.text
            raise BudgetExceeded(wait, unit=pocket.budget.unit, reason=f"over the budget: {text}")
        for (pocket, charge), standing in zip(charged, verdict.before, strict=True):
            self._tell(record, pocket.budget, charge, standing)
        units = tuple([pocket.budget.unit for pocket, _ in charged])
        left = _remaining(charged, verdict.before)
        return Reservation(self, charges, units), left

    def settle(self, corrections: Sequence[Correction]) -> None:
        """Book what a request did cost."""
        if not corrections:
            return
        settled = self._ledger.settle(corrections)
        if settled is not None:
            Deferred.fromCoroutine(_awaited(settled)).addErrback(
                lambda failure: self._log.failure("A reservation was not settled", failure)
            )

    async def standings(self, record: ExchangeRecord) -> list[tuple[str, Budget, Standing, int]]:
        """Each budget of a caller by its account, how it stands, and when some of it is free.

        That is in seconds from now.
        """
        now = self._now()
        asked = [(p, p.charge(record, Cost(), now)) for p in self.pockets_of(record).each]
        charged = [(pocket, charge) for pocket, charge in asked if charge is not None]
        read = self._ledger.read([charge for _, charge in charged])
        standings = read if isinstance(read, Sequence) else await read
        return [
            (charge.account, pocket.budget, standing, pocket.frees(standing, now))
            for (pocket, charge), standing in zip(charged, standings, strict=True)
        ]

    def _tell(
        self, record: ExchangeRecord, budget: Budget, charge: Charge, before: Standing
    ) -> None:
        after = before.total + charge.amount
        for percent in TOLD_AT:
            mark = budget.limit * percent
            if not before.total * 100 < mark <= after * 100:
                continue
            key = charge.account, charge.part, percent
            if key in self._told:
                continue  # A settlement had brought the sum below the mark again.
            self._told[key] = None
            if len(self._told) > _MOST_TOLD:
                self._told.popitem(last=False)
            shared = budget.of in ("route", "server")
            who = "all together" if shared else record.caller
            alert = Alert(percent, budget, charge, after, record.route, who)
            told = {"percent": percent, "route": record.route, "budget": budget.text, "who": who}
            self._log.warn("{text}", text=alert.text, **told)
            # Strangers could be any number, and would drown what has to be heard.
            if self._alert is not None and (shared or record.user is not None):
                self._alert(alert)


@lru_cache(maxsize=10_000)
def _own(account: str, unit: str, amount: Decimal, per: str) -> Pocket:
    """A budget of one caller or page token, over all routes."""
    limit = nanos(amount) if unit == "usd" else int(amount)
    return Pocket(Budget(unit, limit, Window(per, 0, UTC), "server"), account, "")


async def _awaited(settled: Awaitable[None]) -> None:
    await settled


def _remaining(charged: Sequence[tuple[Pocket, Charge]], before: Sequence[Standing]) -> bytes:
    """The value of ``X-Budget-Remaining``: what each budget has left, the tightest first."""
    lefts = []
    for (pocket, charge), standing in zip(charged, before, strict=True):
        budget = pocket.budget
        left = max(0, budget.limit - standing.total - charge.amount)
        shown = plain_usd(left) if budget.unit == "usd" else str(left)
        lefts.append((left / budget.limit, f"{budget.unit}={shown};per={budget.window.name}"))
    return ", ".join(text for _, text in sorted(lefts)).encode("ascii")
