"""Tests of naap_twisted.spend.budget: windows of the calendar and rolling ones, exact amounts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.budget import Budget, Clock, Window, nanos, plain_usd

BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")


def stamp(*when: int, zone: ZoneInfo | None = None) -> int:
    return int(datetime(*when, tzinfo=zone or UTC).timestamp())  # type: ignore[arg-type,misc]


class CalendarTests(SynchronousTestCase):
    def test_windows(self) -> None:
        """An hour, a day and a month begin where the zone's clock says so."""
        now = stamp(2026, 11, 26, 13, 5, 7)
        for name, zone, began, until in (
            ("hour", UTC, stamp(2026, 11, 26, 13), stamp(2026, 11, 26, 14)),
            ("day", UTC, stamp(2026, 11, 26), stamp(2026, 11, 27)),
            ("month", UTC, stamp(2026, 11, 1), stamp(2026, 12, 1)),
            ("day", BERLIN, stamp(2026, 11, 25, 23), stamp(2026, 11, 26, 23)),
            ("hour", KOLKATA, stamp(2026, 11, 26, 12, 30), stamp(2026, 11, 26, 13, 30)),
        ):
            period = Window(name, 0, zone).at(now)
            self.assertEqual((period.part, period.since, period.until), (began, began, until))

    def test_clock_changes(self) -> None:
        """The days on which clocks change have 23 and 25 hours, and no hour counts twice."""
        day = Window("day", 0, BERLIN)
        for date, hours in (((2026, 3, 29), 23), ((2026, 10, 25), 25)):
            period = day.at(stamp(*date, 12, zone=BERLIN))
            self.assertEqual(period.until - period.part, hours * 3600)
        hour = Window("hour", 0, BERLIN)
        first, second = (hour.at(stamp(2026, 10, 25, utc, 30)) for utc in (0, 1))
        self.assertEqual(second.part - first.part, 3600)

    @given(st.integers(0, 4_000_000_000), st.sampled_from(["hour", "day", "month", "90m", "24h"]))
    def test_every_moment_is_in_its_part(self, now: int, name: str) -> None:
        """And the next part begins where it ends."""
        seconds = {"90m": 5400, "24h": 86_400}.get(name, 0)
        window = Window(name, seconds, BERLIN)
        period = window.at(now)
        self.assertTrue(period.since <= period.part <= now < period.until)
        self.assertEqual(window.at(period.until).part, period.until)
        self.assertLessEqual(period.until - period.part, window.length)
        if seconds:
            self.assertTrue(seconds <= now - period.since < seconds + window.step)

    def test_clock(self) -> None:
        """A period is worked out again when it is over, and when the clock is set back."""
        clock = Clock(Window("day", 0, UTC))
        noon = stamp(2026, 11, 26, 12)
        first = clock.at(noon)
        self.assertIs(clock.at(noon + 1), first)
        self.assertEqual(clock.at(noon + 86_400).part, first.until)
        self.assertEqual(clock.at(noon), first)

    def test_frees(self) -> None:
        """A calendar's window is free at its end, a rolling one when its oldest part is past it."""
        day, rolling = Window("day", 0, UTC), Window("24h", 86_400, UTC)
        now = stamp(2026, 11, 26, 12)
        self.assertEqual(day.frees(day.at(now), 0), stamp(2026, 11, 27))
        self.assertEqual(rolling.frees(rolling.at(now), now - 3600), now + 86_400)


class MoneyTests(SynchronousTestCase):
    def test_nanos(self) -> None:
        """A price is rounded up to a billionth of a dollar, and shown without closing zeros."""
        for usd, amount in (("0.15", 150_000_000), ("0.00000000001", 1), ("0", 0)):
            self.assertEqual(nanos(Decimal(usd)), amount)
        for amount, shown in ((10**9, "1"), (1_500_000_000, "1.5"), (10, "0.00000001"), (0, "0")):
            self.assertEqual(plain_usd(amount), shown)
        self.assertEqual(plain_usd(100 * 10**9), "100")

    def test_words(self) -> None:
        """A budget says what it is."""
        day, rolling = Window("day", 0, UTC), Window("24h", 86_400, UTC)
        for budget, words in (
            (Budget("tokens", 5, day), "5 tokens a day of each caller"),
            (Budget("usd", 10**9, rolling, "route"), "1 USD in any 24h of route"),
            (
                Budget("requests", 5, day, "user", True),
                "5 requests a day of each user, watched only",
            ),
        ):
            self.assertEqual(budget.text, words)
