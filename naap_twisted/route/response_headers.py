"""Which header fields of an upstream's response come back to the browser: an allow-list. Pure.

A relayed field takes the place of this server's own. That is right for a single value and wrong for
a list: an upstream's ``Vary`` in the place of ``Vary: Origin`` would let a shared cache hand one
site's CORS headers to another. :func:`beside_ours` therefore joins the lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from attrs import frozen
from twisted.web.http_headers import Headers

from ..framing.fields import Fields
from ..headers import HeaderPatterns, media_type
from ..model import ExposeHeader, Target
from ..policy.own_headers import is_never_relayed
from .scrub import Guard

#: Relayed whatever the options say: without them the body is not what the upstream sent.
_ALWAYS_RELAYED = frozenset((b"content-type", b"content-encoding", b"location"))
#: Pages read these without leave (Fetch, "CORS-safelisted response-header name").
_READABLE = frozenset((b"content-type",))
_VARY = b"Vary"
_CACHE = b"Cache-Control"
_NO_TRANSFORM = b"no-transform"
#: Names under which an upstream's limits are relayed. A policy is known by its name alone
#: (draft-ietf-httpapi-ratelimit-headers), so one list of both could say two things of "user".
_UPSTREAM_LIMITS = {
    b"Ratelimit": b"X-Upstream-RateLimit",
    b"Ratelimit-Policy": b"X-Upstream-RateLimit-Policy",
}
#: Lists that a route's callable may have begun. Members hold commas, so lines are not joined.
_LINES = (b"Link", b"Server-Timing")
#: Names of relayed fields that :func:`beside_ours` has to treat.
SHARED = frozenset((_VARY, *_LINES, *_UPSTREAM_LIMITS))
#: Media types of answers that come piece by piece: server-sent events, JSON texts in a row, and
#: the events of AWS's models.
STREAMS = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/ndjson",
    b"application/jsonl",
    b"application/x-jsonlines",
    b"application/jsonlines",
    b"application/json-seq",
    b"application/stream+json",
    b"application/vnd.amazon.eventstream",
)
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64


@frozen
class _Decision:
    """The treatment of one upstream header name.

    :ivar names: the names under which its field is relayed; without any it is dropped.
    :ivar exposed: those of them that the page may read.
    :ivar absolute: the value is a URL reference, to be made absolute.
    :ivar chosen: the upstream chose the name, of which an option gives the beginning only.
    """

    names: tuple[bytes, ...] = ()
    exposed: tuple[bytes, ...] = ()
    absolute: bool = False
    chosen: bool = False


class ResponseRewrite:
    """A route's rule for response headers.

    :param relayed: names and prefixes of fields that are relayed under their own names and exposed.
    :param exposed_as: fields that are relayed under another name, and exposed.
    """

    def __init__(
        self,
        relayed: Sequence[str],
        exposed_as: Sequence[ExposeHeader],
    ) -> None:
        self._exposed_as: dict[bytes, list[bytes]] = {}
        for pair in exposed_as:
            self._rename(pair.from_, pair.to)
        self._relayed = HeaderPatterns(relayed)
        # Its own name is taken: this server tells its own id, by which its log is searched.
        self._rename("X-Request-ID", "X-Upstream-Request-ID")
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
        """The fields for the browser, without framing, and the names that the page may read."""
        nominated = frozenset[bytes]()
        for name, value in fields:
            if name == b"connection":
                nominated |= {part.strip().lower() for part in value.split(b",")}
        out: list[tuple[bytes, bytes]] = []
        exposed: list[bytes] = []
        streamed = False
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
                streamed = value.lower().startswith(STREAMS)
            for new in decision.names:
                out.append((new, value))
            for new in decision.exposed:
                if new not in exposed:
                    exposed.append(new)
        if self._private or not any(name == b"Cache-Control" for name, _ in out):
            out.append((b"Cache-Control", b"private, no-store"))
        if streamed and any(name == b"Content-Type" and is_stream(value) for name, value in out):
            out = unheld(out)
        return out, exposed

    def _decide(self, name: bytes) -> _Decision:
        renamed = self._exposed_as.get(name, ())
        names, exposed = [*renamed], [*renamed]
        relayed = name in _ALWAYS_RELAYED or self._relayed.match(name)
        if relayed and not is_never_relayed(name):
            names.insert(0, _spelled(name))
            if name not in _READABLE:
                exposed.insert(0, _spelled(name))
        chosen = name not in self._named
        decision = _Decision(tuple(names), tuple(exposed), name == b"location", chosen)
        if len(self._decisions) < _MOST_DECISIONS and len(name) <= _LONGEST_KEPT:
            self._decisions[name] = decision
        return decision


def _spelled(name: bytes) -> bytes:
    return {b"etag": b"ETag"}.get(name, name.title())


def absolute_location(value: bytes, target: Target) -> bytes:
    """A Location, resolved against the upstream URL (RFC 9110 section 10.2.2)."""
    try:
        return urljoin(target.url, value.decode("ascii")).encode("ascii")
    except ValueError:
        return value  # no URL in ASCII; the client may know what it is


def beside_ours(
    ours: Headers, fields: Fields, exposed: Sequence[bytes]
) -> tuple[Fields, list[bytes]]:
    """*fields* and *exposed*, changed so that setting them on the table *ours* loses nothing."""
    lines = [name for name in _LINES if name in exposed]
    joined = [(name, value) for name in lines for value in ours.getRawHeaders(name, ())]
    limits = _UPSTREAM_LIMITS if ours.hasHeader(b"RateLimit") else {}
    joined += [(limits.get(name, name), value) for name, value in fields if name != _VARY]
    vary = [value for name, value in fields if name == _VARY]
    if vary:
        joined.append((_VARY, merged((*ours.getRawHeaders(_VARY, ()), *vary))))
    return joined, [limits.get(name, name) for name in exposed]


def merged(lists: Iterable[bytes]) -> bytes:
    """One list of names, each once whatever its case; ``*`` is all of them (RFC 9110 12.5.5).

    >>> merged([b"Origin", b"Accept, origin"])
    b'Origin, Accept'
    """
    names: dict[bytes, bytes] = {}
    for text in lists:
        for name in map(bytes.strip, text.split(b",")):
            names.setdefault(name.lower(), name)
    names.pop(b"", None)
    return b"*" if b"*" in names else b", ".join(names.values())


def is_stream(content_type: bytes) -> bool:
    """Whether clients read a response of this type while the upstream still writes it."""
    return media_type(content_type) in STREAMS


def unheld(fields: Fields) -> Fields:
    """A stream's *fields*, so that no proxy on the way to the page buffers or compresses it.

    nginx obeys X-Accel-Buffering; ``no-transform`` (RFC 9111 section 5.2.2.6) stops compressing
    caches, which wait for a full block.
    """
    caching = [value for name, value in fields if name == _CACHE]
    others = [field for field in fields if field[0] != _CACHE]
    # The values stay whole: a directive's argument may hold commas in quotes.
    listed = [item.strip().lower() for value in caching for item in value.split(b",")]
    if _NO_TRANSFORM not in listed:
        caching.append(_NO_TRANSFORM)
    return [*others, (_CACHE, b", ".join(caching)), (b"X-Accel-Buffering", b"no")]
