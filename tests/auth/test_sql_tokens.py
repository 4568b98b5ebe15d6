"""Tests of naap_twisted.auth.sql_tokens."""

from __future__ import annotations

from decimal import Decimal

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.auth.sql_tokens import SqlTokenStore
from naap_twisted.auth.tokens import new_token
from naap_twisted.model import PageBudget
from naap_twisted.storage.database import Database

from ..servers import NO_POSTGRES, Postgres


class SqliteTokenTests(TestCase):
    def database(self):
        from naap_twisted.secret import Secret

        if type(self).__name__.startswith("Postgres"):
            return Database.at(Secret(Postgres.shared().database("tokens")), reactor)
        return Database.in_directory(self.mktemp(), reactor)

    async def test_life(self):
        """Kept, found, noted, revoked by id or by name, once each."""
        database = self.database()
        database.open()
        self.addCleanup(database.close)
        store = SqlTokenStore(database)
        budget = (
            PageBudget("usd", Decimal("0.1"), "day"),
            PageBudget("requests", Decimal(5), "hour"),
        )
        made = [
            new_token("ci", routes, 9, 1, spends)[0]
            for routes, spends in ((None, ()), (("/a",), budget))
        ]
        for token in made:
            store.add(token)
        self.assertEqual([await store.find(token.id) for token in made], made)
        self.assertIsNone(await store.find("0" * 16))
        await store.used(made[0].id, 7)
        self.assertEqual({each.used_at for each in store.every()}, {None, 7})
        self.assertEqual([store.revoke(made[0].id, 8), store.revoke("ci", 8)], [1, 1])
        self.assertEqual([store.revoke("ci", 9), store.revoke("x", 9)], [0, 0])


class PostgresTokenTests(SqliteTokenTests):
    skip = NO_POSTGRES
