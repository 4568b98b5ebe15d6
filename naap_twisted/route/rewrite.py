"""Both header rewrites: what of a browser's request goes upstream, what of an answer comes back.

Both are allow-lists. Keys that the server adds are set last, and nothing from the browser can take
their place. Pure. They share what belongs to one connection, hence more than 300 lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urljoin

from attrs import frozen

from ..framing.fields import Fields
from ..headers import HOP_BY_HOP, HeaderPatterns, is_token
from ..model import ExposeHeader, HeaderPairs, HeaderValue, Target
from ..policy.own_headers import is_never_relayed
from ..secret import Secret
from .scrub import Guard
from .shared_headers import STREAMS, is_stream, unheld

USER_AGENT = b"naap-proxy"

#: What official API clients read; a pinned route relays and exposes it.
PINNED_RELAY = (
    "Retry-After",
    "Retry-After-Ms",
    "X-Should-Retry",
    "X-RateLimit-*",
    "OpenAI-*",
)
#: What WHIP clients read (RFC 9725).
SDP_RELAY = ("Link", "ETag", "Accept-Patch", "Accept-Post", "Retry-After", "Location")

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
_FRAMING = HOP_BY_HOP | {b"host", b"content-length", b"expect"}
# What is looked at for secrets must not come encoded; a page may ask otherwise where it may at all.
_PLAIN = (b"Accept-Encoding", b"identity")
_OURS_ALWAYS = frozenset((b"content-type", b"x-request-id"))
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64


def injected_headers(values: Mapping[str, str | bytes | Secret]) -> HeaderPairs:
    """Server-side keys as they are sent.

    :raises ValueError: a name is no token, belongs to framing, or a value can't stand in a header.
    """
    pairs: list[tuple[bytes, HeaderValue]] = []
    for name, value in values.items():
        if not is_token(name):
            raise ValueError("has a name that is not a header name")  # but perhaps a key: not shown
        if name.lower().encode() in _FRAMING:
            raise ValueError(f"{name} belongs to the connection and is never set by a route")
        secret = value if isinstance(value, Secret) else Secret(value, f"header {name}")
        pairs.append((name.encode("ascii"), secret))
    return tuple(pairs)


class RequestRewrite:
    """A route's rule for request headers.

    :param passed: names and prefixes of browser headers that go upstream.
    :param fixed: the headers that are always injected, where they are always the same tuple.
    """

    def __init__(self, passed: Sequence[str], fixed: HeaderPairs = ()) -> None:
        self._passed = HeaderPatterns(passed)
        self._verdicts: dict[bytes, bytes] = {}
        self._fixed = fixed
        self._fixed_names = self._names(fixed)

    @staticmethod
    def _names(injected: HeaderPairs) -> frozenset[bytes]:
        # CGI-like upstreams take "_" for "-": no browser's X-Key may stand beside our X_Key.
        return frozenset(name.lower().replace(b"_", b"-") for name, _ in injected)

    def _verdict(self, name: bytes) -> bytes:
        """The lower-case name of a header that may pass, ``b""`` for one that may not."""
        lower = name.lower()
        passes = lower not in _FRAMING and b"_" not in lower and self._passed.match(lower)
        verdict = lower if passes or lower == b"connection" else b""
        if len(name) <= _LONGEST_KEPT:
            if len(self._verdicts) >= _MOST_DECISIONS:
                self._verdicts.clear()  # one caller's odd names must not slow others down for good
            self._verdicts[name] = verdict
        return verdict

    def outbound(
        self,
        browser: Iterable[tuple[bytes, Sequence[bytes]]],
        injected: HeaderPairs,
        *,
        content_type: bytes | None,
        request_id: str,
    ) -> HeaderPairs:
        """The headers to send, framing excluded.

        :param browser: the browser's headers, by name.
        :param content_type: of the body, if there is one.
        """
        # What a callable made is one user's: nothing of it is remembered.
        ours = self._fixed_names if injected is self._fixed else self._names(injected)
        out: list[tuple[bytes, HeaderValue]] = []
        nominated: set[bytes] = set()
        has_agent = b"user-agent" in ours
        has_codings = b"accept-encoding" in ours
        verdicts = self._verdicts
        kept: list[tuple[bytes, bytes, Sequence[bytes]]] = []
        for name, values in browser:
            lower = verdicts.get(name)
            if lower is None:
                lower = self._verdict(name)
            if lower == b"connection":
                # A set: thirty thousand commas times a hundred headers are time.
                nominated = {part.strip().lower() for value in values for part in value.split(b",")}
            elif lower and lower not in ours and lower not in _OURS_ALWAYS:
                kept.append((lower, name, values))
        for lower, name, values in kept:
            if lower in nominated:
                continue
            has_agent = has_agent or lower == b"user-agent"
            has_codings = has_codings or lower == b"accept-encoding"
            out.extend((name, value) for value in values)
        if content_type is not None and b"content-type" not in ours:
            out.append((b"Content-Type", content_type))
        if not has_agent:
            out.append((b"User-Agent", USER_AGENT))
        if not has_codings:
            out.append(_PLAIN)
        if b"x-request-id" not in ours:
            out.append((b"X-Request-ID", request_id.encode("ascii")))
        out.extend(injected)
        return tuple(out)


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
