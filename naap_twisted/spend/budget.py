"""Budgets, and the windows of time that they hold for. Pure.

Amounts are whole numbers: requests, a model's tokens, and billionths of a US dollar, so that sums
are exact in every store. A request's price is rounded up to the next billionth.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal

from attrs import define, field, frozen

UNITS = ("requests", "tokens", "usd")
CALLERS = ("caller", "user", "guest", "address", "route", "server")
CALENDAR = ("hour", "day", "month")
#: Billionths of a dollar: what sums of money are kept in.
NANOS = 10**9
#: A rolling window moves in so many steps, so what was spent counts 1/24 of the window longer.
_STEPS = 24


def nanos(usd: Decimal) -> int:
    """Dollars as a whole number of billionths, rounded up.

    >>> nanos(Decimal("0.0000000005"))
    1
    """
    return int((usd * NANOS).to_integral_value(ROUND_CEILING))


@frozen
class Period:
    """What of a window counts at one moment; times are whole seconds since 1970.

    :ivar part: when the present part of the window began, to which is booked.
    :ivar since: parts that began earlier do not count any more.
    :ivar until: when the part is over.
    """

    part: int
    since: int
    until: int


@frozen
class Window:
    """The time that a budget holds for.

    :ivar name: as it is written: ``"day"``, or ``"24h"`` for a window that rolls.
    :ivar seconds: of a window that rolls; 0: of the calendar.
    :ivar zone: in which the calendar's hours, days and months begin.
    """

    name: str
    seconds: int
    zone: tzinfo = field(eq=False, repr=False)

    @property
    def length(self) -> int:
        """Seconds that one window lasts at most."""
        return self.seconds or {"hour": 3600, "day": 90_000, "month": 2_682_000}[self.name]

    def at(self, now: float) -> Period:
        """The period at *now*, in seconds since 1970."""
        if self.seconds:
            step = self.step
            part = int(now // step) * step
            return Period(part, int((now - self.seconds) // step) * step, part + step)
        local = datetime.fromtimestamp(now, self.zone)
        begin = local.replace(minute=0, second=0, microsecond=0)
        if self.name == "hour":
            began = int(begin.timestamp())
            return Period(began, began, began + 3600)
        begin = begin.replace(hour=0, fold=0)
        if self.name == "day":
            end = begin + timedelta(days=1)
        else:
            begin = begin.replace(day=1)
            end = (begin + timedelta(days=32)).replace(day=1)
        began = int(begin.timestamp())
        return Period(began, began, int(end.timestamp()))

    @property
    def step(self) -> int:
        """Seconds of one part of a window that rolls."""
        return max(1, -(-self.seconds // _STEPS))

    def frees(self, period: Period, oldest: int) -> int:
        """When some of what counts will not any more: the end of it, or of its oldest part."""
        return oldest + self.step + self.seconds if self.seconds else period.until


@frozen
class Budget:
    """How much may be spent in a window.

    :ivar unit: one of :data:`UNITS`.
    :ivar limit: in requests, tokens or billionths of a dollar.
    :ivar of: who shares it, one of :data:`CALLERS`: each caller has one, or each route, or there
        is one for the whole server.
    :ivar audit: what is over it is told and counted, and let through.
    """

    unit: str
    limit: int
    window: Window
    of: str = "caller"
    audit: bool = False

    @property
    def counts_tokens(self) -> bool:
        """Whether it is about a model's tokens, or what they cost."""
        return self.unit != "requests"

    @property
    def text(self) -> str:
        """It in words: ``200000 tokens a day of each caller``."""
        who = self.of if self.of in ("route", "server") else f"each {self.of}"
        per = f"in any {self.window.name}" if self.window.seconds else f"a {self.window.name}"
        audit = ", watched only" if self.audit else ""
        return f"{shown_amount(self.unit, self.limit)} {per} of {who}{audit}"


@define
class Clock:
    """The period of one window, which is worked out anew only when it has turned."""

    window: Window
    _period: Period | None = None

    def at(self, now: float) -> Period:
        """The window's period at *now*."""
        period = self._period
        if period is None or not period.part <= now < period.until:
            period = self._period = self.window.at(now)
        return period


def plain_usd(amount: int) -> str:
    """Billionths of a dollar as dollars, without closing zeros.

    >>> plain_usd(1_250_000_000), plain_usd(5), plain_usd(0)
    ('1.25', '0.000000005', '0')
    """
    text = f"{Decimal(amount) / NANOS:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown_amount(unit: str, amount: int) -> str:
    """An amount with its unit, for people.

    >>> shown_amount("usd", 5_000_000_000)
    '5 USD'
    """
    return f"{plain_usd(amount)} USD" if unit == "usd" else f"{amount} {unit}"
