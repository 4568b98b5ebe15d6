"""Tests of naap_twisted.storage.database."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import sqlalchemy as sql
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.errors import ConfigError, Unavailable
from naap_twisted.secret import Secret
from naap_twisted.storage.database import (
    FILE_NAME,
    Database,
    check_directory,
    plain,
    private_file,
)
from naap_twisted.storage.tables import read_fact, write_fact


class DatabaseTests(TestCase):
    timeout = 20

    def open(self, **options) -> Database:
        folder = Path(self.mktemp())
        url = sql.URL.create("sqlite+pysqlite", database=str(folder / FILE_NAME))
        database = Database(url, reactor, where="state_dir: here", **options)
        database.open()
        self.addCleanup(database.close)
        return database

    async def test_off_the_reactor_thread(self) -> None:
        """Work runs in another thread, its outcome comes back in the reactor's."""
        database = self.open()
        here = threading.current_thread()
        there = await database.run(lambda connection: threading.current_thread())
        self.assertIsNot(there, here)
        self.assertIs(threading.current_thread(), here)

    async def test_one_transaction(self) -> None:
        """Work that raises leaves nothing behind, and its error is what the caller gets."""
        database = self.open()

        def work(connection) -> None:
            write_fact(connection, "x", "1")
            raise ZeroDivisionError

        await self.assertFailure(database.run(work, write=True), ZeroDivisionError)
        self.assertIsNone(await database.run(lambda c: read_fact(c, "x")))

    async def test_writers_queue(self) -> None:
        """Read-then-write transactions at once lose no update."""
        database = self.open()

        def more(connection) -> None:
            write_fact(connection, "n", str(int(read_fact(connection, "n") or 0) + 1))

        await gatherResults([database.run(more, write=True) for _ in range(50)])
        self.assertEqual(await database.run(lambda c: read_fact(c, "n")), "50")

    async def test_ping(self) -> None:
        """It reads a table; closed, or with the table gone, it fails."""
        database = self.open()
        await database.ping()
        database.now(lambda c: c.execute(sql.text("DROP TABLE naap_meta")))
        await self.assertFailure(database.ping(), Unavailable)
        database.close()
        await self.assertFailure(database.ping(), Unavailable)

    async def test_broken(self) -> None:
        """A database's own error is 503, without the statement or its parameters."""
        database = self.open()

        def work(connection) -> None:
            connection.execute(sql.text("SELECT :x FROM nowhere"), {"x": "sk-canary"})

        error = await self.assertFailure(database.run(work), Unavailable)
        self.assertEqual(error.http_status, 503)
        self.assertNotIn("canary", error.reason + error.message)

    async def test_too_much(self) -> None:
        """Beyond its bound work is refused at once, and taken again once there is room."""
        database = self.open(threads=1, waiting=1)
        gate = threading.Event()
        self.addCleanup(gate.set)
        running = [database.run(lambda connection: gate.wait(10)) for _ in range(2)]
        await self.assertFailure(database.run(lambda connection: None), Unavailable)
        gate.set()
        self.assertEqual(await gatherResults(running), [True, True])
        self.assertEqual(await database.run(lambda connection: 3), 3)

    async def test_deadline(self) -> None:
        """Who waits for a database that hangs is answered in time."""
        database = self.open(deadline=0.05)
        gate = threading.Event()
        self.addCleanup(gate.set)
        await self.assertFailure(database.run(lambda connection: gate.wait(10)), Unavailable)

    async def test_closed(self) -> None:
        """After close nothing runs; closing again is nothing."""
        database = self.open()
        database.close()
        database.close()
        await self.assertFailure(database.run(lambda connection: None), Unavailable)

    def test_settings(self) -> None:
        """WAL, and a commit is on the disk before it is acknowledged (2 is FULL)."""
        database = self.open()
        for setting, value in (("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1)):
            found = database.now(lambda c, s=setting: c.exec_driver_sql(f"PRAGMA {s}").scalar())
            self.assertEqual(found, value, setting)


class OpeningTests(SynchronousTestCase):
    def test_postgres_urls(self) -> None:
        """Only PostgreSQL's; a refused URL, which may hold a password, is not quoted."""
        for url in ("postgresql://a:hunter2@h/d", "postgres://h/d", "postgresql+psycopg://h/d"):
            where = Database.at(Secret(url), reactor).where
            self.assertEqual(where, "database_url: h/d")
        for url in ("hunter2", "mysql://a:hunter2@h/d", "sqlite:///hunter2", "postgresql://[h:x"):
            error = self.assertRaises(ConfigError, Database.at, Secret(url), reactor)
            self.assertTrue(str(error).startswith("database_url: "), error)
            self.assertNotIn("hunter2", str(error))

    def test_unreachable(self) -> None:
        """A PostgreSQL that is not there is one line without the password, before serving."""
        database = Database.at(Secret("postgresql://a:hunter2@127.0.0.1:1/d"), reactor)
        (line,) = self.assertRaises(ConfigError, database.open).problems
        self.assertTrue(line.startswith("database_url: 127.0.0.1/d: "), line)
        self.assertNotIn("hunter2", line)
        self.assertNotIn("\n", line)

    def test_no_database(self) -> None:
        """A file that is something else is refused, not overwritten."""
        folder = Path(self.mktemp())
        folder.mkdir(mode=0o700)
        file = folder / FILE_NAME
        file.write_bytes(b"something else entirely " * 100)
        file.chmod(0o600)
        self.assertRaises(ConfigError, Database.in_directory(folder, reactor).open)
        self.assertTrue(file.read_bytes().startswith(b"something else"))

    def test_open_to_others(self) -> None:
        """A directory or file that others may open is refused, with the command that mends it."""
        for which, mode, command in (("", 0o755, "chmod 700"), (FILE_NAME, 0o640, "chmod 600")):
            folder = Path(self.mktemp())
            private_file(folder / FILE_NAME)
            os.chmod(folder / which, mode)
            error = self.assertRaises(ConfigError, private_file, folder / FILE_NAME)
            self.assertIn(command, str(error))

    def test_checked_before(self) -> None:
        """The same verdict without making anything; root may become another user by then."""
        place = Path(self.mktemp()).absolute()
        names = ("a", "b")
        check_directory(place / "not" / "there", names)
        self.assertFalse(place.exists())
        place.mkdir(mode=0o700)
        (place / "a").touch(0o600)
        check_directory(place, names)
        (place / "b").touch(0o644)
        self.assertIn("chmod 600", self.refused(place, names))
        place.chmod(0o750)
        self.assertIn("chmod 700", self.refused(place, names))
        self.assertIn("not a directory", self.refused(place / "a", names))
        place.chmod(0o700)
        (place / "b").unlink()
        self.patch(os, "geteuid", lambda: place.stat().st_uid + 1)
        self.assertIn("another user", self.refused(place, names))
        self.patch(os, "geteuid", lambda: 0)
        check_directory(place, names)

    def test_checked_where_nothing_can_be_made(self) -> None:
        """Below a file, or where this user may not write."""
        place = Path(self.mktemp()).absolute()
        place.touch()
        self.assertIn("cannot use", self.refused(place / "x", ()))
        self.patch(os, "access", lambda *_: False)
        self.assertIn("can not be written", self.refused(place.parent / "new", ()))

    def refused(self, place: Path, names: tuple[str, ...]) -> str:
        return str(self.assertRaises(ConfigError, check_directory, place, names))

    def test_no_directory(self) -> None:
        """A place where none can be made is one line."""
        file = Path(self.mktemp())
        file.write_bytes(b"")
        self.assertRaises(ConfigError, private_file, file / "state" / FILE_NAME)

    def test_plain(self) -> None:
        """One line, of the driver's own words."""
        self.assertEqual(plain(ValueError("a\n b")), "a b")
        self.assertEqual(plain(ValueError()), "ValueError")
