"""The usage store in a database: each write adds to a row, so that processes can share it."""

from __future__ import annotations

import sqlalchemy as sql
from attrs import asdict, astuple
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred

from ..storage.database import Database
from ..storage.tables import USAGE, insert_into
from .counts import NAMES, Counts, Usage, UsageKey


class SqlUsageStore:
    """Keeps the sums in *database*."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, usage: Usage) -> Deferred[None]:
        # Every process locks rows in this order: else two could wait for each other's row.
        ordered = sorted(usage, key=astuple)
        rows = [{**asdict(key), **asdict(usage[key])} for key in ordered]

        def write(connection: Connection) -> None:
            statement = insert_into(USAGE, connection)
            sums = {name: USAGE.c[name] + statement.excluded[name] for name in NAMES}
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["user_id", "route", "month"], set_=sums
                ),
                rows,
            )

        return self._database.run(write, write=True)

    def read(self, user_id: str) -> Deferred[Usage]:
        def select(connection: Connection) -> Usage:
            rows = connection.execute(sql.select(USAGE).where(USAGE.c.user_id == user_id))
            return {
                UsageKey(user_id, row["route"], row["month"]): Counts(*(row[n] for n in NAMES))
                for row in rows.mappings()
            }

        return self._database.run(select)
