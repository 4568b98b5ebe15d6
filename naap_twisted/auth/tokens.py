"""Tokens for services: made by a command, kept hashed in the database, ended without a restart."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..errors import Forbidden, InvalidToken, Unavailable
from ..model import PageBudget, User
from .cache import TtlCache
from .credentials import CredentialReader
from .single_flight import SingleFlight

#: Seconds that an answer of the database is believed: a revocation is felt no later.
KEPT_FOR = 5.0
_USED_EVERY = 60.0
_MOST_TOKENS = 10_000
_MOST_UNKNOWN = 1_000
_MOST_CALLS = 200
_FORM = re.compile(r"naap_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NO_HASH = bytes(32).hex()


def digest_of(secret: str) -> str:
    """What is kept of a token's secret.

    A plain hash is right: nobody guesses 256 random bits, however fast the hash is. It is of the
    text, so that no second spelling of the same bits is the same secret.
    """
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


@frozen
class ServiceToken:
    """A token, without its secret. Times are whole seconds since 1970.

    :ivar id: names the token; it is no secret, and is all that a look-up goes by.
    :ivar name: the service's; two tokens may have one, while the second takes over.
    :ivar routes: paths of mounts below the base path; ``None``: every one.
    :ivar used_at: to the minute; ``None``: never.
    :ivar budget: what the service may spend, under its name: a second token of the name shares it.
    """

    id: str
    name: str
    digest: str
    routes: tuple[str, ...] | None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    used_at: int | None = None
    budget: tuple[PageBudget, ...] = ()

    @property
    def user(self) -> User:
        """Whom the token's bearer is: no user of another mode has an id of this form."""
        return User(f"token:{self.name}", budget=self.budget)

    def ended(self, now: float) -> str:
        """Why the token does not count any more at *now*; ``""``: it does."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else ""


def new_token(
    name: str,
    routes: tuple[str, ...] | None,
    expires_at: int | None,
    now: float,
    budget: tuple[PageBudget, ...] = (),
) -> tuple[ServiceToken, str]:
    """A token, and the only copy of its text."""
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    made = token_id, name, digest_of(secret), routes, int(now), expires_at
    token = ServiceToken(*made, budget=budget)
    return token, f"naap_{token_id}_{secret}"


class ITokenStore(Protocol):
    """Where tokens are kept. A Deferred may fail with errors.Unavailable."""

    def find(self, token_id: str) -> Deferred[ServiceToken | None]:
        """The token of this id, ended or not."""

    def used(self, token_id: str, now: int) -> Deferred[None]:
        """Note that the token was used."""


class TokenAuthenticator:
    """Knows services by the tokens that ``naap-proxy token new`` made.

    Tokens stand in headers only: a service has no cookies. The server that is given this gives it
    its database.

    :param now: seconds since 1970; tokens expire by it.
    :param clock: seconds of a clock that is never set; answers are kept by it.
    """

    description = "tokens"

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._clock = clock
        self._reader = CredentialReader("", "")
        self._store: ITokenStore | None = None
        self._base_path = ""
        self._known: TtlCache[ServiceToken] = TtlCache(_MOST_TOKENS)
        # In a table of their own: made-up ids push no token out.
        self._unknown: TtlCache[bool] = TtlCache(_MOST_UNKNOWN)
        self._noted: TtlCache[bool] = TtlCache(_MOST_TOKENS)
        self._calls: SingleFlight[ServiceToken | None] = SingleFlight(_MOST_CALLS)

    def keep_in(self, store: ITokenStore, base_path: str) -> None:
        """Find tokens in *store*; their routes are below *base_path*."""
        self._store = store
        self._base_path = base_path

    def authenticate(self, request: Request) -> User | Deferred[User] | None:
        """The token's user, at once where the database has been asked a moment ago.

        :raises InvalidToken: there is no such token, or it has ended.
        :raises Forbidden: the token is not for this route.
        :raises Unavailable: the database can't be asked now.
        """
        written = self._reader.read(request)
        if written is None:
            return None
        form = _FORM.fullmatch(written.decode("latin-1"))
        if form is None:
            raise InvalidToken(reason="not of the form of a service's token")
        key, now = form[1].encode(), self._clock()
        route = str(getattr(getattr(request, "record", None), "route", ""))
        token = self._known.get(key, now)
        if token is not None or self._unknown.get(key, now):
            return self._judged(token, form[2], route)
        asked = self._calls.ask(key, lambda: self._look_up(form[1]))
        return asked.addCallback(self._judged, form[2], route)

    async def _look_up(self, token_id: str) -> ServiceToken | None:
        if self._store is None:
            raise Unavailable(reason="no server has given the authenticator its database")
        # An answer is as old as its question.
        until = self._clock() + KEPT_FOR
        token = await self._store.find(token_id)
        if token is None:
            self._unknown.put(token_id.encode(), True, until)
        else:
            self._known.put(token_id.encode(), token, until)
        return token

    def _judged(self, token: ServiceToken | None, secret: str, route: str) -> User:
        # An unknown id is compared, too: time does not tell it from a wrong secret.
        known = _NO_HASH if token is None else token.digest
        if not hmac.compare_digest(known, digest_of(secret)) or token is None:
            raise InvalidToken(reason="no service has this token")
        ended = token.ended(self._now())
        if ended:
            raise InvalidToken(reason=f"token {token.id} of {token.name} is {ended}")
        if token.routes is not None and route not in self._opened(token.routes):
            raise Forbidden(reason=f"token {token.id} of {token.name} is not for this route")
        self._note(token)
        return token.user

    def _opened(self, routes: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self._base_path + path for path in routes)

    def _note(self, token: ServiceToken) -> None:
        key, now = token.id.encode(), self._clock()
        if self._store is None or self._noted.get(key, now):
            return
        self._noted.put(key, True, now + _USED_EVERY)
        # The date helps an owner who tidies up; no request waits for it or fails by it.
        self._store.used(token.id, int(self._now())).addErrback(lambda _: None)
