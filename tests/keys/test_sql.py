"""Tests of naap_twisted.keys.sql: the contract on both engines, and what is on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from naap_twisted.errors import ConfigError, InternalError
from naap_twisted.keys.sql import SqlKeyStore
from naap_twisted.keys.vault import Vault, new_master_key
from naap_twisted.secret import Secret
from naap_twisted.storage.database import FILE_NAME, Database
from naap_twisted.storage.tables import USER_KEYS

from ..servers import NO_POSTGRES, Postgres
from .contract import KEY, NOW, OTHER, KeyStoreContract
from .memory import MemoryKeyStore

MASTER = new_master_key()
NEWER = new_master_key()

# Writes keys without end and says so after each; its parent kills it. The environment has the rest.
WRITER = """
import os, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from naap_twisted.keys.sql import SqlKeyStore
from naap_twisted.keys.vault import Vault
from naap_twisted.secret import Secret
from naap_twisted.storage.database import Database

async def write(store):
    number = 0
    while True:
        number += 1
        await store.put("ada", "daydream", Secret(f"sk-canary-{number:08}"))
        print(number, flush=True)

database = Database.in_directory(os.environ["STATE"], reactor)
database.open()
store = SqlKeyStore(database, Vault(Secret.from_env("MASTER")))
store.check_master_key()
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(write(store)))
reactor.run()
"""


class MemoryKeyStoreTests(KeyStoreContract, TestCase):
    """The store that other tests use in its place."""

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(NOW)
        self.store = MemoryKeyStore(clock.seconds)


class StoreTestCase(TestCase):
    timeout = 60

    def database(self) -> Database:
        raise NotImplementedError

    def begin(self, master: str = MASTER) -> SqlKeyStore:
        """A store on the test's database, closed at its end."""
        database = self.database()
        database.open()
        self.addCleanup(database.close)
        store = SqlKeyStore(database, Vault(Secret(master)), now=lambda: NOW)
        store.check_master_key()
        return store


class Everywhere(KeyStoreContract):
    """What holds on both engines."""

    async def test_survives(self: Any) -> None:
        """A later store finds what an earlier one kept."""
        await self.store.put("ada", "daydream", KEY)
        self.assertEqual(await self.begin().get("ada", "daydream"), KEY)

    async def test_wrong_master_key(self: Any) -> None:
        """Another master key does not start, and changes nothing."""
        await self.store.put("ada", "daydream", KEY)
        error = self.assertRaises(ConfigError, self.begin, NEWER)
        self.assertIn("is not the one that sealed the keys", str(error))
        self.assertNotIn(NEWER, str(error))
        self.assertEqual(await self.begin().get("ada", "daydream"), KEY)

    async def test_rotation(self: Any) -> None:
        """New and old together read everything; once re-sealed, the new one alone does."""
        await self.store.put("ada", "daydream", KEY)
        both = self.begin(f"{NEWER},{MASTER}")
        await both.put("bob", "daydream", OTHER)
        self.assertEqual(await both.get("ada", "daydream"), KEY)
        # Not re-sealed yet: dropping the old one would lose ada's key, so it does not start.
        self.assertRaises(ConfigError, self.begin, NEWER)
        self.assertEqual(both.rotate(), 2)
        new = self.begin(NEWER)
        self.assertEqual(await new.get("ada", "daydream"), KEY)
        self.assertEqual(await new.get("bob", "daydream"), OTHER)
        self.assertRaises(ConfigError, self.begin, MASTER)

    async def test_rotation_is_all_or_nothing(self: Any) -> None:
        """A row that no key opens stops it before anything changed."""
        await self.store.put("ada", "daydream", KEY)
        await self.store.put("bob", "daydream", KEY)
        self.alter(sql.update(USER_KEYS).where(USER_KEYS.c.user_id == "bob").values(sealed="x"))
        both = self.begin(f"{NEWER},{MASTER}")
        self.assertRaises(ConfigError, both.rotate)
        self.assertEqual(await self.begin(MASTER).get("ada", "daydream"), KEY)

    async def test_a_moved_row_does_not_open(self: Any) -> None:
        """Whoever can write to the database can't give himself another user's key."""
        await self.store.put("ada", "daydream", KEY)
        self.alter(sql.update(USER_KEYS).values(user_id="eve"))
        await self.assertFailure(self.store.get("eve", "daydream"), InternalError)

    def alter(self: Any, statement: Any) -> None:
        """Change the tables behind the store's back."""
        self.store._database.now(lambda connection: connection.execute(statement))


class SqliteTests(Everywhere, StoreTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.store = self.begin()

    def database(self) -> Database:
        return Database.in_directory(self.folder, reactor)

    async def test_the_file_reveals_no_key(self) -> None:
        """Neither a key nor its end stands in any file, WAL included, before or after closing."""
        await self.store.put("ada", "daydream", KEY)
        await self.store.delete("ada", "daydream")
        await self.store.put("ada", "openai", OTHER)
        for _ in range(2):
            names = sorted(path.name for path in self.folder.iterdir())
            self.assertIn(FILE_NAME, names)
            everything = b"".join(path.read_bytes() for path in self.folder.iterdir())
            self.assertIn(b"openai", everything)
            for secret in (KEY.reveal(), OTHER.reveal(), b"sk-canary", MASTER.encode()):
                self.assertFalse(secret in everything)
            self.store._database.close()

    async def test_only_ours(self) -> None:
        """Directory 0700, every file in it 0600."""
        await self.store.put("ada", "daydream", KEY)
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.folder.iterdir()}
        self.assertEqual(set(modes.values()), {0o600}, modes)

    async def test_kill_9(self) -> None:
        """Killed at any moment: what was acknowledged last is there, and the store opens."""
        environ = {
            **os.environ,
            "STATE": str(self.folder),
            "MASTER": MASTER,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        for round_ in range(4):
            writer = subprocess.Popen(
                [sys.executable, "-c", WRITER], env=environ, stdout=subprocess.PIPE, text=True
            )
            assert writer.stdout is not None
            for _ in range(5 + 7 * round_):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            # What it said before it died counts too.
            acknowledged = [int(line) for line in writer.stdout.read().split()]
            writer.stdout.close()
            writer.wait()
            last = acknowledged[-1] if acknowledged else 5 + 7 * round_
            found = int((await self.store.get("ada", "daydream")).reveal()[-8:])
            self.assertIn(found, (last, last + 1))


class PostgresTests(Everywhere, StoreTestCase):
    skip = NO_POSTGRES

    def setUp(self) -> None:
        self.url = Postgres.shared().database("naap_keys")
        self.store = self.begin()

    def database(self) -> Database:
        return Database.at(Secret(self.url), reactor)
