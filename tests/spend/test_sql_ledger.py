"""Tests of naap_twisted.spend.sql_ledger: the contract on both engines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from attrs import evolve
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.secret import Secret
from naap_twisted.spend import sql_ledger
from naap_twisted.spend.sql_ledger import SqlLedger
from naap_twisted.storage.database import Database
from naap_twisted.storage.tables import BUDGETS

from ..servers import NO_POSTGRES, Postgres
from .ledger_contract import CHARGE, DAY, LedgerContract, at


class Watched:
    """Mixed into a TestCase with a ``ledger`` in a ``database``."""

    database: Database

    async def test_lost(self: Any) -> None:
        """Without its database requests are refused, which is told and counted; then it is back."""
        await self.reserve(CHARGE)
        self.database.close()
        with self.assertRaises(Unavailable):
            await self.reserve(CHARGE)
        with self.assertRaises(Unavailable):
            await self.settle(3, CHARGE)
        watch = self.ledger.watch
        self.assertEqual((watch.gone, watch.losses), (True, 1))
        self.assertEqual((watch.refused, watch.alone, watch.unbooked), (1, 0, 1))
        self.database.open()
        self.assertEqual(await self.standing(), (0, 3), "it has what was reserved")
        await self.reserve(CHARGE)
        self.assertEqual((watch.gone, watch.losses), (False, 1))


class SqliteTests(Watched, LedgerContract, TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.database = self.opened()
        self.ledger = SqlLedger(self.database)

    def opened(self) -> Database:
        database = Database.in_directory(self.folder, reactor)
        database.open()
        self.addCleanup(database.close)
        return database

    async def test_outlives_the_process(self) -> None:
        """Another ledger on the same file goes on where the first one was."""
        await self.reserve(CHARGE)
        self.ledger = SqlLedger(self.opened())
        self.assertEqual(await self.standing(), (0, 3))

    async def test_swept(self) -> None:
        """Accounts that are of no interest go in time."""
        self.patch(sql_ledger, "_SWEEP_EVERY", 1)
        ledger = self.ledger = SqlLedger(self.database)
        await self.reserve(CHARGE)
        await self.reserve(evolve(at(9 * 1440), account="b", part=9 * DAY, since=9 * DAY))
        kept = self.database.now(lambda c: c.execute(sql.select(BUDGETS.c.account)).scalars().all())
        self.assertEqual((kept, ledger is self.ledger), (["b"], True))


class PostgresTests(Watched, LedgerContract, TestCase):
    skip = NO_POSTGRES
    timeout = 60

    def setUp(self) -> None:
        self.url = Secret(Postgres.shared().database("naap_ledger"))
        self.database = self.opened()
        self.ledger = SqlLedger(self.database)

    def opened(self) -> Database:
        database = Database.at(self.url, reactor)
        database.open()
        self.addCleanup(database.close)
        return database
