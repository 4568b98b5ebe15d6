"""Tests of naap_twisted.auth.sql_revocations, on both engines."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.auth import sql_revocations
from naap_twisted.auth.revocations import Revocation
from naap_twisted.auth.sql_revocations import SqlRevocations
from naap_twisted.errors import Unavailable
from naap_twisted.secret import Secret
from naap_twisted.storage.database import Database

from ..integration.support import until
from ..servers import NO_POSTGRES, Postgres

NOW = 1_700_000_000
LASTING = 3600


def revocation(token_id: str, sub: str = "", *, ago: int = 0) -> Revocation:
    return Revocation(token_id, sub, (NOW - ago) * 1000)


class Contract:
    def make(self) -> Database:
        raise NotImplementedError

    def setUp(self: Any) -> None:
        self.now = NOW
        self.database = self.make()
        self.database.open()
        self.addCleanup(self.database.close)
        self.kept = self.of()

    def of(self: Any) -> SqlRevocations:
        kept = SqlRevocations(self.database, reactor, lasting=LASTING, now=lambda: self.now)
        self.addCleanup(kept.stop)
        return kept

    def told(self: Any) -> list[Revocation]:
        """What a process that starts now is told."""
        heard: list[Revocation] = []
        starting = self.of()
        starting.start(heard.append)
        starting.stop()
        return sorted(heard, key=lambda each: (each.key, each.at))

    async def test_restart(self: Any) -> None:
        """What one process kept the next is told, the latest time of each."""
        every = [revocation("", "ada"), revocation("a", ""), revocation("a", "ada")]
        for each in every:
            await self.kept.add(each)
        await self.kept.add(revocation("", "ada", ago=50))
        self.assertEqual(self.told(), every)
        later = revocation("", "ada", ago=-50)
        await self.kept.add(later)
        self.assertIn(later, self.told())

    async def test_ended(self: Any) -> None:
        """No token is left of what is older than one may live: nobody is told, and rows go."""
        await self.kept.add(revocation("a"))
        self.now += LASTING + 1
        self.assertEqual(self.told(), [])
        await self.kept.add(revocation("b", ago=-LASTING))
        self.now -= LASTING + 1
        self.assertEqual([each.id for each in self.told()], ["b"])

    async def test_others(self: Any) -> None:
        """A process that runs hears of what another revokes."""
        self.patch(sql_revocations, "PERIOD", 0.01)
        heard: list[Revocation] = []
        other = self.of()
        other.start(heard.append)
        await self.kept.add(revocation("a"))
        await until(lambda: heard)
        self.assertEqual(heard[0], revocation("a"))
        other.stop()

    async def test_gone(self: Any) -> None:
        """A revocation that can't be kept is told as failed."""
        self.database.close()
        with self.assertRaises(Unavailable):
            await self.kept.add(revocation("a"))


class SqliteTests(Contract, TestCase):
    timeout = 30

    def make(self) -> Database:
        return Database.in_directory(self.mktemp(), reactor)


class PostgresTests(Contract, TestCase):
    skip = NO_POSTGRES
    timeout = 60

    def make(self) -> Database:
        return Database.at(Secret(Postgres.shared().database("naap_revoked")), reactor)
