"""Login sessions: the session service says whose a token is (the seed's auth service)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.web.iweb import IAgent
from twisted.web.server import Request

from ..errors import InvalidToken, Unavailable, naming_option
from ..interfaces import ISessionStore
from ..model import User
from .cache import TtlCache
from .credentials import CSRF_COOKIE, SESSION_COOKIE, CredentialReader
from .fetch import DOWN, TIMEOUT, Fetch, FetchFailed, RequestHeaders, check_url
from .single_flight import SingleFlight
from .strict_json import read_object
from .users import user_of

#: Seconds that a refusal is remembered; few, so that a session that begins works soon.
REFUSED_FOR = 2.0
_MOST_USERS = 10_000
_MOST_REFUSED = 1_000
_MOST_CALLS = 200


class SessionAuthenticator:
    """Validates a bearer token or the session cookie by ``GET session_url``.

    The token goes out as ``Authorization: Bearer``. The answer is kept under the token's SHA-256
    digest for *cache_ttl* seconds from when the service was asked, so that the end of a session is
    noticed no later. A refusal is kept for :data:`REFUSED_FOR` seconds in a cache of its own, so
    that made-up tokens push no user out. A failed call is not kept. Users, and never refusals, are
    also kept in the store that other processes share, where there is one.

    :param session_url: http or https.
    :param cache_ttl: seconds.
    :param timeout: seconds for the whole of one call.
    :param session_cookie: the cookie's name; with ``""`` only Authorization holds a token.
    :param csrf_cookie: the name of the cookie that X-CSRF-Token must repeat.
    :param ca_file: PEM file of further trust anchors towards the service.
    :param agent: takes the place of Twisted's, for tests.
    :param now: seconds on a monotonic clock.
    :ivar url: *session_url*.
    :raises ConfigError: the URL is none, or the names can't be those of two cookies.
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
        with naming_option("session_url"):
            check_url(session_url, cleartext=True)
        self.url = session_url
        self._reader = CredentialReader(session_cookie, csrf_cookie)
        self._ttl = cache_ttl
        self._now = now
        self._fetch = Fetch(reactor, timeout=timeout, ca_file=ca_file, agent=agent)
        self._users: TtlCache[User] = TtlCache(_MOST_USERS)
        self._refused: TtlCache[bool] = TtlCache(_MOST_REFUSED)
        self._calls: SingleFlight[User] = SingleFlight(_MOST_CALLS)
        self._shared: ISessionStore | None = None

    def share(self, store: ISessionStore) -> None:
        """Remember sessions together with the other processes that use *store*."""
        self._shared = store

    def authenticate(self, request: Request) -> User | Deferred[User] | None:
        """The session's user, at once where the session is remembered.

        :raises InvalidToken: there is no such session.
        :raises CsrfFailed: the token is a cookie's, and its CSRF token is missing.
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
        asked = self._now()
        entry = None if self._shared is None else await self._shared.get(digest)
        if entry is not None:
            known: User = entry[0]
            left: float = entry[1]
            # The entry ends when it ends for the process that made it, and not later here.
            self._users.put(digest, known, asked + min(left, self._ttl))
            return known
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
        accept = "application/json"
        headers: RequestHeaders = {"Authorization": b"Bearer " + token, "Accept": accept}
        try:
            status, body = await self._fetch.get(self.url, headers)
        except FetchFailed as error:
            raise Unavailable(DOWN, reason=f"session service: {error}") from None
        if status in (401, 403):
            return None
        if status != 200:
            raise Unavailable(DOWN, reason=f"session service: answered {status}")
        try:
            return user_in(read_object(body))
        except ValueError as error:
            raise Unavailable(DOWN, reason=f"session service: its answer: {error}") from None


def user_in(document: dict[str, Any]) -> User | None:
    """The user in a session service's answer, or ``None`` where the answer names none.

    The answer has the seed's shape ``{"success": true, "data": {"user": {...}}}``, or is
    ``{"user": {...}}`` or ``{"id": ...}``.

    >>> user_in({"success": True, "data": {"user": {"id": 7, "roles": ["admin"]}}})
    User(id='7', email=None, roles=('admin',))

    :raises ValueError: the user has no valid id.
    """
    if document.get("success", True) is not True:
        return None
    data = document.get("data") if "success" in document else document
    fields = data.get("user", data) if isinstance(data, dict) else None
    # A service that answers 200 to a stranger says {} or {"user": null}.
    return user_of(fields, "id") if isinstance(fields, dict) and fields else None
