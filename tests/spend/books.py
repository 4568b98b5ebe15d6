"""Reads the sums of a ledger where they are kept, past the code that keeps them."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from pathlib import Path
from typing import Any, Protocol

#: Of an account's name: the path of its route, and its unit.
_ACCOUNT = re.compile(r"(?:naap:\w+:budget:)?/[^:]*?([^/:]*):(tokens|usd|requests):")
#: What is spent and what is held, by the last segment of a route's path and a unit.
Sums = dict[tuple[str, str], tuple[int, int]]


class Books(Protocol):
    """How a ledger stands now. :raises OSError: it can't be asked now."""

    def sums(self) -> Sums:
        """Every account's."""


class RedisBooks:
    """Asks a Redis on a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._file: Any = None

    def sums(self) -> Sums:
        """See :class:`Books`."""
        try:
            names = [name for name in self._ask("KEYS", "*:budget:/*") if _ACCOUNT.match(name)]
            read = {name: self._ask("HGETALL", name) for name in names}
        except (OSError, ValueError):
            self._file = None
            raise OSError("Redis is gone") from None
        return {_of(name): _split(pairs) for name, pairs in read.items()}

    def _ask(self, *words: str) -> list[str]:
        if self._file is None:
            with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                self._file = connection.makefile("rwb")
        said = b"".join(b"$%d\r\n%b\r\n" % (len(w.encode()), w.encode()) for w in words)
        self._file.write(b"*%d\r\n%b" % (len(words), said))
        self._file.flush()
        head = self._file.readline()
        if not head.startswith(b"*"):
            raise OSError(head.decode())  # LOADING, or the end
        answer = []
        for _ in range(int(head[1:])):
            length = int(self._file.readline()[1:])
            answer.append(self._file.read(length + 2)[:-2].decode())
        return answer


def _split(pairs: list[str]) -> tuple[int, int]:
    sums = {"s": 0, "h": 0}
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        sums[name[0]] += int(value)
    return sums["s"], sums["h"]


class PostgresBooks:
    """Asks PostgreSQL on a connection of its own."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)

    def sums(self) -> Sums:
        """See :class:`Books`."""
        return _rows(self._connection.execute("SELECT account, sums FROM naap_budgets").fetchall())


class SqliteBooks:
    """Reads the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sums(self) -> Sums:
        """See :class:`Books`."""
        if not self._path.exists():
            raise OSError("not yet")
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5.0)
        try:
            return _rows(connection.execute("SELECT account, sums FROM naap_budgets").fetchall())
        except sqlite3.OperationalError as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()


def _rows(rows: list[Any]) -> Sums:
    found = {}
    for account, written in rows:
        sums = json.loads(written or '{"spent": {}, "held": {}}')
        found[_of(account)] = sum(sums["spent"].values()), sum(sums["held"].values())
    return found


class MemoryBooks:
    """Looks at a ledger of this process."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def sums(self) -> Sums:
        """See :class:`Books`."""
        return {
            _of(name): (sum(account.spent.values()), sum(account.held.values()))
            for table in self._ledger._tables.values()
            for name, (account, _) in table.items()
        }


def _of(account: str) -> tuple[str, str]:
    found = _ACCOUNT.match(account)
    assert found is not None, account
    return found[1], found[2]
