"""Tests of naap_twisted.spend.sql: the contract on both engines."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import fail
from twisted.trial.unittest import TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.secret import Secret
from naap_twisted.spend import sql as module
from naap_twisted.spend.counts import Counts, UsageKey
from naap_twisted.spend.sql import SqlUsageStore
from naap_twisted.storage.database import Database

from ..servers import NO_POSTGRES, Postgres
from .contract import UsageStoreContract, everything
from .memory import MemoryUsageStore


class MemoryUsageStoreTests(UsageStoreContract, TestCase):
    """The store that other tests use in its place."""

    def setUp(self) -> None:
        self.store = MemoryUsageStore()


class Keeping:
    """Mixed into a TestCase with an empty ``store`` in a database."""

    store: Any

    async def test_old_days(self: Any) -> None:
        """So many days are kept; a clock that was years ahead costs one of them, and not all."""
        self.patch(module, "KEPT_DAYS", 3)
        days = ["2026-10", "2026-11-01", "2026-11-02", "2026-11-03", "2099-01-01", "2026-11-03"]
        for day in days:
            await self.store.add({UsageKey("ada", "/a", day): Counts(requests=1)})
        kept = sorted(key.day for key in await everything(self.store))
        self.assertEqual(kept, ["2026-11-02", "2026-11-03", "2099-01-01"])

    async def test_a_sweep_that_fails(self: Any) -> None:
        """What was added is added, and is not added again."""
        run, calls = self.store._database.run, []

        def once(work: Any, *, write: bool = False) -> Any:
            calls.append(work)
            return run(work, write=write) if len(calls) == 1 else fail(Unavailable())

        self.patch(self.store._database, "run", once)
        await self.store.add({UsageKey("ada", "/a", "2026-11-01"): Counts(requests=1)})
        self.assertEqual(len(calls), 2)


class SqliteTests(Keeping, UsageStoreContract, TestCase):
    timeout = 30

    def setUp(self) -> None:
        database = Database.in_directory(self.mktemp(), reactor)
        database.open()
        self.addCleanup(database.close)
        self.store = SqlUsageStore(database)


class PostgresTests(Keeping, UsageStoreContract, TestCase):
    skip = NO_POSTGRES
    timeout = 60

    def setUp(self) -> None:
        database = Database.at(Secret(Postgres.shared().database("naap_usage")), reactor)
        database.open()
        self.addCleanup(database.close)
        self.store = SqlUsageStore(database)
