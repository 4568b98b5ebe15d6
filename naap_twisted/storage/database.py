"""One database, asked in threads of its own: the reactor thread waits for no disk and no network.

It is SQLAlchemy Core with the synchronous engine. SQLite runs with WAL and ``synchronous=FULL``: a
commit is on the disk before it is acknowledged, and survives a killed process and a power cut.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import TimeoutError
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ..errors import ConfigError, Unavailable
from ..secret import Secret
from .tables import META, migrate

T = TypeVar("T")

FILE_NAME = "naap-proxy.sqlite3"
_WRITES = "naap_writes"


class Database:
    """The tables at *url*.

    :param url: as SQLAlchemy spells it.
    :param where: how messages name the database: the option and the place, without the password.
    :param threads: so many transactions run at once; *waiting* more queue, further ones are
        :class:`Unavailable`.
    :param deadline: seconds for one transaction, the time in the queue included.
    """

    _log = Logger()

    def __init__(
        self,
        url: URL,
        reactor: Any,
        *,
        where: str,
        threads: int = 4,
        waiting: int = 1_000,
        deadline: float = 10.0,
    ) -> None:
        self.where = where
        self._reactor = reactor
        self._url = url
        self._most = threads + waiting
        self._deadline = deadline
        self._running = 0
        self._engine: Engine | None = None
        self._threads = threads
        self._pool: ThreadPool | None = None

    @classmethod
    def in_directory(cls, directory: str | os.PathLike[str], reactor: Any) -> Database:
        """SQLite in *directory*; :meth:`open` makes the directory."""
        path = Path(directory).absolute() / FILE_NAME
        url = URL.create("sqlite+pysqlite", database=str(path))
        # SQLite takes one writer at a time; the second thread reads meanwhile.
        return cls(url, reactor, where=f"state_dir: {path}", threads=2)

    @classmethod
    def at(cls, url: Secret, reactor: Any) -> Database:
        """PostgreSQL at ``postgresql://user:password@host/name``.

        :raises ConfigError: *url* is no such URL.
        """
        try:
            parsed = make_url(url.reveal().decode("utf-8"))
        except (ArgumentError, ValueError):
            raise ConfigError("database_url: is not a URL such as postgresql://...") from None
        if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise ConfigError("database_url: only postgresql:// is known; SQLite is state_dir")
        where = f"database_url: {parsed.host or 'localhost'}/{parsed.database or ''}"
        return cls(parsed.set(drivername="postgresql+psycopg"), reactor, where=where)

    def open(self) -> None:
        """Connect, and bring the tables to this version. This blocks, so do it before serving.

        :raises ConfigError: the database can't be opened, or a later version made its tables.
        """
        if self._engine is not None:
            return
        if self._url.database and self._url.drivername.startswith("sqlite"):
            private_file(Path(self._url.database))
        engine = _engine(self._url)
        try:
            with _transaction(engine, write=True) as connection:
                migrate(connection)
        except (SQLAlchemyError, ValueError) as error:
            engine.dispose()
            raise ConfigError(f"{self.where}: {plain(error)}") from None
        self._engine = engine
        # A stopped thread pool can't start again, but a server that was stopped can.
        self._pool = ThreadPool(0, self._threads, name="naap-database")
        self._pool.start()

    def now(self, work: Callable[[Connection], T]) -> T:
        """Do *work* in a transaction in the calling thread: while starting, and in commands."""
        assert self._engine is not None, "not open"
        with _transaction(self._engine, write=True) as connection:
            return work(connection)

    def run(self, work: Callable[[Connection], T], *, write: bool = False) -> Deferred[T]:
        """Do *work* in a transaction in a thread; the Deferred fires after the commit.

        It fails with :class:`Unavailable` when the database can't be asked.
        """
        engine, pool = self._engine, self._pool
        if engine is None or pool is None or self._running >= self._most:
            reason = "the database is closed" if engine is None else "too much waits for it"
            return fail(Unavailable(reason=f"database: {reason}"))

        def do() -> T:
            with _transaction(engine, write=write) as connection:
                return work(connection)

        self._running += 1
        done: Deferred[T] = deferToThreadPool(self._reactor, pool, do)
        return self._bounded(done)

    def ping(self) -> Deferred[Any]:
        """Read a table, as a health probe; it fails as :meth:`run` does."""
        return self.run(lambda connection: connection.execute(sql.select(META.c.name)).first())

    def _bounded(self, done: Deferred[T]) -> Deferred[T]:
        """Put a deadline on *done*; a thread can't be stopped, so it counts until its end."""
        result: Deferred[T] = Deferred()

        def end(value: Any) -> None:
            self._running -= 1
            if not result.called:
                result.callback(value)  # a Failure goes to the errbacks

        def late(_: object, seconds: float) -> NoReturn:
            raise TimeoutError("the database did not answer in time")

        done.addBoth(end)
        result.addTimeout(self._deadline, self._reactor, late)
        return result.addErrback(lambda failure: self._unavailable(failure).raiseException())

    def _unavailable(self, failure: Failure) -> Failure:
        if failure.check(SQLAlchemyError, TimeoutError) is None:
            return failure
        self._log.error("{where}: {error}", where=self.where, error=plain(failure.value))
        return Failure(Unavailable(reason=f"database: {type(failure.value).__name__}"))

    def close(self) -> None:
        """Wait for the transactions that run, then disconnect."""
        engine, self._engine = self._engine, None
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
        if engine is not None:
            engine.dispose()


def private_file(path: Path) -> None:
    """Make *path* and its directory private to this user, or check that they are.

    :raises ConfigError: other users can open one of them, or it can't be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        modes = [(place, place.stat()) for place in (path.parent, path)]
    except OSError as error:
        raise ConfigError(f"state_dir: cannot use {path}: {error.strerror or error}") from None
    for place, status in modes:
        _check_private(place, status, os.geteuid())


def check_directory(directory: Path, names: Sequence[str]) -> None:
    """Check that the files *names* of *directory* will pass :func:`private_file`; make nothing.

    Root may become another user before they are opened, so for root any owner will do.

    :raises ConfigError: a file or the directory will be refused.
    """
    user = os.geteuid()
    for place in (directory, *(directory / name for name in names)):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(f"state_dir: cannot use {place}: {error.strerror or error}") from None
        if place == directory and not stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"state_dir: {place} is not a directory")
        _check_private(place, status, user or status.st_uid)
    nearest = next(place for place in (directory, *directory.parents) if place.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise ConfigError(f"state_dir: cannot use {directory}: {nearest} can not be written")


def _check_private(place: Path, status: os.stat_result, user: int) -> None:
    mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
    if status.st_mode & 0o077:
        remedy = f"run: chmod {mode} {place}"
        raise ConfigError(f"state_dir: {place} is open to group or others; {remedy}")
    if status.st_uid != user:
        raise ConfigError(f"state_dir: {place} belongs to another user")


def _engine(url: URL) -> Engine:
    # Without hide_parameters an error's text, and so the log, would hold the row.
    if url.drivername.startswith("sqlite"):
        engine = sql.create_engine(
            url, hide_parameters=True, connect_args={"timeout": 5.0, "check_same_thread": False}
        )
        sql.event.listen(engine, "connect", _prepare_sqlite)
        sql.event.listen(engine, "begin", _begin_sqlite)
        return engine
    return sql.create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=5,
        # A server that hangs, or a network that drops packets, holds a thread no longer than this.
        connect_args={
            "connect_timeout": 5,
            "options": "-c statement_timeout=5000",
            "tcp_user_timeout": 10_000,
        },
    )


def _prepare_sqlite(connection: Any, record: object) -> None:
    # The sqlite3 module commits by itself before some statements; _begin_sqlite begins for it.
    connection.isolation_level = None
    for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: else a transaction that reads and then writes fails if another wrote in between.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _transaction(engine: Engine, *, write: bool) -> AbstractContextManager[Connection]:
    """A connection inside one transaction, which is committed at the end of the block."""
    return engine.execution_options(**{_WRITES: write}).begin()


def plain(error: BaseException | None) -> str:
    """An error's text in one line, without the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(cause).split()) or type(cause).__name__
