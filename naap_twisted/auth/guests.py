"""Guests: visitors who do not sign in, each known again by a signed cookie or token.

``naap_g1.<payload>.<MAC>``: a :class:`~naap_twisted.auth.signed_text.SignedText` with an id that
this server drew by lot. Nothing is kept of a guest: what a cookie says is what there is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from attrs import frozen
from twisted.logger import Logger
from twisted.web.server import Request

from ..errors import CsrfFailed, InvalidToken
from ..model import RateLimit, User
from ..secret import Secret
from ..storage.key_file import KEY_SIZE, own_key
from .app_check import JWKS_URL
from .cookies import set_cookie, values_of
from .credentials import CSRF_COOKIE, CredentialReader, bearer_token
from .csrf import SAFE_METHODS
from .signed_text import SignedText, signing_keys

FILE_NAME = "guests.key"
#: Where a visitor becomes a guest, below the base path.
PATH = "/guest"
COOKIE = "naap_guest"
_VERSION = b"naap_g1."
_CSRF = b"guest-csrf"
_ID_BYTES = 12
_PER_ADDRESS, _PER_PREFIX = RateLimit(20, 3600.0), RateLimit(60, 3600.0)
# Cookies that browsers take over TLS only say so in their names (RFC 6265bis section 4.1.3).
_SECURE_NAMES = ("__host-", "__secure-")


@frozen
class GuestOptions:
    """The option ``guest``.

    :ivar ttl: seconds that a cookie or token is good for; it is renewed at each call of the route.
    :ivar cookie: its name.
    :ivar same_site: ``"lax"``, ``"strict"`` or ``"none"``.
    :ivar keys: one or more, with commas: the first signs, each of them verifies; ``None``: a key
        of the server's own.
    :ivar per_address: how many new guests one address may have; *per_prefix*: one /64 of IPv6.
    :ivar verify_url: whom a challenge's answer is shown to; *verify_secret* is ours there.
    :ivar verify_hostnames: on which pages the challenge may have been; empty: on any.
    :ivar verify_action: what the page called the challenge; ``""``: whatever.
    :ivar app_check: the number of a Firebase project whose apps' tokens count.
    :ivar app_check_keys: the URL of their key set.
    """

    ttl: float = 30 * 86_400.0
    cookie: str = COOKIE
    same_site: str = "lax"
    keys: Secret | None = None
    per_address: RateLimit = _PER_ADDRESS
    per_prefix: RateLimit = _PER_PREFIX
    verify_url: str = ""
    verify_secret: Secret | None = None
    verify_hostnames: tuple[str, ...] = ()
    verify_action: str = ""
    app_check: str = ""
    app_check_keys: str = JWKS_URL


@frozen
class GuestPass:
    """What a guest gets.

    :ivar token: good in the cookie and in Authorization.
    :ivar expires_at: seconds since 1970.
    :ivar csrf: what X-CSRF-Token has to repeat where the cookie tells who asks.
    """

    token: str
    expires_at: int
    csrf: str


class Guests:
    """Makes guests and knows them again: the authenticator of ``mode = "guest"``.

    :param server: the server's name, for which its guests are.
    :param csrf_cookie: the name of the cookie that X-CSRF-Token must repeat.
    :param state_dir: has the key where the options have none; ``""``: *process_key* is it, which
        outlives a reload and not the process.
    :param now: seconds since 1970.
    :raises ConfigError: the two cookies have one name, or one that no cookie can have.
    """

    description = "guest"
    _log = Logger()

    def __init__(
        self,
        options: GuestOptions,
        *,
        server: str,
        csrf_cookie: str = CSRF_COOKIE,
        state_dir: str = "",
        process_key: bytes = b"",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._server = server
        self._csrf_cookie = csrf_cookie
        self._state_dir = state_dir
        self._process_key = process_key or secrets.token_bytes(KEY_SIZE)
        self._now = now
        self._reader = CredentialReader(options.cookie, csrf_cookie)
        self._text: SignedText | None = None

    def open(self) -> SignedText:
        """The signer, whose key is read or made at the first call.

        :raises ConfigError: the key's file can't be used, or other users can open it.
        """
        if self._text is None:
            given = self._options.keys
            keys = (self._own_key(),) if given is None else signing_keys(given)
            self._text = SignedText(_VERSION, "a guest's token", keys)
        return self._text

    def _own_key(self) -> bytes:
        if not self._state_dir:
            self._log.info(
                "Neither guest.keys nor state_dir: guests are known until this process ends, and"
                " to no other"
            )
        return own_key(self._state_dir, FILE_NAME, self._process_key)

    def authenticate(self, request: Request) -> User | None:
        """The guest whose token or cookie the request has.

        :raises InvalidToken: it is none of this server's, or has expired.
        :raises CsrfFailed: it is a cookie, and the CSRF token is missing or another guest's.
        """
        token = self._reader.read(request)
        if token is None:
            return None
        guest = self._guest_of(token)
        headers = request.requestHeaders
        if request.method not in SAFE_METHODS and not headers.hasHeader(b"authorization"):
            # The reader has compared header and cookie; a sibling domain can plant a pair of those.
            shown = headers.getRawHeaders(b"x-csrf-token", [b""])[0].strip(b" \t")
            if not self.open().has_mark(shown, _CSRF, guest.id.encode()):
                raise CsrfFailed(reason="the CSRF token is not this guest's")
        return guest

    def again(self, request: Request) -> User | None:
        """The guest who asks to be one, without a CSRF token: nothing is done in its name.

        ``None`` where there is no token or cookie that is good.

        :raises InvalidToken: there are two; one may be a sibling domain's, and would stay.
        """
        headers = request.requestHeaders
        shown = headers.getRawHeaders(b"authorization")
        if shown:
            tokens = [bearer_token(shown)]
        else:
            lines = headers.getRawHeaders(b"cookie", ())
            tokens = values_of(lines, self._options.cookie.encode("ascii"))
        if len(tokens) > 1:
            raise InvalidToken(reason="the guest cookie is repeated")
        try:
            return self._guest_of(tokens[0]) if tokens else None
        except InvalidToken:
            return None

    def _guest_of(self, token: bytes) -> User:
        text = self.open()
        members = text.read(token)
        server, sub = members.get("srv"), members.get("sub")
        began, ends = members.get("iat"), members.get("exp")
        if not (isinstance(sub, str) and isinstance(began, int) and isinstance(ends, int)):
            raise text.senseless()
        if server != self._server:
            raise InvalidToken(reason="a guest's token of a server of another name")
        # A ttl that is shorter by now holds for what was given out before, too.
        if self._now() >= min(ends, began + self._options.ttl):
            raise InvalidToken("The token has expired", reason="a guest's token has expired")
        return User(f"guest:{sub}", guest=True)

    def new(self) -> User:
        """A guest whom nobody has seen before."""
        return User(f"guest:{secrets.token_urlsafe(_ID_BYTES)}", guest=True)

    def admit(self, guest: User) -> GuestPass:
        """The pass of *guest*, good from now on."""
        text, now = self.open(), int(self._now())
        ends = now + int(self._options.ttl)
        sub = guest.id.removeprefix("guest:")
        token = text.write({"srv": self._server, "sub": sub, "iat": now, "exp": ends})
        return GuestPass(token, ends, text.mark(_CSRF, guest.id.encode()).decode("ascii"))

    def cookies(self, given: GuestPass, *, secure: bool) -> list[bytes]:
        """The Set-Cookie lines of a pass: the guest's, and the one that the page may read.

        :param secure: the caller speaks TLS.
        """
        options = self._options
        names = (options.cookie, self._csrf_cookie)
        secure = secure or options.same_site == "none"
        return [
            set_cookie(
                name,
                value,
                seconds=int(options.ttl),
                same_site=options.same_site.capitalize(),
                secure=secure or name.lower().startswith(_SECURE_NAMES),
                readable=name == self._csrf_cookie,
            )
            for name, value in zip(names, (given.token, given.csrf), strict=True)
        ]
