"""Databases, Redis and the webhook, as the options ask for them.

The packages behind them are imported only where an option does: most servers keep nothing, and run
without SQLAlchemy, psycopg and txredisapi.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..auth.fetch import Fetch
from ..errors import ConfigError
from ..limits.redis_address import RedisAddress
from ..options.server import Config, ServerOptions
from ..secret import Secret
from .alerts import Alerts

if TYPE_CHECKING:
    from ..keys.sql import SqlKeyStore
    from ..limits.redis_link import RedisLink
    from ..storage.database import Database


def needs(option: str, module: str, extra: str) -> None:
    """Check that *module* is installed, which *option* needs.

    :raises ConfigError: it is not; the line says what to run.
    """
    if find_spec(module) is None:
        raise ConfigError(f"{option}: needs {module}; run: pip install 'naap-twisted[{extra}]'")


def database_of(options: ServerOptions, reactor: Any) -> Database | None:
    """SQLite in ``state_dir``, or PostgreSQL at ``database_url``; ``None`` without either.

    :raises ConfigError: a package is missing, or ``database_url`` is none.
    """
    if options.database_url is None and not options.state_dir:
        return None
    option = "state_dir" if options.database_url is None else "database_url"
    needs(option, "sqlalchemy", "keys" if option == "state_dir" else "postgres")
    from ..storage.database import Database

    if options.database_url is None:
        return Database.in_directory(options.state_dir, reactor)
    needs(option, "psycopg", "postgres")
    return Database.at(options.database_url, reactor)


def alerts_of(config: Config, reactor: Any) -> Alerts | None:
    """The webhook of ``alert_url``; ``None`` without it."""
    server = config.server
    if server.alert_url is None:
        return None
    fetch = Fetch(reactor, timeout=10.0, ca_file=config.upstream.ca_file)
    return Alerts(server.alert_url, server.alert_secret, server.name, reactor, fetch=fetch)


def sealed_keys_of(config: Config, database: Database | None) -> SqlKeyStore | None:
    """The store of users' sealed keys; ``None`` where there is no master key or no database."""
    if config.keys.master_key is None or database is None:
        return None
    from ..keys.sql import SqlKeyStore
    from ..keys.vault import Vault

    return SqlKeyStore(database, Vault(config.keys.master_key), f"{config.server.base_path}/keys")


def redis_of(url: Secret | None, reactor: Any) -> RedisLink | None:
    """The connection to Redis, which nobody has begun; ``None`` without a URL.

    :raises ConfigError: a package is missing, or the URL is none.
    """
    if url is None:
        return None
    needs("redis_url", "txredisapi", "redis")
    from ..limits.redis_link import RedisLink

    return RedisLink(RedisAddress.parse(url), reactor)
