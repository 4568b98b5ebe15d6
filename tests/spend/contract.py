"""What every usage store does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from naap_twisted.interfaces import IUsageStore
from naap_twisted.spend.counts import NAMES, Counts, UsageKey
from tests.support import verify_protocol

KEY = UsageKey("ada", "/api/v1/openai", "2026-11")
#: Every number another one, so that none can be taken for another.
SAMPLE = Counts(*range(1, len(NAMES) + 1))


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
        found = await self.store.read("ada")
        self.assertEqual(found, {KEY: Counts(*(3 * n for n in range(1, len(NAMES) + 1)))})

    async def test_rows_are_apart(self: Any) -> None:
        """By user, route and month; a user reads his own."""
        mine = {
            UsageKey("ada", route, month): Counts(requests=n)
            for n, (route, month) in enumerate((("/a", "2026-10"), ("/a", "2026-11"), ("/b", "x")))
        }
        await self.store.add({**mine, UsageKey("bob", "/a", "2026-10"): SAMPLE})
        self.assertEqual(await self.store.read("ada"), mine)
        self.assertEqual(await self.store.read("eve"), {})

    async def test_at_once(self: Any) -> None:
        """Writers at the same time, in any order of rows: nothing is lost."""
        keys = [UsageKey("ada", f"/{n}", "2026-11") for n in range(5)]
        batches = [dict.fromkeys(order, Counts(requests=1)) for order in (keys, keys[::-1])] * 10
        await gatherResults([self.store.add(batch) for batch in batches])
        found = await self.store.read("ada")
        self.assertEqual(found, dict.fromkeys(keys, Counts(requests=20)))

    async def test_large(self: Any) -> None:
        """Sums outgrow 32 bits."""
        for _ in range(2):
            await self.store.add({KEY: Counts(bytes_out=2**40)})
        self.assertEqual((await self.store.read("ada"))[KEY].bytes_out, 2**41)
