"""Tests of naap_twisted.storage.tables."""

from __future__ import annotations

import sqlalchemy as sql
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.storage import tables


class MigrateTests(SynchronousTestCase):
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
