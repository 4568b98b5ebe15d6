"""The ledger in a database: it outlives the process, and PostgreSQL shares it between machines.

A transaction locks the accounts that it charges, in the order of their names, so that two processes
can't both take what is left, nor wait for each other's account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..errors import Unavailable
from ..storage.database import Database
from ..storage.tables import BUDGETS, insert_into
from .ledger import Account, Charge, Correction, Standing, Verdict, decided
from .ledger_watch import LedgerWatch

T = TypeVar("T")
_ROW = BUDGETS.c
#: Transactions between two sweeps of accounts that are of no interest any more.
_SWEEP_EVERY = 500


class SqlLedger:
    """Keeps accounts in *database*.

    :ivar watch: tells of times without it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.watch = LedgerWatch("database", refuses=True)
        self._until_sweep = _SWEEP_EVERY

    def reserve(self, charges: Sequence[Charge]) -> Deferred[Verdict]:
        """Reserve under all of the budgets, or under none; fires once that is safe."""

        def work(accounts: dict[str, Account]) -> Verdict:
            return decided([accounts[charge.account] for charge in charges], charges)

        def lost() -> None:
            self.watch.judged(here=False)

        return self._watched(self._changed(charges, work), lost)

    def settle(self, corrections: Sequence[Correction]) -> Deferred[None]:
        """Put what was spent in the place of what was reserved."""

        def work(accounts: dict[str, Account]) -> None:
            for correction in corrections:
                accounts[correction.charge.account].settle(correction)

        settled = self._changed([correction.charge for correction in corrections], work)
        return self._watched(settled, self.watch.dropped)

    def _watched(self, done: Deferred[T], lost: Callable[[], None]) -> Deferred[T]:
        def answered(value: T) -> T:
            self.watch.back()
            return value

        def failed(failure: Failure) -> Failure:
            if failure.check(Unavailable):
                lost()
            return failure

        return done.addCallbacks(answered, failed)

    def read(self, charges: Sequence[Charge]) -> Deferred[tuple[Standing, ...]]:
        """The standing of each account."""
        names = [charge.account for charge in charges]

        def work(connection: Connection) -> tuple[Standing, ...]:
            rows = connection.execute(
                sql.select(_ROW.account, _ROW.sums).where(_ROW.account.in_(names))
            )
            sums = {row.account: row.sums for row in rows}
            accounts = [Account.read(sums.get(name, "")) for name in names]
            return tuple([a.standing(c) for a, c in zip(accounts, charges, strict=True)])

        return self._database.run(work)

    def _changed(
        self, charges: Sequence[Charge], work: Callable[[dict[str, Account]], T]
    ) -> Deferred[T]:
        """Change the accounts of *charges*, which nobody else does meanwhile."""
        kept = {charge.account: charge.minute * 60 + charge.keep for charge in charges}
        self._until_sweep -= 1
        sweep = self._until_sweep <= 0
        if sweep:
            self._until_sweep = _SWEEP_EVERY

        def transact(connection: Connection) -> T:
            if sweep:
                now = charges[0].minute * 60
                connection.execute(sql.delete(BUDGETS).where(_ROW.kept_until < now))
            accounts = _locked(connection, kept)
            result = work(accounts)
            rows = [{"name": name, "text": each.written()} for name, each in accounts.items()]
            connection.execute(
                sql.update(BUDGETS)
                .where(_ROW.account == sql.bindparam("name"))
                .values(sums=sql.bindparam("text")),
                rows,
            )
            return result

        return self._database.run(transact, write=True)


def _locked(connection: Connection, kept: dict[str, int]) -> dict[str, Account]:
    """The accounts by name, opened where there are none, and locked until the transaction ends."""
    rows = [{"account": name, "sums": "", "kept_until": kept[name]} for name in sorted(kept)]
    statement = insert_into(BUDGETS, connection).values(rows)
    found = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["account"], set_={"kept_until": statement.excluded.kept_until}
        ).returning(_ROW.account, _ROW.sums)
    )
    return {account: Account.read(written) for account, written in found}
