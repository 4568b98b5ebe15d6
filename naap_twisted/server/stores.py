"""What a server keeps between requests: users' keys, their usage, counts shared through Redis.

The packages behind a store are imported only where an option asks for it, as in :mod:`.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klein import Klein
from twisted.internet.defer import Deferred

from ..auth import guests, page_tokens
from ..auth.guest_routes import add_guest_route
from ..auth.page_tokens import PageTokens, TokenMemory
from ..auth.session import SessionAuthenticator
from ..auth.token_routes import Find, add_token_routes
from ..auth.tokens import TokenAuthenticator
from ..credentials.secret_files import SecretFiles
from ..errors import ConfigError
from ..interfaces import IAuthenticator, IKeyStore, IPageTokenStore, IRateLimiter
from ..keys.routes import add_key_routes
from ..limits.door import Policy
from ..limits.memory import MemoryRateLimiter
from ..limits.replays import Replays
from ..model import RateLimit
from ..options.server import Config
from ..route.cross_site import CrossSite
from ..route.scrub import Guard
from ..route.via import Via
from ..spend.book import UsageBook
from ..spend.budget import Budget
from ..spend.ledger import Ledger, MemoryLedger
from ..spend.purse import Purse
from ..spend.routes import add_usage_route
from ..whip import key
from .backends import alerts_of, database_of, redis_of, sealed_keys_of
from .guests import desk_of, guests_of
from .heirlooms import Heirlooms

if TYPE_CHECKING:
    from ..auth.sql_revocations import SqlRevocations
    from ..auth.sql_tokens import SqlTokenStore
    from ..spend.ledger_watch import LedgerWatch
    from ..storage.database import Database
    from .setting import Workplace


class State:
    """The stores of one server, opened and closed with it.

    In Redis, processes whose servers have the same name share their counts and sessions.

    :ivar guests: ``None`` where nobody becomes one.
    :ivar usage: ``None`` where there is no database.
    :ivar ledger: of budgets: in Redis, else in the database, else in memory.
    :ivar replays: answers that are kept for retries, in this process's memory.
    :ivar page_tokens: ``None`` where the server has none.
    :ivar alerts: ``None`` where no webhook hears of budgets.
    :ivar purses: the budgets of each route, by its path.
    :ivar redis: ``None`` where there is no Redis.
    :ivar places: where things are kept: what is kept elsewhere is another thing.
    :ivar secret_files: looked at while the stores are open.
    :param heirlooms: has the stores of the server before, which a reload goes on with.
    :param workplace: of a worker: there it has what would be in memory.
    :raises ConfigError: the package that an option needs is not installed, or ``database_url`` is
        no URL of a database.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        heirlooms: Heirlooms | None = None,
        workplace: Workplace | None = None,
    ) -> None:
        self._config, self._reactor, self._workplace = config, reactor, workplace
        self._heirlooms = heirlooms or Heirlooms()
        have = self._heirlooms.have
        server = config.server
        self._name = server.name
        self._database = have(
            lambda: database_of(server, reactor), "database", server.database_url, server.state_dir
        )
        self._sealed = sealed_keys_of(config, self._database)
        self._keys: IKeyStore | None = config.keys.keys or self._sealed
        self.redis = have(lambda: redis_of(config.redis.url, reactor), "redis", config.redis.url)
        self.places = self.redis, self._database, self._name, server.base_path
        self.secret_files = SecretFiles(reactor)
        self.page_tokens = self._made_page_tokens()
        self.guests = guests_of(config, self._heirlooms, workplace)
        self.alerts = have(
            lambda: alerts_of(config, reactor),
            *("alerts", server.name, server.alert_url, server.alert_secret),
            config.upstream.ca_file,
        )
        self.usage: UsageBook | None = None
        self.ledger, self._watch = have(
            self._made_ledger, "ledger", self.redis, self._database, self._name, self._denies
        )
        self.replays: Replays[Guard] = have(lambda: Replays(reactor), "replays")
        self.purses: dict[str, Purse] = {}
        self._has_usage_route = False
        self._router = Klein()  # until the server's own is told
        self._opened = False
        if self._database is not None:
            from ..spend.sql import SqlUsageStore

            store = SqlUsageStore(self._database)
            self.usage = have(lambda: UsageBook(store, reactor), "usage", self._database)

    @property
    def _denies(self) -> bool:
        return self._config.redis.on_redis_loss == "deny"

    def _made_ledger(self) -> tuple[Ledger, LedgerWatch | None]:
        if self.redis is not None:
            from ..spend.redis_ledger import RedisLedger

            prefix = f"naap:{self._name}:budget:"
            shared = RedisLedger(self.redis, prefix=prefix, deny=self._denies)
            return shared, shared.watch
        if self._database is not None:
            from ..spend.sql_ledger import SqlLedger

            kept = SqlLedger(self._database)
            return kept, kept.watch
        return MemoryLedger() if self._workplace is None else self._workplace.ledger(), None

    @property
    def keys(self) -> IKeyStore:
        """The store of users' own keys.

        :raises ConfigError: this server keeps no keys.
        """
        if self._keys is None:
            raise ConfigError("keys: this server keeps none; set state_dir and master_key")
        return self._keys

    def _made_page_tokens(self) -> PageTokens | None:
        options, server = self._config.auth.page_tokens, self._config.server
        if options is None:
            return None
        memory = self._heirlooms.have(
            lambda: self._memory(options.max_ttl), "memory of page tokens"
        )
        return self._heirlooms.have(
            lambda: PageTokens(
                options,
                server=server.name,
                base_path=server.base_path,
                state_dir=server.state_dir,
                store=self._page_token_store(options.max_ttl),
                kept=self._kept_revocations(options.max_ttl),
                memory=memory,
            ),
            *("page tokens", options, server.name, server.base_path, server.state_dir),
            *(self.redis, self._database, self._denies),
        )

    def _memory(self, lasting: float) -> TokenMemory:
        place = self._workplace
        return TokenMemory(lasting, key=None if place is None else place.key("page tokens"))

    def location_key(self) -> key.LocationKey:
        """The key of WHIP Locations."""
        place, directory = self._workplace, self._config.server.state_dir
        return key.LocationKey(directory, None if place is None else place.key("locations"))

    def via(self) -> Via:
        """The name by which a request that comes back is known: one of all workers."""
        place = self._workplace
        return Via() if place is None else Via(b"naap-%b" % place.key("via").hex()[:16].encode())

    def _page_token_store(self, lasting: float) -> IPageTokenStore | None:
        if self.redis is None:
            return None if self._workplace is None else self._workplace.page_tokens(lasting)
        from ..auth.redis_page_tokens import RedisPageTokens

        return RedisPageTokens(self.redis, name=self._name, lasting=lasting, deny=self._denies)

    def _kept_revocations(self, lasting: float) -> SqlRevocations | None:
        if self._database is None:
            return None
        from ..auth.sql_revocations import SqlRevocations

        return SqlRevocations(self._database, self._reactor, lasting=lasting)

    def connect(self, authenticator: IAuthenticator | None) -> None:
        """Give an authenticator of ours the store that it shares with other processes.

        Sessions are remembered in Redis, where there is one; tokens of services are in the
        database.

        :raises ConfigError: there have to be tokens, and there is no database.
        """
        if isinstance(authenticator, TokenAuthenticator):
            authenticator.keep_in(self._tokens(), self._config.server.base_path)
        if self.redis is None or not isinstance(authenticator, SessionAuthenticator):
            return
        from ..auth.redis_sessions import RedisLoginSessions

        url = authenticator.url
        authenticator.share(RedisLoginSessions(self.redis, name=self._name, session_url=url))

    def _tokens(self) -> SqlTokenStore:
        if self._database is None:
            raise ConfigError("tokens: need state_dir or database_url to be kept in; set one")
        from ..auth.sql_tokens import SqlTokenStore

        return SqlTokenStore(self._database)

    def change_tokens(self, work: Callable[[SqlTokenStore], object]) -> None:
        """Do *work* on the tokens of services. As :meth:`rotate_keys` it is for a command.

        :raises ConfigError: there is no database, or it can't be opened.
        """
        store = self._tokens()
        assert self._database is not None
        self._database.open()
        try:
            work(store)
        finally:
            self._database.close()

    def limiter(self, policy: str, limit: RateLimit) -> IRateLimiter:
        """A rate limiter, shared through Redis where there is one; each *policy* counts apart."""
        return self._heirlooms.have(
            lambda: self._made_limiter(policy, limit),
            *("limiter", self._name, policy, limit, self.redis, self._denies),
        )

    def _made_limiter(self, policy: str, limit: RateLimit) -> IRateLimiter:
        if self.redis is None:
            if self._workplace is not None:
                return self._workplace.limiter(policy, limit)
            return MemoryRateLimiter(limit, self._reactor)
        from ..limits.redis import RedisRateLimiter

        return RedisRateLimiter(
            limit,
            self.redis,
            self._reactor,
            prefix=f"naap:{self._name}:{policy}:",
            deny=self._denies,
        )

    def policy(self, name: str, limit: RateLimit, of: str = "", *, users: bool = False) -> Policy:
        """A limit for the :class:`~naap_twisted.limits.door.Door`, which asks who the caller is.

        :param of: tells apart the routes that have a limit of the same *name*.
        :param users: whether callers whom nobody knows are exempt.
        """
        limiter = self.limiter(f"{name}{of}", limit)
        return Policy(name, limit, limiter, users_only=users)

    @property
    def public_routes(self) -> tuple[str, ...]:
        """Exact request paths that need no user; a visitor who wants to be a guest has none yet."""
        server = self._config.server
        own = () if self.guests is None else (server.base_path + guests.PATH,)
        return (*server.public_routes, *own)

    def add_routes(self, router: Klein, find: Find, cross_site: CrossSite) -> None:
        """Add ``/guest``, ``/keys``, ``/usage`` and ``/tokens`` where the server has them.

        :param find: tells of mounts, for which page tokens are made.
        :param cross_site: knows other sites' pages, which make no guests.
        """
        if self.guests is not None:
            desk = desk_of(self._config, self.guests, self.limiter, cross_site, self._reactor)
            add_guest_route(router, desk)
        if self.page_tokens is not None:
            add_token_routes(router, self.page_tokens, find)
        if self._keys is not None:
            add_key_routes(router, self._keys)
        self._router = router
        if self.usage is not None:
            self._add_usage_route()

    def purse(self, path: str, own: Sequence[Budget]) -> Purse:
        """The budgets of the route at *path*: its *own*, and the server's."""
        of_server = self._config.server.budget
        alert = None if self.alerts is None else self.alerts.tell
        purse = Purse.of_route(path, own, of_server, self.ledger, alert)
        self.purses[path] = purse
        if (own or of_server) and not self._has_usage_route:
            self._add_usage_route()
        return purse

    def _add_usage_route(self) -> None:
        self._has_usage_route = True
        add_usage_route(self._router, self.usage, self.purses)

    def probes(self) -> dict[str, Callable[[], Deferred[Any]]]:
        """A ping of each store on another machine or disk, by name; it fails without an answer."""
        pings: dict[str, Callable[[], Deferred[Any]]] = {}
        if self._database is not None:
            pings["database"] = self._database.ping
        if self.redis is not None:
            pings["redis"] = self.redis.ping
        return pings

    @property
    def watch(self) -> LedgerWatch | None:
        """Of the shared ledger; ``None`` where there is none, or nothing could be booked in it."""
        # Page tokens, and those of services, bring budgets of their own.
        own = self.page_tokens is not None or self._config.auth.mode == "tokens"
        spends = own or any(purse.has_budgets for purse in self.purses.values())
        return self._watch if spends else None

    @property
    def needs_redis(self) -> bool:
        """Whether requests are refused while Redis is gone."""
        return self.redis is not None and self._denies

    def check(self) -> None:
        """Check that ``state_dir`` can be used; this creates and opens nothing.

        :raises ConfigError: it can't be made or written, or other users can read it.
        """
        if self._config.server.state_dir:
            from ..storage import database

            names = (database.FILE_NAME, key.FILE_NAME, page_tokens.FILE_NAME, guests.FILE_NAME)
            database.check_directory(Path(self._config.server.state_dir), names)

    def open(self) -> None:
        """Open the database and begin to connect to Redis. It blocks: call it before requests come.

        :raises ConfigError: the database or a key file can't be opened, or users' keys
            are sealed with a master key that is not given.
        """
        if self._opened:
            return
        if self.page_tokens is not None:
            self.page_tokens.open()
        if self.guests is not None:
            self.guests.open()
        if self._database is not None:
            self._database.open()
            try:
                if self._sealed is not None:
                    self._sealed.check_master_key()
            except ConfigError:
                self._close_own(self._database)
                raise
        # What the server before has, too, is started.
        if self.redis is not None and not self._heirlooms.shares(self.redis):
            self.redis.start()
        if self.page_tokens is not None and not self._heirlooms.shares(self.page_tokens):
            self.page_tokens.start()
        self.secret_files.start()
        if self.alerts is not None and not self._heirlooms.shares(self.alerts):
            self.alerts.start()
        self._opened = True

    def rotate_keys(self) -> int:
        """Seal every user's key with the first master key, and return how many there are.

        It blocks, and opens the database by itself: it is for a command, not for a server.

        :raises ConfigError: the server keeps no keys, or one of them does not open; nothing is
            changed then.
        """
        if self._sealed is None or self._database is None:
            raise ConfigError("keys.master_key: is not set; there is nothing to rotate")
        self._database.open()
        try:
            return self._sealed.rotate()
        finally:
            self._database.close()

    async def close(self) -> None:
        """Write what is left of usage, and close the stores. They can be opened again.

        What the server before or after this one has, too, stays open.
        """
        if not self._opened:
            return
        self._opened = False
        self.secret_files.stop()
        shares = self._heirlooms.shares
        if self.alerts is not None and not shares(self.alerts):
            self.alerts.stop()
        if self.page_tokens is not None and not shares(self.page_tokens):
            self.page_tokens.stop()
        if self.usage is not None and not shares(self.usage):
            await self.usage.stop()
        if self._database is not None:
            self._close_own(self._database)
        if self.redis is not None and not shares(self.redis):
            await self.redis.stop()

    def _close_own(self, database: Database) -> None:
        if not self._heirlooms.shares(database):
            database.close()
