"""Double-submit CSRF tokens: a page that can read this site's cookie is of this site. Pure.

A browser adds cookies to requests that other sites' pages make, but lets no such page read them.
The seed's frontend therefore repeats the cookie's value in a header (its ``getCsrfToken()``).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from ..errors import CsrfFailed
from .cookies import percent_decoded

#: Methods that change nothing (RFC 9110 section 9.2.1); this server never serves TRACE.
SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))


def check_csrf(method: bytes, sent: Sequence[bytes], cookies: Sequence[bytes]) -> None:
    """Let a cookie-authenticated request pass, or raise.

    :param sent: the values of X-CSRF-Token.
    :param cookies: the values of the CSRF cookie.
    :raises CsrfFailed: the method is unsafe, and there is not exactly one header that equals
        exactly one cookie. A sibling domain can add a cookie of this name, but can't remove this
        site's, so a repeated cookie is refused.
    """
    if method in SAFE_METHODS:
        return
    if len(sent) != 1 or len(cookies) != 1:
        raise CsrfFailed(reason=f"{len(sent)} CSRF headers, {len(cookies)} CSRF cookies")
    header, cookie = sent[0].strip(b" \t"), cookies[0]
    # Some pages undo the cookie's percent-encoding and some do not.
    equal = hmac.compare_digest(header, cookie)
    equal |= hmac.compare_digest(header, percent_decoded(cookie))
    if not header or not equal:
        raise CsrfFailed(reason="the CSRF header is not the cookie")
