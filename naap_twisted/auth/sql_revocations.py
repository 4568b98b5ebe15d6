"""Revoked page tokens in the database: a restart forgets none, and other processes hear of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred

from ..storage.database import Database
from ..storage.tables import REVOKED_TOKENS, insert_into
from .revocations import Revocation

#: Seconds between two looks at what other processes have revoked.
PERIOD = 5.0
# Seconds by which the clocks of two servers may differ, beside the time that a look takes.
_OVERLAP = 120.0
_ROW = REVOKED_TOKENS.c
Tell = Callable[[Revocation], None]


class SqlRevocations:
    """Keeps revocations in *database*, and tells of those that others keep there.

    :param lasting: seconds that one is kept: as long as a token may live.
    :param now: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        reactor: Any,
        *,
        lasting: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._reactor = reactor
        self._lasting = lasting
        self._now = now
        self._call: Any = None
        self._tell: Tell | None = None

    def add(self, revocation: Revocation) -> Deferred[None]:
        """Keep *revocation*; fires once it is safe, and fails with errors.Unavailable."""
        ended = int((self._now() - self._lasting) * 1000)
        row = {"token_id": revocation.id, "user_id": revocation.sub, "at": revocation.at}

        def write(connection: Connection) -> None:
            connection.execute(sql.delete(REVOKED_TOKENS).where(_ROW.at < ended))
            statement = insert_into(REVOKED_TOKENS, connection).values(row)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["token_id", "user_id"],
                    set_={"at": statement.excluded.at},
                    where=_ROW.at < statement.excluded.at,
                )
            )

        return self._database.run(write, write=True)

    def start(self, tell: Tell) -> None:
        """Tell of every revocation that is kept, which blocks, and then of new ones."""
        self._tell = tell
        self._told(self._database.now(self._since(self._now() - self._lasting)))
        self._later()

    def stop(self) -> None:
        """Tell no more."""
        self._tell = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _since(self, moment: float) -> Callable[[Connection], list[Revocation]]:
        rows = sql.select(_ROW.token_id, _ROW.user_id, _ROW.at).where(_ROW.at >= moment * 1000)
        return lambda connection: [Revocation(*row) for row in connection.execute(rows)]

    def _told(self, revocations: list[Revocation]) -> None:
        if self._tell is not None:
            for revocation in revocations:
                self._tell(revocation)

    def _later(self, _: object = None) -> None:
        # A timer after each look, so that a database that hangs holds one thread and no more.
        if self._tell is not None:
            self._call = self._reactor.callLater(PERIOD, self._look, self._now())

    def _look(self, last: float) -> None:
        self._call = None
        asked = self._database.run(self._since(last - PERIOD - _OVERLAP))
        # The database has logged why it can't be asked; the next look goes as far back again.
        asked.addCallbacks(self._told, lambda _: None).addBoth(self._later)
