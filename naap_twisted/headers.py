"""Names of header fields, as lists and as the patterns that options take; media types. Pure.

The lists: what a preflight allows everywhere, what belongs to one connection (hop-by-hop), and what
passes where a route names nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Request headers that a preflight allows on every route (the seed's CORS_ALLOWED_HEADERS).
CORS_ALLOWED_HEADERS = (
    *("Content-Type", "Authorization", "X-CSRF-Token", "X-Correlation-ID", "X-Plugin-Name"),
    *("X-Request-ID", "X-Trace-ID", "X-Team-ID", "X-WHIP-URL", "X-Target-URL"),
)

#: Hop-by-hop fields in lower case: they belong to one connection and are never forwarded (RFC 9110
#: section 7.6.1). A message's Connection field may name more.
HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"proxy-authenticate", b"proxy-authorization"),
    )
)

#: The fields that belong to the connection (RFC 9110 sections 7.2, 8.6, 10.1.1; RFC 9113 section
#: 3.1): no route sets, passes on or relays them.
CONNECTION_FIELDS = frozenset(name.decode("ascii") for name in HOP_BY_HOP) | frozenset(
    {"content-length", "expect", "host", "http2-settings"}
)

#: Request headers that a route with a header for its URL passes upstream (RFC 9110 sections 12.5.1
#: and 13.1), where its ``pass_headers`` is not set.
DEFAULT_PASS = ("Accept", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
#: The same for a pinned route, which official SDKs use as their base URL: they send these, too.
PINNED_PASS = (*DEFAULT_PASS, "X-Stainless-*", "OpenAI-Beta", "Idempotency-Key")
#: Response headers that a pinned route relays and exposes: official SDKs read them.
PINNED_RELAY = ("Retry-After", "Retry-After-Ms", "X-Should-Retry", "X-RateLimit-*", "OpenAI-*")
#: Response headers that WHIP clients read (RFC 9725).
SDP_RELAY = ("Link", "ETag", "Accept-Patch", "Accept-Post", "Retry-After", "Location")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def is_token(name: str | bytes) -> bool:
    """Whether *name* can be a header name (``token``, RFC 9110 section 5.6.2).

    >>> is_token("X-Target-URL"), is_token("Content Type")
    (True, False)
    """
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return _TOKEN.fullmatch(text) is not None


def media_type(content_type: bytes) -> bytes:
    """The type that *content_type* names, in lower case, without parameters (RFC 9110 8.3.1)."""
    return content_type.partition(b";")[0].strip().lower()


class HeaderPatterns:
    """A compiled list of header names and prefixes, matched without regard to case.

    :param patterns: each is an exact name, or a non-empty prefix and one trailing ``*``.
    :ivar names: the exact names, as spelled in *patterns*.
    :ivar prefixes: the prefixes as spelled, without their ``*``.
    :raises ValueError: a pattern is neither. A lone ``*`` would let every header through.

    >>> HeaderPatterns(["Accept", "X-RateLimit-*"]).match(b"x-ratelimit-reset")
    True
    """

    __slots__ = ("_exact", "_starts", "names", "prefixes")

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        for pattern in patterns:
            stem = pattern.removesuffix("*")
            if "*" in stem or not is_token(stem):
                raise ValueError(
                    f"{pattern!r} is neither a header name nor a prefix such as 'X-RateLimit-*'"
                )
        self.names = tuple(pattern for pattern in patterns if not pattern.endswith("*"))
        self.prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
        self._exact = frozenset(name.lower().encode("ascii") for name in self.names)
        self._starts = tuple(prefix.lower().encode("ascii") for prefix in self.prefixes)

    def __bool__(self) -> bool:
        return bool(self.names or self.prefixes)

    def match(self, name: bytes) -> bool:
        """Whether *name* is one of the names or opens with one of the prefixes."""
        lowered = name.lower()
        return lowered in self._exact or lowered.startswith(self._starts)
