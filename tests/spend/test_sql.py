"""Tests of naap_twisted.spend.sql: the contract on both engines."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.secret import Secret
from naap_twisted.spend.sql import SqlUsageStore
from naap_twisted.storage.database import Database

from ..servers import NO_POSTGRES, Postgres
from .contract import UsageStoreContract
from .memory import MemoryUsageStore


class MemoryUsageStoreTests(UsageStoreContract, TestCase):
    """The store that other tests use in its place."""

    def setUp(self) -> None:
        self.store = MemoryUsageStore()


class SqliteTests(UsageStoreContract, TestCase):
    timeout = 30

    def setUp(self) -> None:
        database = Database.in_directory(self.mktemp(), reactor)
        database.open()
        self.addCleanup(database.close)
        self.store = SqlUsageStore(database)


class PostgresTests(UsageStoreContract, TestCase):
    skip = NO_POSTGRES
    timeout = 60

    def setUp(self) -> None:
        database = Database.at(Secret(Postgres.shared().database("naap_usage")), reactor)
        database.open()
        self.addCleanup(database.close)
        self.store = SqlUsageStore(database)
