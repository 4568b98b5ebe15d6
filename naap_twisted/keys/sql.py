"""The key store in a database: a key on its disk opens with the master key only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from attrs import frozen
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import ConfigError, InternalError, NoUserKey, TooManyKeys
from ..model import KeyInfo
from ..secret import Secret
from ..storage.database import Database
from ..storage.tables import USER_KEYS, insert_into, read_fact, write_fact
from .rules import MOST_KEYS
from .vault import Vault, last4

_CANARY = "master_key_canary"
_KEYS = USER_KEYS.c


@frozen(eq=False)
class SqlKeyStore:
    """Keeps sealed keys in *database*.

    :param path: the path of the keys' routes; an error tells the user where to add a key.
    :param now: seconds since 1970; they date the keys.
    """

    _log = Logger()

    _database: Database
    _vault: Vault
    _path: str = "/api/v1/keys"
    _now: Callable[[], float] = time.time

    def check_master_key(self) -> None:
        """Check that this master key sealed the keys in the database. This blocks.

        :raises ConfigError: another master key did. Nothing was changed.
        """

        def check(connection: Connection) -> bool:
            canary = read_fact(connection, _CANARY)
            if canary is None:
                write_fact(connection, _CANARY, self._vault.canary())
                return True
            return self._vault.knows(canary)

        if not self._database.now(check):
            raise ConfigError(
                "master_key: is not the one that sealed the keys in"
                f" {self._database.where.partition(': ')[2]}; nothing was changed there"
            )

    def rotate(self) -> int:
        """Seal every key, and the canary, with the first master key, in one transaction.

        :returns: the number of keys.
        :raises ConfigError: one of them does not open. Nothing was changed.
        """
        self.check_master_key()
        return self._database.now(self._rotate)

    def _rotate(self, connection: Connection) -> int:
        rows = connection.execute(
            sql.select(_KEYS.user_id, _KEYS.provider, _KEYS.sealed).with_for_update()
        ).all()
        try:
            for row in rows:
                connection.execute(
                    sql.update(USER_KEYS)
                    .where(_is(row.user_id, row.provider))
                    .values(sealed=self._vault.reseal(row.sealed))
                )
        except ValueError:
            raise ConfigError(
                "master_key: does not open every key that is kept; nothing was changed"
            ) from None
        write_fact(connection, _CANARY, self._vault.canary())
        return len(rows)

    def put(self, user_id: str, provider: str, key: Secret) -> Deferred[KeyInfo]:
        """See :class:`~naap_twisted.interfaces.IKeyStore`. The key is on the disk once it fires."""
        updated_at = int(self._now())
        row = {"sealed": self._vault.seal(user_id, provider, key), "updated_at": updated_at}

        def write(connection: Connection) -> KeyInfo:
            changed = connection.execute(
                sql.update(USER_KEYS).where(_is(user_id, provider)).values(row)
            )
            if not changed.rowcount:
                self._insert(connection, {"user_id": user_id, "provider": provider, **row})
            return KeyInfo(provider, last4(key), updated_at)

        return self._database.run(write, write=True)

    def _insert(self, connection: Connection, row: dict[str, object]) -> None:
        count = sql.select(sql.func.count()).where(_KEYS.user_id == row["user_id"])
        if (connection.execute(count).scalar() or 0) >= MOST_KEYS:
            raise TooManyKeys(f"At most {MOST_KEYS} keys can be kept")
        # Another process may have inserted the same key since the UPDATE: the last writer wins.
        connection.execute(
            insert_into(USER_KEYS, connection)
            .values(row)
            .on_conflict_do_update(index_elements=["user_id", "provider"], set_=row)
        )

    def get(self, user_id: str, provider: str) -> Deferred[Secret]:
        def read(connection: Connection) -> Secret:
            sealed = connection.scalar(sql.select(_KEYS.sealed).where(_is(user_id, provider)))
            if sealed is None:
                raise NoUserKey(provider, self._path)
            return self._open(user_id, provider, sealed)

        return self._database.run(read)

    def delete(self, user_id: str, provider: str) -> Deferred[bool]:
        def remove(connection: Connection) -> bool:
            gone = connection.execute(sql.delete(USER_KEYS).where(_is(user_id, provider)))
            return gone.rowcount > 0

        return self._database.run(remove, write=True)

    def describe(self, user_id: str) -> Deferred[tuple[KeyInfo, ...]]:
        def read(connection: Connection) -> tuple[KeyInfo, ...]:
            mine = sql.select(_KEYS.provider, _KEYS.sealed, _KEYS.updated_at)
            rows = connection.execute(mine.where(_KEYS.user_id == user_id)).all()
            # Python sorts by code point, whatever collation the database has.
            return tuple(sorted(map(info, rows), key=lambda listed: listed.provider))

        def info(row: Any) -> KeyInfo:
            key = self._open(user_id, row.provider, row.sealed)
            return KeyInfo(row.provider, last4(key), row.updated_at)

        return self._database.run(read)

    def _open(self, user_id: str, provider: str, sealed: str) -> Secret:
        try:
            return self._vault.open(user_id, provider, sealed)
        except ValueError as error:
            self._log.error(
                "A stored key for {provider} is of no use: {error}",
                provider=provider,
                error=str(error),
            )
            raise InternalError(reason=f"stored key: {error}") from None


def _is(user_id: str, provider: str) -> sql.ColumnElement[bool]:
    return sql.and_(_KEYS.user_id == user_id, _KEYS.provider == provider)
