"""The usage store in a database: each write adds to a row, so that processes can share it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from attrs import asdict, astuple
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred, succeed

from ..errors import Unavailable
from ..storage.database import Database
from ..storage.tables import USAGE, insert_into
from .counts import NAMES, Counts, Usage
from .totals import DIMENSIONS, Question, Total, Totals

#: So many days are kept: the latest that have any usage, so that a clock which once was years
#: ahead costs one day and not all of them.
KEPT_DAYS = 400
_ROW = USAGE.c
_COLUMNS: dict[str, sql.ColumnElement[str]] = {
    "month": sql.func.substr(_ROW.day, 1, 7),
    "day": _ROW.day,
    "user": _ROW.user_id,
    "route": _ROW.route,
    "model": _ROW.model,
}
_SUMS = [sql.func.coalesce(sql.func.sum(_ROW[name]), 0).label(name) for name in NAMES]


class SqlUsageStore:
    """Keeps the sums in *database*."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._swept = ""

    def add(self, usage: Usage) -> Deferred[None]:
        # Every process locks rows in this order: else two could wait for each other's row.
        ordered = sorted(usage, key=astuple)
        rows = [{**asdict(key), **asdict(usage[key])} for key in ordered]

        def write(connection: Connection) -> None:
            statement = insert_into(USAGE, connection)
            sums = {name: _ROW[name] + statement.excluded[name] for name in NAMES}
            key = [column.name for column in USAGE.primary_key]
            connection.execute(statement.on_conflict_do_update(index_elements=key, set_=sums), rows)

        done = self._database.run(write, write=True)
        return done.addCallback(lambda _: self._sweep(max(key.day for key in usage)))

    def _sweep(self, day: str) -> Deferred[None]:
        """Forget days that are too old, once for each new *day*."""
        if self._swept == day:
            return succeed(None)
        self._swept = day
        days = sql.select(_ROW.day).distinct().order_by(_ROW.day.desc())
        oldest = days.limit(1).offset(KEPT_DAYS - 1).scalar_subquery()

        def forget(connection: Connection) -> None:
            connection.execute(sql.delete(USAGE).where(_ROW.day < oldest))

        # What was to be added is: a sweep that fails, which the log tells, comes with the next day.
        swept = self._database.run(forget, write=True)
        return swept.addErrback(lambda failure: failure.trap(Unavailable) and None)

    def totals(self, question: Question) -> Deferred[Totals]:
        by = [name for name in DIMENSIONS if name in question.by]
        columns = [_COLUMNS[name] for name in by]
        times = [column for name, column in zip(by, columns, strict=True) if name in _TIMES]
        filters = _filters(question)
        tokens = sql.func.sum(_ROW.input_tokens + _ROW.output_tokens)
        dearest = (sql.func.sum(_ROW.usd_nanos), tokens, sql.func.sum(_ROW.requests))
        rows = (
            sql.select(*columns, *_SUMS)
            .where(*filters)
            .group_by(*columns)
            .order_by(*(each.desc() for each in (*times, *dearest)), *columns)
            .limit(question.limit + 1)
            .offset(question.offset)
        )

        def select(connection: Connection) -> Totals:
            found = connection.execute(rows).all()
            whole = connection.execute(sql.select(*_SUMS).where(*filters)).one()
            listed = [
                Total(dict(zip(by, row, strict=False)), _counts(row[len(by) :])) for row in found
            ]
            return Totals(
                tuple(listed[: question.limit]), _counts(whole), len(listed) > question.limit
            )

        return self._database.run(select)


_TIMES = ("month", "day")


def _filters(question: Question) -> list[sql.ColumnElement[bool]]:
    filters = [_COLUMNS[name] == value for name, value in question.where.items()]
    if question.first:
        filters.append(_ROW.day >= question.first)
    if question.last:
        filters.append(_ROW.day <= question.last)
    return filters


def _counts(numbers: Any) -> Counts:
    # PostgreSQL adds 64 bits up to a decimal number.
    return Counts(*map(int, numbers))
