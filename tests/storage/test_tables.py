"""Tests of naap_twisted.storage.tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.storage import tables

from ..servers import NO_POSTGRES, Postgres


def old_database(connection: sql.engine.Connection) -> None:
    """What version 4 of the tables made, with usage in it."""
    steps, tables.STEPS = tables.STEPS, tables.STEPS[:4]
    try:
        tables.migrate(connection)
    finally:
        tables.STEPS = steps
    for user, month, n in (("ada", "2026-09", 1), ("ada", "2026-10", 2), ("bob", "2026-10", 3)):
        numbers = ", ".join(str(n * digit) for digit in range(1, 12))
        statement = f"INSERT INTO naap_usage VALUES ('{user}', '/r', '{month}', {numbers})"
        connection.execute(sql.text(statement))


class BudgetsOfTokens:
    """Mixed into a TestCase with a ``connection`` to an empty database."""

    connection: sql.engine.Connection

    def test_budgets_of_tokens(self: Any) -> None:
        """A token of an older version has none; a new database has the column already."""
        old_database(self.connection)
        self.connection.execute(sql.text("ALTER TABLE naap_tokens DROP COLUMN budget"))
        names = "id, name, digest, created_at"
        statement = f"INSERT INTO naap_tokens ({names}) VALUES ('a', 'ci', 'd', 1)"
        self.connection.execute(sql.text(statement))
        for _ in range(2):
            tables.migrate(self.connection)
        (row,) = self.connection.execute(sql.select(tables.TOKENS)).mappings()
        self.assertEqual((row["name"], row["budget"]), ("ci", None))


class UsageByDay:
    """Mixed into a TestCase with a ``connection`` to an empty database."""

    connection: sql.engine.Connection

    def test_usage_by_day(self: Any) -> None:
        """What older versions counted by month is kept, number by number; nothing is twice."""
        old_database(self.connection)
        for _ in range(2):
            tables.migrate(self.connection)
        self.assertNotIn("naap_usage", sql.inspect(self.connection).get_table_names())
        columns = tables.USAGE.c
        rows = self.connection.execute(sql.select(tables.USAGE).order_by(*columns[:3])).all()
        self.assertEqual(
            [row[:4] for row in rows],
            [
                *(("ada", "/r", "2026-09", ""), ("ada", "/r", "2026-10", "")),
                ("bob", "/r", "2026-10", ""),
            ],
        )
        row = rows[1]._mapping
        taken = ("requests", "bytes_in", "bytes_out", "status_2xx", "failed", "input_tokens")
        self.assertEqual([row[name] for name in taken], [2, 4, 6, 8, 16, 18])
        self.assertEqual(
            (row["output_tokens"], row["usd_nanos"], row["reasoning_tokens"]), (20, 0, 0)
        )


class PostgresTests(BudgetsOfTokens, UsageByDay, SynchronousTestCase):
    skip = NO_POSTGRES

    def setUp(self) -> None:
        url = sql.make_url(Postgres.shared().database("naap_tables"))
        engine = sql.create_engine(url.set(drivername="postgresql+psycopg"))
        self.addCleanup(engine.dispose)
        self.connection = engine.connect()
        self.addCleanup(self.connection.close)


class MigrateTests(BudgetsOfTokens, UsageByDay, SynchronousTestCase):
    def setUp(self) -> None:
        engine = sql.create_engine("sqlite://")
        self.connection = engine.connect()
        self.addCleanup(engine.dispose)
        self.addCleanup(self.connection.close)

    def names(self) -> set[str]:
        return set(sql.inspect(self.connection).get_table_names())

    def test_from_nothing(self) -> None:
        """An empty database gets every table and the last version."""
        tables.migrate(self.connection)
        self.assertEqual(self.names(), set(tables.METADATA.tables))
        version = tables.read_fact(self.connection, "schema_version")
        self.assertEqual(version, str(len(tables.STEPS)))

    def test_again(self) -> None:
        """What is up to date stays as it is."""
        tables.migrate(self.connection)
        tables.write_fact(self.connection, "x", "1")
        tables.migrate(self.connection)
        self.assertEqual(tables.read_fact(self.connection, "x"), "1")

    def test_only_the_missing_steps(self) -> None:
        """An older database gets what came since, in order, each once."""
        done: list[int] = []
        steps = tuple(lambda _, n=n: done.append(n) for n in range(4))
        self.patch(tables, "STEPS", steps[:2])
        tables.migrate(self.connection)
        self.patch(tables, "STEPS", steps)
        tables.migrate(self.connection)
        self.assertEqual(done, [0, 1, 2, 3])

    def test_from_the_future(self) -> None:
        """A later version's database is not touched."""
        tables.migrate(self.connection)
        tables.write_fact(self.connection, "schema_version", "999")
        self.assertRaises(ValueError, tables.migrate, self.connection)
        self.assertEqual(tables.read_fact(self.connection, "schema_version"), "999")

    def test_facts(self) -> None:
        """Written, overwritten, absent."""
        tables.migrate(self.connection)
        self.assertIsNone(tables.read_fact(self.connection, "x"))
        for value in ("1", "2"):
            tables.write_fact(self.connection, "x", value)
            self.assertEqual(tables.read_fact(self.connection, "x"), value)
