"""Sessions: a token is somebody's if the session service says so (the seed's auth service)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.web.iweb import IAgent
from twisted.web.server import Request

from ..errors import ConfigError, InvalidToken, Unavailable
from ..interfaces import ISessionStore
from ..model import User
from .cache import TtlCache
from .fetch import TIMEOUT, Fetch, FetchFailed, RequestHeaders, check_url
from .shared import SharedCalls
from .strict_json import read_object
from .tokens import CSRF_COOKIE, SESSION_COOKIE, TokenReader
from .users import user_of

#: Seconds that a refusal is remembered; short, so that a session that begins is soon seen.
REFUSED_FOR = 2.0
_MOST_USERS = 10_000
_MOST_REFUSED = 1_000
_MOST_CALLS = 200
_DOWN = "Authentication is not available at the moment"


class SessionAuthenticator:
    """A bearer token or the session cookie, validated by ``GET session_url``.

    The token is sent as ``Authorization: Bearer``. What the service says is kept under the token's
    SHA-256 digest for *cache_ttl* seconds, counted from when it was asked: a session that ends is
    noticed no later. Refusals are kept for :data:`REFUSED_FOR` seconds in a table of their own, so
    that made-up tokens push no real one out. What could not be told is never kept.
    Users, and never refusals, are also kept in a store that other processes share, if there is one.

    :param session_url: http or https.
    :param cache_ttl: seconds.
    :param timeout: seconds for one call, all of it.
    :param session_cookie: its name; ``""`` where only Authorization counts.
    :param csrf_cookie: the name of the cookie that X-CSRF-Token must repeat.
    :param ca_file: PEM file of further trust anchors towards the service.
    :param agent: another way to the service, for tests.
    :param now: seconds on a clock that never goes back.
    :ivar url: *session_url*.
    :raises ConfigError: naming every option that can't be.
    """

    description = "session"

    def __init__(
        self,
        session_url: str,
        *,
        cache_ttl: float = 60.0,
        timeout: float = TIMEOUT,
        session_cookie: str = SESSION_COOKIE,
        csrf_cookie: str = CSRF_COOKIE,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        try:
            check_url(session_url, cleartext=True)
        except ValueError as error:
            raise ConfigError(f"session_url: {error}") from None
        try:
            self._reader = TokenReader(session_cookie, csrf_cookie)
        except ValueError as error:
            raise ConfigError(f"session_cookie: {error}") from None
        if reactor is None:
            from twisted.internet import reactor
        self.url = session_url
        self._ttl = cache_ttl
        self._now = now
        self._fetch = Fetch(reactor, timeout=timeout, ca_file=ca_file, agent=agent)
        self._users: TtlCache[User] = TtlCache(_MOST_USERS)
        self._refused: TtlCache[bool] = TtlCache(_MOST_REFUSED)
        self._calls: SharedCalls[User] = SharedCalls(_MOST_CALLS)
        self._shared: ISessionStore | None = None

    def share(self, store: ISessionStore) -> None:
        """Remember sessions together with whoever else uses *store*."""
        self._shared = store

    def authenticate(self, request: Request) -> User | Deferred[User] | None:
        """The session's user: at once if it is remembered.

        :raises InvalidToken: no such session.
        :raises CsrfFailed: a cookie session without its CSRF token.
        :raises Unavailable: the service can't be asked now.
        """
        token = self._reader.read(request)
        if token is None:
            return None
        digest = hashlib.sha256(token).digest()
        now = self._now()
        user = self._users.get(digest, now)
        if user is not None:
            return user
        if self._refused.get(digest, now):
            raise InvalidToken(reason="the session service refused this token a moment ago")
        return self._calls.ask(digest, lambda: self._look_up(token, digest))

    async def _look_up(self, token: bytes, digest: bytes) -> User:
        user: User | None
        asked = self._now()
        found = None if self._shared is None else await self._shared.get(digest)
        if found is not None:
            user, left = found
            # Who kept it counted from the question: seconds left end no later than there.
            self._users.put(digest, user, asked + min(left, self._ttl))
            return user
        asked = self._now()
        user = await self._ask(token)
        if user is None:
            self._refused.put(digest, True, asked + min(self._ttl, REFUSED_FOR))
            raise InvalidToken(reason="the session service knows no user by this token")
        self._users.put(digest, user, asked + self._ttl)
        if self._shared is not None:
            ensureDeferred(self._shared.put(digest, user, asked + self._ttl - self._now()))
        return user

    async def _ask(self, token: bytes) -> User | None:
        headers: RequestHeaders = {
            "Authorization": b"Bearer " + token,
            "Accept": "application/json",
        }
        try:
            status, body = await self._fetch.get(self.url, headers)
        except FetchFailed as error:
            raise Unavailable(_DOWN, reason=f"session service: {error}") from None
        if status in (401, 403):
            return None
        if status != 200:
            raise Unavailable(_DOWN, reason=f"session service: answered {status}")
        try:
            return user_in(read_object(body))
        except ValueError as error:
            raise Unavailable(_DOWN, reason=f"session service: its answer: {error}") from None


def user_in(document: dict[str, Any]) -> User | None:
    """The user of a session service's answer, or ``None`` where it says that there is none.

    Three shapes: ``{"success": true, "data": {"user": {...}}}``, ``{"user": {...}}`` and
    ``{"id": ...}``.

    :raises ValueError: there is a user without a proper id.
    """
    if document.get("success", True) is not True:
        return None
    data = document.get("data") if "success" in document else document
    found = data.get("user", data) if isinstance(data, dict) else None
    # Services that answer 200 to strangers say {} or {"user": null}.
    return user_of(found, "id") if isinstance(found, dict) and found else None
