"""What every usage store does."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import gatherResults

from naap_twisted.interfaces import IUsageStore
from naap_twisted.spend.counts import NAMES, Counts, UsageKey
from naap_twisted.spend.totals import Question
from tests.support import verify_protocol

KEY = UsageKey("ada", "/api/v1/openai", "2026-11-26", "gpt-4o")
#: Every number another one, so that none can be taken for another.
SAMPLE = Counts(*range(1, len(NAMES) + 1))
ALL = ("user", "route", "day", "model")


async def everything(store: Any, **where: str) -> dict[UsageKey, Counts]:
    """All rows of *store*, as they were added."""
    totals = await store.totals(Question(ALL, where))
    return {
        UsageKey(n["user"], n["route"], n["day"], n["model"]): row.counts
        for row in totals.rows
        for n in [row.names]
    }


class UsageStoreContract:
    """Mixed into a TestCase with an empty ``store``."""

    store: Any

    def test_interface(self: Any) -> None:
        """It stands behind IUsageStore."""
        verify_protocol(IUsageStore, self.store)

    async def test_adds_up(self: Any) -> None:
        """Each write adds to what is there, number by number."""
        for _ in range(3):
            await self.store.add({KEY: SAMPLE})
        wanted = Counts(*(3 * n for n in range(1, len(NAMES) + 1)))
        self.assertEqual(await everything(self.store), {KEY: wanted})
        totals = await self.store.totals(Question(()))
        self.assertEqual((totals.whole, totals.more), (wanted, False))

    async def test_rows_are_apart(self: Any) -> None:
        """By user, route, day and model; a filter leaves one user's."""
        rows = (("/a", "2026-10-31", ""), ("/a", "2026-11-01", ""), ("/b", "2026-10-31", "m"))
        mine = {UsageKey("ada", *row): Counts(requests=n) for n, row in enumerate(rows)}
        await self.store.add({**mine, UsageKey("bob", "/a", "2026-10-31"): SAMPLE})
        self.assertEqual(await everything(self.store, user="ada"), mine)
        self.assertEqual(await everything(self.store, user="eve"), {})
        self.assertEqual(await everything(self.store, user="ada", model="m", route="/a"), {})

    async def fill(self: Any) -> None:
        """Two users, two days, and what a version without days has written."""
        await self.store.add(
            {
                UsageKey("ada", "/a", "2026-11-01", "m"): Counts(requests=1, usd_nanos=5),
                UsageKey("ada", "/a", "2026-11-02", "n"): Counts(requests=2, usd_nanos=1),
                UsageKey("bob", "/b", "2026-11-02", "m"): Counts(requests=4, input_tokens=9),
                UsageKey("", "/b", "2026-11-02", "m"): Counts(requests=8),
                UsageKey("bob", "/b", "2026-10", ""): Counts(requests=16),
            }
        )

    async def test_sums(self: Any) -> None:
        """By any dimensions: the latest day first, then who costs most."""
        await self.fill()
        for by, wanted in (
            (("user",), [("ada", 3), ("bob", 20), ("", 8)]),
            (("model",), [("m", 13), ("n", 2), ("", 16)]),
            (("month",), [("2026-11", 15), ("2026-10", 16)]),
            (
                ("user", "day"),
                [
                    *(("2026-11-02", "ada", 2), ("2026-11-02", "bob", 4), ("2026-11-02", "", 8)),
                    *(("2026-11-01", "ada", 1), ("2026-10", "bob", 16)),
                ],
            ),
        ):
            totals = await self.store.totals(Question(by))
            found = [(*row.names.values(), row.counts.requests) for row in totals.rows]
            self.assertEqual(found, wanted)
            self.assertEqual(totals.whole.requests, 31)

    async def test_days(self: Any) -> None:
        """From a day up to another one, both of them counted."""
        await self.fill()
        for first, last, wanted in (
            ("2026-11-02", "", 14),
            ("", "2026-11-01", 17),
            ("2026-11-01", "2026-11-01", 1),
            ("2026-10", "2026-10-31", 16),
            ("2027-01-01", "", 0),
        ):
            totals = await self.store.totals(Question(("route",), first=first, last=last))
            self.assertEqual(totals.whole.requests, wanted, (first, last))

    async def test_pages(self: Any) -> None:
        """No more rows than were asked for; the sums are over all of them."""
        await self.fill()
        seen = []
        for offset, more in ((0, True), (2, True), (4, False)):
            totals = await self.store.totals(Question(ALL, limit=2, offset=offset))
            self.assertEqual((totals.more, totals.whole.requests), (more, 31))
            seen += [row.counts.requests for row in totals.rows]
        self.assertEqual(sorted(seen), [1, 2, 4, 8, 16])

    async def test_at_once(self: Any) -> None:
        """Writers at the same time, in any order of rows: nothing is lost."""
        keys = [UsageKey("ada", f"/{n}", "2026-11-26") for n in range(5)]
        batches = [dict.fromkeys(order, Counts(requests=1)) for order in (keys, keys[::-1])] * 10
        await gatherResults([self.store.add(batch) for batch in batches])
        self.assertEqual(await everything(self.store), dict.fromkeys(keys, Counts(requests=20)))

    async def test_large(self: Any) -> None:
        """Sums outgrow 32 bits, and sums of rows too."""
        large = Counts(bytes_out=2**40, usd_nanos=10**15)
        for key in (KEY, KEY, evolve(KEY, day="2026-11-27")):
            await self.store.add({key: large})
        whole = (await self.store.totals(Question(("user",)))).whole
        self.assertEqual((whole.bytes_out, whole.usd_nanos), (3 * 2**40, 3 * 10**15))
