"""The usage store in a database: each write adds, so that processes share the rows."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred

from ..storage.database import Database
from ..storage.tables import USAGE, insert_into
from .counts import NAMES, Counts, Usage, UsageKey


class SqlUsageStore:
    """Sums in *database*."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, usage: Usage) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""
        # In one order, or two processes could each hold a row that the other waits for.
        ordered = sorted(usage, key=lambda key: (key.user_id, key.route, key.month))
        rows = [
            {
                "user_id": key.user_id,
                "route": key.route,
                "month": key.month,
                **usage[key].as_row(),
            }
            for key in ordered
        ]

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
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""

        def select(connection: Connection) -> Usage:
            rows = connection.execute(sql.select(USAGE).where(USAGE.c.user_id == user_id))
            return {
                UsageKey(user_id, row["route"], row["month"]): Counts(
                    **{name: row[name] for name in NAMES}
                )
                for row in rows.mappings()
            }

        return self._database.run(select)
