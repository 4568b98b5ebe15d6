"""A caller's token, as a request carries it: in Authorization, or in the session cookie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from ..errors import ConfigError, InvalidToken
from ..headers import is_token
from ..model import TokenPlace
from .cookies import OCTETS, percent_decoded, values_of
from .csrf import check_csrf

#: Bytes that a caller's token may have.
MAX_TOKEN = 8 * 1024
SESSION_COOKIE = "naap_auth_token"
CSRF_COOKIE = "naap_csrf_token"
# What stands between the words of an Authorization: no token has any of it.
_WORDS = re.compile(rb"[\s,]+")


class CredentialReader:
    """Finds a caller's token in a request.

    Where there is an Authorization header, the cookies do not matter. A cookie's token needs the
    CSRF token beside it, because a browser adds cookies to other sites' requests, too.

    :param session_cookie: the cookie's name; with ``""`` only Authorization holds a token.
    :param csrf_cookie: the name of the CSRF cookie.
    :raises ConfigError: no cookie can have the name (RFC 6265 section 4.1.1), or both have one.
    """

    def __init__(
        self, session_cookie: str = SESSION_COOKIE, csrf_cookie: str = CSRF_COOKIE
    ) -> None:
        for name in filter(None, (session_cookie, csrf_cookie)):
            if not is_token(name):
                raise ConfigError(f"session_cookie: {name!r} is not a cookie's name")
        if session_cookie and (not csrf_cookie or csrf_cookie == session_cookie):
            raise ConfigError(
                "session_cookie: the session cookie and the CSRF cookie need a name each"
            )
        self._session = session_cookie.encode("ascii")
        self._csrf = csrf_cookie.encode("ascii")

    def read(self, request: Request) -> bytes | None:
        """The token, or ``None`` without credentials.

        :raises InvalidToken: Authorization has another scheme, the header or the cookie is
            repeated, or the token is over 8 kB or holds a character that no token has.
        :raises CsrfFailed: a cookie comes with an unsafe method and no matching X-CSRF-Token.
        """
        headers = request.requestHeaders
        authorization = headers.getRawHeaders(b"authorization", ())
        if authorization:
            return _checked(bearer_token(authorization))
        lines = headers.getRawHeaders(b"cookie", ()) if self._session else ()
        cookies = values_of(lines, self._session) if lines else ()
        if not cookies:
            return None
        if len(cookies) > 1:
            raise InvalidToken(reason="the session cookie is repeated")
        sent = headers.getRawHeaders(b"x-csrf-token", ())
        check_csrf(request.method, sent, values_of(lines, self._csrf))
        return _checked(percent_decoded(cookies[0]))


@contextmanager
def presented(headers: Headers, place: TokenPlace) -> Iterator[None]:
    """The token at *place* stands where every authenticator looks for one: in Authorization.

    Afterwards the header is as it came, for a route may pass it on: an upstream must not get a
    caller's token in a field in which nobody sent it.
    """
    came = headers.getRawHeaders(b"authorization")
    present_token(headers, place)
    try:
        yield
    finally:
        if came is None:
            headers.removeHeader(b"authorization")
        else:
            headers.setRawHeaders(b"authorization", came)


def present_token(headers: Headers, place: TokenPlace) -> None:
    """A token in Authorization counts before any other; its scheme becomes Bearer."""
    values = headers.getRawHeaders(b"authorization")
    if values:
        scheme, _, token = values[0].strip(b" \t").partition(b" ")
        if len(values) == 1 and scheme.lower() == place.scheme:
            headers.setRawHeaders(b"authorization", [b"Bearer " + token.strip(b" ")])
        return
    for name in place.headers:
        tokens = headers.getRawHeaders(name)
        if tokens:
            # Each stays: the reader refuses a token that is repeated.
            headers.setRawHeaders(b"authorization", [b"Bearer " + token for token in tokens])
            return


def present_before_users(headers: Headers, place: TokenPlace) -> list[bytes]:
    """As :func:`present_token`, where Authorization may be of a user of the upstream.

    :returns: the values of Authorization that the upstream may get, once the caller is known: none
        where it holds the caller's token, as a client has it whose user did not sign in.
    """
    values = list(headers.getRawHeaders(b"authorization", ()))
    tokens = {token for name in place.headers for token in headers.getRawHeaders(name, ())}
    if not tokens:
        return []
    headers.removeHeader(b"authorization")
    present_token(headers, place)
    return [value for value in values if tokens.isdisjoint(_WORDS.split(value))]


def bearer_token(values: Sequence[bytes]) -> bytes:
    """The token in the *values* of Authorization (RFC 6750 section 2.1).

    >>> bearer_token([b"Bearer abc"])
    b'abc'

    :raises InvalidToken: the header is repeated, or its scheme is another.
    """
    scheme, _, token = values[0].strip(b" \t").partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer":
        raise InvalidToken(reason="not one bearer token")
    return token.strip(b" ")


def _checked(token: bytes) -> bytes:
    if len(token) > MAX_TOKEN:
        raise InvalidToken(reason=f"a token over {MAX_TOKEN} bytes")
    if OCTETS.fullmatch(token) is None:
        raise InvalidToken(reason="empty, or characters that no token has")
    return token
