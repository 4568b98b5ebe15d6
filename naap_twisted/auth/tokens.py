"""Where a caller's token stands: in Authorization, or in the session cookie."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.web.server import Request

from ..errors import InvalidToken
from ..headers import is_token
from .cookies import OCTETS, plain, values_of
from .csrf import check_csrf

#: Bytes of one token.
MAX_TOKEN = 8 * 1024
SESSION_COOKIE = "naap_auth_token"
CSRF_COOKIE = "naap_csrf_token"


class TokenReader:
    """Takes the one token out of a request.

    A request with an Authorization header is judged by that alone. A token from the cookie needs
    the CSRF token beside it, because a browser sends cookies by itself.

    :param session_cookie: its name, compared exactly; ``""`` where only Authorization counts.
    :param csrf_cookie: its name.
    :raises ValueError: a name that no cookie can have (RFC 6265 section 4.1.1).
    """

    def __init__(
        self, session_cookie: str = SESSION_COOKIE, csrf_cookie: str = CSRF_COOKIE
    ) -> None:
        for name in filter(None, (session_cookie, csrf_cookie)):
            if not is_token(name):
                raise ValueError(f"{name!r} is not a cookie's name")
        if session_cookie and (not csrf_cookie or csrf_cookie == session_cookie):
            raise ValueError("the session cookie and the CSRF cookie need a name each")
        self._session = session_cookie.encode("ascii")
        self._csrf = csrf_cookie.encode("ascii")

    def read(self, request: Request) -> bytes | None:
        """The token, or ``None`` without credentials.

        :raises InvalidToken: another scheme, a repeated header or cookie, over 8 KB, or characters
            that no token has.
        :raises CsrfFailed: a cookie, an unsafe method, and no matching X-CSRF-Token.
        """
        headers = request.requestHeaders
        authorization = headers.getRawHeaders(b"authorization", ())
        if authorization:
            return _bearer(authorization)
        lines = headers.getRawHeaders(b"cookie", ()) if self._session else ()
        cookies = values_of(lines, self._session) if lines else ()
        if not cookies:
            return None
        if len(cookies) > 1:
            raise InvalidToken(reason="the session cookie is repeated")
        sent = headers.getRawHeaders(b"x-csrf-token", ())
        check_csrf(request.method, sent, values_of(lines, self._csrf))
        return _checked(plain(cookies[0]))


def _bearer(values: Sequence[bytes]) -> bytes:
    scheme, _, token = values[0].strip(b" \t").partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer":
        raise InvalidToken(reason="not one bearer token")
    return _checked(token.strip(b" "))


def _checked(token: bytes) -> bytes:
    if len(token) > MAX_TOKEN:
        raise InvalidToken(reason=f"a token over {MAX_TOKEN} bytes")
    if OCTETS.fullmatch(token) is None:
        raise InvalidToken(reason="empty, or characters that no token has")
    return token
