"""Double-submit CSRF tokens: a page that can read our cookie is a page of ours. Pure.

A browser adds cookies to other sites' requests as well, but lets no other site read them; the
seed's frontend therefore repeats the cookie's value in a header (its ``getCsrfToken()``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from ..errors import CsrfFailed
from .cookies import plain

#: Methods that change nothing (RFC 9110 section 9.2.1); TRACE is never served.
SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))


def check_csrf(method: bytes, sent: Sequence[bytes], cookies: Sequence[bytes]) -> None:
    """Let a cookie-authenticated request pass, or raise.

    :param sent: the values of X-CSRF-Token.
    :param cookies: the values of the CSRF cookie.
    :raises CsrfFailed: an unsafe method, and not one header equal to one cookie. A repeated cookie
        is refused: a sibling domain can add one of its own, but not take ours away.
    """
    if method in SAFE_METHODS:
        return
    if len(sent) != 1 or len(cookies) != 1:
        raise CsrfFailed(reason=f"{len(sent)} CSRF headers, {len(cookies)} CSRF cookies")
    header, cookie = sent[0].strip(b" \t"), cookies[0]
    # Pages read the cookie with or without undoing its percent-encoding.
    same = hmac.compare_digest(header, cookie) | hmac.compare_digest(header, plain(cookie))
    if not header or not same:
        raise CsrfFailed(reason="the CSRF header is not the cookie")
