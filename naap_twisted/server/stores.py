"""What is kept between requests: users' keys, their usage, counts shared with other processes.

Built from a server's options, opened and closed with it. The packages behind it are imported only
where an option asks for them: most servers keep nothing, and need none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klein import Klein
from twisted.internet.defer import Deferred

from ..auth.session import SessionAuthenticator
from ..errors import ConfigError
from ..interfaces import IAuthenticator, IKeyStore, IRateLimiter
from ..keys.routes import add_key_routes
from ..limits.door import Policy
from ..limits.memory import MemoryRateLimiter
from ..limits.redis_address import RedisAddress
from ..model import RateLimit
from ..options.server import Config, ServerOptions
from ..secret import Secret
from ..spend.book import UsageBook
from ..spend.routes import add_usage_route
from ..whip import key

if TYPE_CHECKING:
    from ..keys.sql import SqlKeyStore
    from ..limits.redis_link import RedisLink
    from ..storage.database import Database


class State:
    """A server's memory.

    Processes whose servers have the same name share their counts.

    :ivar usage: ``None`` where there is no database.
    :ivar redis: ``None`` where there is no Redis.
    :raises ConfigError: an option whose package is not installed, or a database that can't be.
    """

    def __init__(self, config: Config, reactor: Any) -> None:
        self._config = config
        self._reactor = reactor
        self._name = config.server.name
        self._database = _database(config.server, reactor)
        self._sealed = _sealed_keys(config, self._database)
        self._keys: IKeyStore | None = config.keys.keys or self._sealed
        self.redis = _redis(config.redis.url, reactor)
        self.usage: UsageBook | None = None
        self._opened = False
        if self._database is not None:
            from ..spend.sql import SqlUsageStore

            self.usage = UsageBook(SqlUsageStore(self._database), reactor)

    @property
    def keys(self) -> IKeyStore:
        """Users' own keys.

        :raises ConfigError: this server keeps none.
        """
        if self._keys is None:
            raise ConfigError("keys: this server keeps none; set state_dir and master_key")
        return self._keys

    def share_sessions(self, authenticator: IAuthenticator | None) -> None:
        """Where Redis is, sessions are remembered there for every process of this name."""
        if self.redis is None or not isinstance(authenticator, SessionAuthenticator):
            return
        from ..auth.redis_sessions import RedisLoginSessions

        url = authenticator.url
        authenticator.share(RedisLoginSessions(self.redis, name=self._name, session_url=url))

    def limiter(self, policy: str, limit: RateLimit) -> IRateLimiter:
        """A rate limiter, shared where Redis is; counts of another *policy* are others."""
        if self.redis is None:
            return MemoryRateLimiter(limit, self._reactor)
        from ..limits.redis import RedisRateLimiter

        return RedisRateLimiter(
            limit,
            self.redis,
            self._reactor,
            prefix=f"naap:{self._name}:{policy}:",
            deny=self._config.redis.on_redis_loss == "deny",
        )

    def policy(self, name: str, limit: RateLimit, of: str = "", *, users: bool = False) -> Policy:
        """A limit behind the first door; *of* tells routes apart."""
        limiter = self.limiter(f"{name}{of}", limit)
        return Policy(name, limit, limiter, users_only=users)

    def add_routes(self, router: Klein) -> None:
        """``/keys`` and ``/usage``, where there are keys and usage."""
        if self._keys is not None:
            add_key_routes(router, self._keys)
        if self.usage is not None:
            add_usage_route(router, self.usage)

    def observer(self, log: Callable[[Any], None]) -> Callable[[Any], None]:
        """*log*, and the usage book beside it, for the end of every exchange."""
        book = self.usage
        if book is None:
            return log

        def ended(request: Any) -> None:
            log(request)
            book.ended(request.record)

        return ended

    def probes(self) -> dict[str, Callable[[], Deferred[Any]]]:
        """What can be asked whether it answers, by name: each Deferred fails where it does not."""
        found: dict[str, Callable[[], Deferred[Any]]] = {}
        if self._database is not None:
            found["database"] = self._database.ping
        if self.redis is not None:
            found["redis"] = self.redis.ping
        return found

    @property
    def needs_redis(self) -> bool:
        """Whether requests are refused while Redis is gone."""
        return self.redis is not None and self._config.redis.on_redis_loss == "deny"

    def check(self) -> None:
        """See that the directory of the state can be had; makes and opens nothing.

        :raises ConfigError: it can't, or others can open it.
        """
        if self._config.server.state_dir:
            from ..storage import database

            names = (database.FILE_NAME, key.FILE_NAME)
            database.check_directory(Path(self._config.server.state_dir), names)

    def open(self) -> None:
        """Open the database and begin to connect to Redis. Blocks; before the first request.

        :raises ConfigError: the database can't be had, or the master key is not its own.
        """
        if self._opened:
            return
        if self._database is not None:
            self._database.open()
            try:
                if self._sealed is not None:
                    self._sealed.check_master_key()
            except ConfigError:
                self._database.close()
                raise
        if self.redis is not None:
            self.redis.start()
        self._opened = True

    def rotate_keys(self) -> int:
        """Seal every user's key with the first master key; how many. For a command: it blocks.

        :raises ConfigError: no keys are kept, or one of them does not open.
        """
        if self._sealed is None or self._database is None:
            raise ConfigError("keys.master_key: is not set; there is nothing to rotate")
        self._database.open()
        try:
            return self._sealed.rotate()
        finally:
            self._database.close()

    async def close(self) -> None:
        """Write what is left of usage, and let go. It can be opened again."""
        if not self._opened:
            return
        self._opened = False
        if self.usage is not None:
            await self.usage.stop()
        if self._database is not None:
            self._database.close()
        if self.redis is not None:
            await self.redis.stop()


def _needs(option: str, module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ConfigError(f"{option}: needs {module}; run: pip install 'naap-twisted[{extra}]'")


def _database(options: ServerOptions, reactor: Any) -> Database | None:
    if options.database_url is None and not options.state_dir:
        return None
    option = "state_dir" if options.database_url is None else "database_url"
    _needs(option, "sqlalchemy", "keys" if option == "state_dir" else "postgres")
    from ..storage.database import Database

    if options.database_url is None:
        return Database.in_directory(options.state_dir, reactor)
    _needs(option, "psycopg", "postgres")
    return Database.at(options.database_url, reactor)


def _sealed_keys(config: Config, database: Database | None) -> SqlKeyStore | None:
    if config.keys.master_key is None or database is None:
        return None
    from ..keys.sql import SqlKeyStore
    from ..keys.vault import Vault

    return SqlKeyStore(database, Vault(config.keys.master_key), f"{config.server.base_path}/keys")


def _redis(url: Secret | None, reactor: Any) -> RedisLink | None:
    if url is None:
        return None
    _needs("redis_url", "txredisapi", "redis")
    from ..limits.redis_link import RedisLink

    return RedisLink(RedisAddress.parse(url), reactor)
