"""Names of header fields, as lists and as the patterns that options take; media types. Pure.

The lists: what a preflight allows everywhere, what belongs to one connection (hop-by-hop), and the
fates of the rest: passed, choosing an account, kept here; what comes back.
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

#: Request headers that go upstream on every route: what an answer may be (RFC 9110 sections 12.5,
#: 13.1, 14.2), where an event stream goes on (HTML, "Last-Event-ID"), which request this is (the
#: Idempotency-Key draft, W3C Trace Context), and what describes the body (RFC 9110 section 8;
#: RFC 9530), which nobody can read without.
PASSED = (
    *("Accept", "Accept-Language", "If-Match", "If-None-Match", "If-Modified-Since"),
    *("If-Unmodified-Since", "If-Range", "Range", "Last-Event-ID", "Idempotency-Key"),
    *("traceparent", "tracestate", "Content-Encoding", "Content-Language", "Content-Disposition"),
    *("Content-Range", "Content-MD5", "Content-Digest", "Repr-Digest", "Digest"),
)
#: Beside them on a pinned route, which official SDKs use as their base URL: they send these, too.
PINNED_PASS = ("X-Stainless-*", "OpenAI-Beta")
#: Request headers that choose whose account an API acts in and bills. To drop one would let the
#: call act in another account, so a route passes it by name or refuses the request.
ACCOUNT_CHOOSING = (
    *("OpenAI-Organization", "OpenAI-Project", "Stripe-Account", "Stripe-Context"),
    *("X-Goog-User-Project", "PayPal-Auth-Assertion", "Xero-Tenant-Id"),
)
#: Request headers that prove who the caller is, or tell where a page or its reader is. A pattern
#: such as ``X-*`` does not mean them: a route passes one only where it writes its name.
PRIVATE = (
    *("Authorization", "Cookie", "X-CSRF-*", "Origin", "Referer", "Forwarded"),
    *("X-Forwarded-*", "X-Real-IP"),
)
#: Request headers that are between the caller and this server, or that a browser adds by itself:
#: no route passes them unless it names them, and nobody misses them.
KEPT_HERE = (
    *(*PRIVATE, *CORS_ALLOWED_HEADERS, "User-Agent", "Accept-Encoding", "Accept-Charset"),
    *("Cache-Control", "Pragma", "DNT", "Save-Data", "Priority", "Sec-*"),
    *("Upgrade-Insecure-Requests", "Access-Control-Request-*"),
    *("Via", "Date", "From", "Purpose", "X-Requested-With", "Proxy-*", "Expect"),
    *("Host", "Content-Length", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"),
    # FFmpeg's HTTP client asks every server for titles between the bytes of a web radio.
    *("HTTP2-Settings", "Icy-MetaData"),
)
#: Request headers that vouch for a body's bytes, which are wrong of a body that the server changed.
DIGESTS = frozenset((b"content-md5", b"content-digest", b"repr-digest", b"digest"))
#: Response headers that every route relays and exposes.
RELAYED = (
    *("Retry-After", "Retry-After-Ms", "ETag", "Last-Modified", "Content-Disposition"),
    *("Content-Language", "Content-Range", "Accept-Ranges", "RateLimit*", "X-RateLimit-*"),
)
#: Beside them on a pinned route: official SDKs read them.
PINNED_RELAY = ("X-Should-Retry", "OpenAI-*")
#: Response headers that WHIP clients read (RFC 9725).
SDP_RELAY = ("Link", "ETag", "Accept-Patch", "Accept-Post", "Retry-After", "Location")

#: Stands before a name that an option takes out of the usual ones: ``"!Accept"``.
TAKEN_OUT = "!"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def is_token(name: str | bytes) -> bool:
    """Whether *name* can be a header name (``token``, RFC 9110 section 5.6.2).

    >>> is_token("X-Target-URL"), is_token("Content Type")
    (True, False)
    """
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return _TOKEN.fullmatch(text) is not None


def extended(usual: Sequence[str], written: Sequence[str]) -> tuple[str, ...]:
    """The *usual* names with those that an option adds, without those it takes out.

    What is taken out of the middle of a pattern stays in the list, for :class:`HeaderPatterns`.

    >>> extended(("Accept", "Range"), ("!range", "X-Trace"))
    ('Accept', 'X-Trace')
    >>> extended(("X-*",), ("!X-One",))
    ('X-*', '!X-One')
    """
    taken = {name[1:].lower(): name for name in written if name.startswith(TAKEN_OUT)}
    without = HeaderPatterns((*taken,))
    kept = [name for name in usual if not without.covers(name)]
    names = dict.fromkeys((*kept, *added(written)))
    rest = HeaderPatterns((*names,))
    return (*names, *(name for lower, name in taken.items() if rest.covers(lower)))


def added(written: Sequence[str]) -> tuple[str, ...]:
    """The names of an option that are not there to take one out."""
    return tuple(name for name in written if not name.startswith(TAKEN_OUT))


def media_type(content_type: bytes) -> bytes:
    """The type that *content_type* names, in lower case, without parameters (RFC 9110 8.3.1)."""
    return content_type.partition(b";")[0].strip().lower()


class HeaderPatterns:
    """A compiled list of header names and prefixes, matched without regard to case.

    :param patterns: each is an exact name, or a non-empty prefix and one trailing ``*``. Behind a
        ``!`` it takes names out of those that the prefixes match.
    :ivar names: the exact names, as spelled in *patterns*.
    :ivar prefixes: the prefixes as spelled, without their ``*``.
    :ivar holes: what is taken out, as spelled, with the ``!``.
    :raises ValueError: a pattern is neither. A lone ``*`` would let every header through.

    >>> HeaderPatterns(["Accept", "X-RateLimit-*"]).match(b"x-ratelimit-reset")
    True
    """

    __slots__ = ("_exact", "_out", "_starts", "holes", "names", "prefixes")

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self.holes = tuple(name for name in patterns if name.startswith(TAKEN_OUT))
        taken_in = added(patterns)
        for pattern in taken_in:
            stem = pattern.removesuffix("*")
            if "*" in stem or not is_token(stem):
                raise ValueError(
                    f"{pattern!r} is neither a header name nor a prefix such as 'X-RateLimit-*'"
                )
        self.names = tuple(pattern for pattern in taken_in if not pattern.endswith("*"))
        self.prefixes = tuple(pattern[:-1] for pattern in taken_in if pattern.endswith("*"))
        self._exact = frozenset(name.lower().encode("ascii") for name in self.names)
        self._starts = tuple(prefix.lower().encode("ascii") for prefix in self.prefixes)
        self._out = HeaderPatterns([hole[1:] for hole in self.holes]) if self.holes else None

    def __bool__(self) -> bool:
        return bool(self.names or self.prefixes)

    def match(self, name: bytes) -> bool:
        """Whether *name* is one of the names or opens with one of the prefixes."""
        return self.lists(name) or (
            name.lower().startswith(self._starts)
            and (self._out is None or not self._out.match(name))
        )

    def lists(self, name: bytes) -> bool:
        """Whether *name* is one of the names, written out."""
        return name.lower() in self._exact

    def covers(self, pattern: str) -> bool:
        """Whether every name that *pattern* matches is matched by one of these."""
        stem = pattern.removesuffix("*").lower().encode("ascii")
        return stem.startswith(self._starts) or (not pattern.endswith("*") and self.match(stem))


class PassedHeaders:
    """The request headers that a route passes: one rule for requests and for their preflights.

    :param patterns: names and prefixes.
    :param read_here: names of headers that this server reads itself, such as callers' tokens.

    >>> rule = PassedHeaders(["X-*"])
    >>> [rule.match(name) for name in (b"x-team", b"x-te_am", b"x-real-ip")]
    [True, False, False]
    """

    __slots__ = ("_private", "patterns")

    def __init__(self, patterns: Sequence[str], read_here: Sequence[str] = ()) -> None:
        self.patterns = HeaderPatterns(patterns)
        self._private = HeaderPatterns((*PRIVATE, *read_here))

    def match(self, lower: bytes) -> bool:
        """Whether a header of this *lower*-case name passes."""
        if b"_" in lower:
            return False  # some upstreams read "_" as "-": it could pose as another
        if self.patterns.lists(lower) or not self._private.match(lower):
            return self.patterns.match(lower)
        # "X-Forwarded-*" names what it matches, "X-*" does not.
        return any(
            lower.startswith(prefix.lower().encode("ascii")) and self._private.covers(f"{prefix}*")
            for prefix in self.patterns.prefixes
        )
