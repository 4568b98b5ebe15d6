"""The tables, and the migrations that bring an older version's tables up to this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

METADATA = MetaData()

#: Facts about the database itself: its version, the master key's canary.
META = Table(
    "naap_meta",
    METADATA,
    Column("name", sql.Text, primary_key=True),
    Column("value", sql.Text, nullable=False),
)
#: Column ``sealed`` holds a Fernet token; ``updated_at`` is seconds since 1970.
USER_KEYS = Table(
    "naap_user_keys",
    METADATA,
    Column("user_id", sql.Text, primary_key=True),
    Column("provider", sql.Text, primary_key=True),
    Column("sealed", sql.Text, nullable=False),
    Column("updated_at", sql.BigInteger, nullable=False),
)
#: There is one row for each user, route, day (``"2026-11-26"``, UTC) and model. Rows that an older
#: version wrote have a month for their day.
USAGE = Table(
    "naap_usage_days",
    METADATA,
    Column("user_id", sql.Text, primary_key=True),
    Column("route", sql.Text, primary_key=True),
    Column("day", sql.Text, primary_key=True, index=True),
    Column("model", sql.Text, primary_key=True),
    *(
        Column(name, sql.BigInteger, nullable=False)
        for name in (
            *("requests", "bytes_in", "bytes_out"),
            *("status_2xx", "status_3xx", "status_4xx", "status_5xx", "failed"),
            *("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"),
            *("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "usd_nanos"),
            *("estimated_requests", "estimated_tokens"),
        )
    ),
)

# Usage by month, as the first version of the tables had it.
_OLD_USAGE = Table(
    "naap_usage",
    MetaData(),
    Column("user_id", sql.Text, primary_key=True),
    Column("route", sql.Text, primary_key=True),
    Column("month", sql.Text, primary_key=True),
    *(
        Column(name, sql.BigInteger, nullable=False)
        for name in (
            *("requests", "bytes_in", "bytes_out"),
            *("status_2xx", "status_3xx", "status_4xx", "status_5xx", "failed"),
            *("prompt_tokens", "completion_tokens", "total_tokens"),
        )
    ),
)

#: Tokens of services: of a secret there is the SHA-256 only. Times are seconds since 1970; column
#: ``routes`` holds a JSON list, or NULL for every route; ``budget`` one of unit, amount and window.
TOKENS = Table(
    "naap_tokens",
    METADATA,
    Column("id", sql.Text, primary_key=True),
    Column("name", sql.Text, nullable=False),
    Column("digest", sql.Text, nullable=False),
    Column("routes", sql.Text),
    Column("created_at", sql.BigInteger, nullable=False),
    *(Column(name, sql.BigInteger) for name in ("expires_at", "revoked_at", "used_at")),
    Column("budget", sql.Text),
)

#: Page tokens that count no more; an empty id: all of the user's. ``at``: milliseconds since 1970.
REVOKED_TOKENS = Table(
    "naap_revoked_tokens",
    METADATA,
    Column("token_id", sql.Text, primary_key=True),
    Column("user_id", sql.Text, primary_key=True),
    Column("at", sql.BigInteger, nullable=False),
)

#: ``sums`` is the JSON of one budget's account; ``kept_until`` is seconds since 1970.
BUDGETS = Table(
    "naap_budgets",
    METADATA,
    Column("account", sql.Text, primary_key=True),
    Column("sums", sql.Text, nullable=False),
    Column("kept_until", sql.BigInteger, nullable=False),
)

_VERSION = "schema_version"
# The number is arbitrary; the lock of it keeps two servers from migrating at the same time.
_MIGRATION_LOCK = 7_226_101


def _first(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[USER_KEYS])
    _OLD_USAGE.create(connection, checkfirst=True)


def _revoked_tokens(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[REVOKED_TOKENS])


def _budgets(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[BUDGETS])


def _tokens(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[TOKENS])


def _usage_by_day(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[USAGE])
    old = _OLD_USAGE.c
    same = (
        *("user_id", "route", "requests", "bytes_in", "bytes_out", "failed"),
        *("status_2xx", "status_3xx", "status_4xx", "status_5xx"),
    )
    taken = {name: old[name] for name in same}
    taken |= {"day": old.month, "input_tokens": old.prompt_tokens}
    taken["output_tokens"] = old.completion_tokens
    columns = [column.name for column in USAGE.c]
    values = [
        taken.get(name, sql.literal("") if name == "model" else sql.literal(0)) for name in columns
    ]
    connection.execute(sql.insert(USAGE).from_select(columns, sql.select(*values)))
    _OLD_USAGE.drop(connection)


def _budgets_of_tokens(connection: Connection) -> None:
    known = {column["name"] for column in sql.inspect(connection).get_columns(TOKENS.name)}
    # A database that is new has the column from the step that made the table.
    if "budget" not in known:
        connection.execute(sql.text(f"ALTER TABLE {TOKENS.name} ADD COLUMN budget TEXT"))


#: Step n takes version n to n + 1. Append to them and never edit one: a database has run it.
STEPS: tuple[Callable[[Connection], None], ...] = (
    *(_first, _revoked_tokens, _budgets, _tokens),
    *(_usage_by_day, _budgets_of_tokens),
)


def migrate(connection: Connection) -> None:
    """Bring the tables to this version, inside the caller's transaction.

    :raises ValueError: a later version of this program made the tables.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    META.create(connection, checkfirst=True)
    version = int(read_fact(connection, _VERSION) or 0)
    if version > len(STEPS):
        raise ValueError(
            f"its tables are of version {version}, this program knows up to {len(STEPS)}"
        )
    for step in STEPS[version:]:
        step(connection)
    if version < len(STEPS):
        write_fact(connection, _VERSION, str(len(STEPS)))


def insert_into(table: Table, connection: Connection) -> Any:
    """An INSERT that can say ON CONFLICT, in the dialect of *connection*."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def read_fact(connection: Connection, name: str) -> str | None:
    """The value of *name* in ``naap_meta``, or ``None``."""
    value = connection.execute(sql.select(META.c.value).where(META.c.name == name)).scalar()
    return None if value is None else str(value)


def write_fact(connection: Connection, name: str, value: str) -> None:
    """Set the value of *name* in ``naap_meta``."""
    connection.execute(sql.delete(META).where(META.c.name == name))
    connection.execute(sql.insert(META).values(name=name, value=value))
