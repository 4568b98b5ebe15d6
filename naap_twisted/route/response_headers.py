"""What of an upstream's answer comes back to the browser: an allow-list of fields. Pure.

A relayed field takes the place of the one that this server wrote. That is right for a value and
wrong for a list: an upstream's ``Vary`` in place of our ``Vary: Origin`` would let a shared cache
hand one site's CORS headers to another. :func:`beside_ours` therefore joins lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from attrs import frozen
from twisted.web.http_headers import Headers

from ..framing.fields import Fields
from ..headers import HeaderPatterns
from ..model import ExposeHeader, Target
from ..policy.own_headers import is_never_relayed
from .scrub import Guard

_ALWAYS_RELAYED = frozenset(
    {
        b"content-type",
        b"content-encoding",
        b"content-language",
        b"content-disposition",
        b"content-range",
        b"accept-ranges",
        b"etag",
        b"last-modified",
        b"location",
    }
)
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
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64


@frozen
class _Decision:
    """What becomes of one upstream header name.

    :ivar names: the names it is relayed under; none: dropped.
    :ivar exposed: those of them that the page may read.
    :ivar chosen: the upstream chose it: an option names only its beginning.
    """

    names: tuple[bytes, ...] = ()
    exposed: tuple[bytes, ...] = ()
    absolute: bool = False
    chosen: bool = False


class ResponseRewrite:
    """A route's rule for response headers.

    :param relayed: names and prefixes relayed under their own names and exposed.
    :param exposed_as: upstream names relayed under other names, and exposed.
    :param content_type: for an answer that names none.
    :param pinned: the upstream's X-Request-ID comes back as X-Upstream-Request-ID.
    """

    def __init__(
        self,
        relayed: Sequence[str],
        exposed_as: Sequence[ExposeHeader],
        *,
        content_type: bytes,
        pinned: bool,
    ) -> None:
        self._exposed_as: dict[bytes, list[bytes]] = {}
        for pair in exposed_as:
            self._rename(pair.from_, pair.to)
        self._relayed = HeaderPatterns(relayed)
        if pinned:
            self._rename("X-Request-ID", "X-Upstream-Request-ID")
        self._content_type = content_type
        self._private = not self._relayed.match(b"cache-control")
        relayed_names = {name.lower().encode() for name in self._relayed.names}
        self._named = relayed_names | _ALWAYS_RELAYED | self._exposed_as.keys()
        self._decisions: dict[bytes, _Decision] = {}

    def _rename(self, from_: str, to: str) -> None:
        names = self._exposed_as.setdefault(from_.lower().encode(), [])
        if to.lower() not in (name.decode().lower() for name in names):
            names.append(to.encode())

    def apply(
        self, fields: Fields, target: Target, guard: Guard
    ) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
        """``(headers, exposed names)`` for the browser; framing is the caller's."""
        nominated = frozenset[bytes]()
        for name, value in fields:
            if name == b"connection":
                nominated |= {part.strip().lower() for part in value.split(b",")}
        out: list[tuple[bytes, bytes]] = []
        exposed: list[bytes] = []
        typed = streamed = False
        decisions = self._decisions
        for name, value in fields:
            decision = decisions.get(name) or self._decide(name)
            if not decision.names or name in nominated:
                continue
            if decision.chosen and guard.holds(name):
                continue
            if decision.absolute:
                value = absolute_location(value, target)
            value = guard.clean(value)
            if name == b"content-type":
                typed, streamed = True, value.lower().startswith(STREAMS)
            for new in decision.names:
                out.append((new, value))
            for new in decision.exposed:
                if new not in exposed:
                    exposed.append(new)
        if not typed:
            out.append((b"Content-Type", self._content_type))
        if self._private or not any(name == b"Cache-Control" for name, _ in out):
            out.append((b"Cache-Control", b"private, no-store"))
        if streamed and any(name == b"Content-Type" and is_stream(value) for name, value in out):
            out = unheld(out)
        return out, exposed

    def _decide(self, name: bytes) -> _Decision:
        renamed = self._exposed_as.get(name, ())
        names, exposed = [*renamed], [*renamed]
        if not is_never_relayed(name):
            if self._relayed.match(name):
                names.insert(0, _spelled(name))
                exposed.insert(0, _spelled(name))
            elif name in _ALWAYS_RELAYED:
                names.insert(0, _spelled(name))
        chosen = name not in self._named
        decision = _Decision(tuple(names), tuple(exposed), name == b"location", chosen)
        if len(self._decisions) < _MOST_DECISIONS and len(name) <= _LONGEST_KEPT:
            self._decisions[name] = decision
        return decision


def _spelled(name: bytes) -> bytes:
    return {b"etag": b"ETag"}.get(name, name.title())


def absolute_location(value: bytes, target: Target) -> bytes:
    """A Location resolved against the upstream URL (RFC 9110 section 10.2.2)."""
    try:
        return urljoin(target.url, value.decode("ascii")).encode("ascii")
    except ValueError:
        # Not a URL in ASCII: as the upstream sent it, for the client to judge.
        return value


def beside_ours(
    ours: Headers, headers: Sequence[tuple[bytes, bytes]], exposed: Sequence[bytes]
) -> tuple[Fields, list[bytes]]:
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


def unheld(headers: Fields) -> Fields:
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
