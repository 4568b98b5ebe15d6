"""Packs a WebRTC session's upstream URL into a token for one user on one route. Pure.

The server keeps no table of sessions: the token holds the URL, its expiry and a MAC over both, the
user and the route. The token is no secret (X-WHIP-Resource has the same URL in clear), but nobody
can make or change one without the server's key. It does not hold the user: whoever presents it has
to be that user for the MAC to match.
"""

from __future__ import annotations

import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..policy.target import MAX_URL

_VERSION = 1
_HEAD = struct.Struct(">BQ")
_MAC_SIZE = 32
_PURPOSE = b"naap-proxy location"
_SHORTEST = len(b"http://a/") + _HEAD.size + _MAC_SIZE
_LONGEST = MAX_URL + _HEAD.size + _MAC_SIZE
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{%d,%d}" % (_SHORTEST * 4 // 3, -(-_LONGEST * 4 // 3)))


class BadToken(Exception):
    """The bytes are no token of this server for this user and route, or the token has expired.

    The text is the reason, for the log; it holds no byte of the token.
    """


def sign(key: bytes, url: bytes, *, user: str | None, route: str, expires: int) -> bytes:
    """The token of *url*: base64url without padding.

    :param key: 32 bytes.
    :param url: at most :data:`~naap_twisted.policy.target.MAX_URL` bytes.
    :param user: the id of the user that it is for; ``None`` where the request has no user.
    :param route: the mount's full path.
    :param expires: seconds since 1970.
    :raises ValueError: the URL is too long.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"longer than {MAX_URL} bytes")
    signed = _HEAD.pack(_VERSION, expires) + url
    return _encoded(signed + _mac(key, signed, user, route))


def verify(key: bytes, token: bytes, *, user: str | None, route: str, now: float) -> bytes:
    """The URL in *token*.

    :param user: the id of the user that presents it, or ``None``, as for :func:`sign`.
    :param route: the mount's full path.
    :param now: seconds since 1970.
    :raises BadToken: it was altered, is for another user or route, or has expired.
    """
    if not _TOKEN.fullmatch(token):
        raise BadToken("not a token")
    try:
        raw = urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    except ValueError:
        raise BadToken("not a token") from None
    signed, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
    # Decoding drops bits of the last character, so several spellings decode alike: one is valid.
    if _encoded(raw) != token or not hmac.compare_digest(mac, _mac(key, signed, user, route)):
        raise BadToken("altered, or made with another key, for another user or route")
    version, expires = _HEAD.unpack_from(signed)
    if version != _VERSION:
        raise BadToken("of another version")
    if now >= expires:
        raise BadToken("its time is over")
    return signed[_HEAD.size :]


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _mac(key: bytes, signed: bytes, user: str | None, route: str) -> bytes:
    # "" stands for no user; a user's id is never empty.
    parts = (_PURPOSE, route.encode(), (user or "").encode("utf-8", "surrogatepass"), signed)
    # The length stands before each part, so that no two lists of parts give the same message.
    message = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return hmac.digest(key, message, "sha256")
