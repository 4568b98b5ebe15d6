"""Response headers that this server writes and an upstream may write, too: both are heard. Pure.

A relayed field takes the place of what stood there, which is right for a value and wrong for a
list: an upstream's ``Vary`` in place of our ``Vary: Origin`` lets a shared cache hand one site's
CORS headers to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.web.http_headers import Headers

Pairs = list[tuple[bytes, bytes]]

_VARY = b"Vary"
_CACHE = b"Cache-Control"
_NO_TRANSFORM = b"no-transform"
#: An upstream's limits under a name that says whose they are. Policies are told apart by name
#: (draft-ietf-httpapi-ratelimit-headers), and an upstream's may be named as ours are, so that one
#: list of both could say two things of "user".
_UPSTREAM_LIMITS = {
    b"Ratelimit": b"X-Upstream-RateLimit",
    b"Ratelimit-Policy": b"X-Upstream-RateLimit-Policy",
}
#: Lists that a callable of ours may have begun. Their members hold commas, so lines stay lines.
_LINES = (b"Link", b"Server-Timing")
#: Names, as they are relayed, for which :func:`beside_ours` is asked.
SHARED = frozenset((_VARY, *_LINES, *_UPSTREAM_LIMITS))
#: Media types of answers that come piece by piece: server-sent events, and JSON texts in a row.
STREAMS = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/ndjson",
    b"application/jsonl",
    b"application/x-jsonlines",
    b"application/json-seq",
    b"application/stream+json",
)


def beside_ours(
    ours: Headers, headers: Sequence[tuple[bytes, bytes]], exposed: Sequence[bytes]
) -> tuple[Pairs, list[bytes]]:
    """*headers* and *exposed*, changed so that they can be set on *ours* without loss."""
    begun = [
        (name, value)
        for name in _LINES
        if name in exposed
        for value in ours.getRawHeaders(name, ())
    ]
    limits = _UPSTREAM_LIMITS if ours.hasHeader(b"RateLimit") else {}
    theirs = [value for name, value in headers if name == _VARY]
    kept = (pair for pair in headers if pair[0] != _VARY)
    headers = [*begun, *((limits.get(name, name), value) for name, value in kept)]
    if theirs:
        headers.append((_VARY, merged((*ours.getRawHeaders(_VARY, ()), *theirs))))
    return headers, [limits.get(name, name) for name in exposed]


def merged(lists: Iterable[bytes]) -> bytes:
    """One list of names, each once whatever its case; ``*`` is all of them (RFC 9110 12.5.5)."""
    names: dict[bytes, bytes] = {}
    for text in lists:
        for name in map(bytes.strip, text.split(b",")):
            names.setdefault(name.lower(), name)
    names.pop(b"", None)
    return b"*" if b"*" in names else b", ".join(names.values())


def is_stream(content_type: bytes) -> bool:
    """Whether an answer of this type is read while it is still being written."""
    return content_type.partition(b";")[0].strip().lower() in STREAMS


def unheld(headers: Pairs) -> Pairs:
    """*headers* of a stream: what stands between us and the page neither holds nor changes it.

    nginx reads X-Accel-Buffering; ``no-transform`` (RFC 9111 section 5.2.2.6) keeps compressing
    caches, which wait for a full block, away. It is added to what Cache-Control says already.
    """
    said = [value for name, value in headers if name == _CACHE]
    kept = [pair for pair in headers if pair[0] != _CACHE]
    return [*kept, (_CACHE, _with(said, _NO_TRANSFORM)), (b"X-Accel-Buffering", b"no")]


def _with(said: Sequence[bytes], directive: bytes) -> bytes:
    # Nothing is taken apart: a directive's value may hold commas in quotes.
    listed = [item.strip().lower() for text in said for item in text.split(b",")]
    return b", ".join(said if directive in listed else (*said, directive))
