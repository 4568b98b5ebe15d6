"""Which methods and paths a route opens: the option ``endpoints``. Pure.

What servers take a path for differs: some decode it twice, or cut it at a semicolon. So a path
passes only if every such reading of it is matched, too, and whatever some reader takes for another
place in the tree of paths (a dot segment, an empty one, an encoded slash) is matched by nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from ..errors import EndpointNotAllowed
from .endpoint_pattern import DEEP, MAX_SEGMENTS, Endpoint, Segment, Wild, flaws, unreachable
from .likely_endpoint import likely_endpoint
from .target import check_below

__all__ = ["METHOD_OVERRIDES", "Endpoint", "Endpoints", "flaws", "likely_endpoint", "unreachable"]

#: Names of request headers in which frameworks, and the proxies before them, read
#: another method or path than the request line's: what the line was judged for would not be done.
METHOD_OVERRIDES = (
    # Methods: Google's and OData's names, Rack, Symfony, Express; then what fronts add.
    *("x-http-method-override", "x-http-method", "x-method-override", "x-method"),
    *("http-method-override", "x-original-method", "x-forwarded-method"),
    "x-envoy-original-method",
    # Paths: IIS and Symfony, Zend, nginx's and Traefik's sub-requests, Envoy, WSGI, Azure,
    # Next.js and Vercel, and others that published by-passes name.
    *("x-original-url", "x-original-uri", "x-original-path", "x-rewrite-url"),
    *("x-rewrite-uri", "x-rewrite-path", "x-override-url", "x-forwarded-url"),
    *("x-forwarded-uri", "x-forwarded-path", "x-forwarded-prefix", "x-request-uri"),
    *("x-envoy-original-path", "x-script-name", "x-waws-unencoded-url"),
    *("x-matched-path", "x-invoke-path", "x-middleware-rewrite", "x-proxy-url"),
    *("x-middleware-subrequest", "x-http-destinationurl", "request-uri", "http-url"),
    # The second path of WebDAV's COPY and MOVE (RFC 4918 section 10.3).
    "destination",
)

#: Paths that every server reads alike, so that one walk decides.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*+)*+/?+").fullmatch
#: A path as it may come: visible ASCII, without the query and a fragment.
_PATH = re.compile(r"/[!\"$->@-~]*+").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_READINGS = 64
_MOST_QUOTED = 64
_MOST_LISTED = 24


class _Node:
    """What the patterns say of one segment, after those that lead here."""

    __slots__ = ("affixes", "deep", "end", "literals", "star")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        # By the lengths of prefix and suffix, so that a text is cut once for all of these lengths.
        self.affixes: dict[tuple[int, int], dict[tuple[str, str], _Node]] = {}
        self.star: _Node | None = None
        self.deep: Endpoint | None = None
        self.end: Endpoint | None = None

    def child(self, segment: Segment) -> _Node:
        """The node behind *segment* of a pattern, made if need be."""
        if isinstance(segment, str):
            return self.literals.setdefault(segment, _Node())
        if segment == Wild():
            self.star = self.star or _Node()
            return self.star
        ends = (segment.prefix, segment.suffix)
        return self.affixes.setdefault((len(ends[0]), len(ends[1])), {}).setdefault(ends, _Node())

    def find(self, segments: Sequence[str], at: int, last: int) -> Endpoint | None:
        """The closest pattern that matches *segments* from the place *at* on.

        Each node is visited once at most, for it stands at one depth.
        """
        if at == last:
            return self.end
        segment = segments[at]
        node = self.literals.get(segment)
        if node is not None and (found := node.find(segments, at + 1, last)) is not None:
            return found
        if not segment:
            return None
        if self.affixes and (found := self._find_affix(segments, at, last)) is not None:
            return found
        if self.star is not None and (found := self.star.find(segments, at + 1, last)) is not None:
            return found
        return self.deep if segments[last - 1] else None

    def _find_affix(self, segments: Sequence[str], at: int, last: int) -> Endpoint | None:
        segment = segments[at]
        size = len(segment)
        for (before, after), ends in self.affixes.items():
            if before + after <= size:
                node = ends.get((segment[:before], segment[size - after :]))
                if node is not None and (found := node.find(segments, at + 1, last)) is not None:
                    return found
        return None


class Endpoints:
    """The endpoints that a route opens, as a tree of segments for each method and origin.

    :param encoded_slashes: an encoded slash in a segment is a part of it, for a star to match.
    """

    def __init__(self, entries: Sequence[Endpoint], *, encoded_slashes: bool = False) -> None:
        self._encoded_slashes = encoded_slashes
        self._entries = tuple(entries)
        self._trees: dict[tuple[bytes, str], _Node] = {}
        # HEAD asks for the head of GET's answer (RFC 9110 section 9.3.2).
        for entry in entries:
            for method in (entry.method, "HEAD") if entry.method == "GET" else (entry.method,):
                node = self._trees.setdefault((method.encode("ascii"), entry.origin), _Node())
                for segment in entry.segments:
                    if segment == DEEP:
                        node.deep = node.deep or entry
                        break
                    node = node.child(segment)
                else:
                    node.end = node.end or entry

    def match(self, method: bytes, origin: str, path: str) -> Endpoint | None:
        """The entry that opens a request, or ``None``.

        :param origin: the target's; ``""`` on a route with a pinned base.
        :param path: as it came, without the query; below the base where there is one, so that
            ``""`` and ``"/"`` are the base itself.
        """
        if _PLAIN(path) is not None:
            return self._find(method, origin, path[1:].split("/") if len(path) > 1 else [])
        readings, _ = self._read(path)
        found = [self._find(method, origin, reading) for reading in readings]
        return found[0] if found and None not in found else None

    def refusal(self, method: bytes, origin: str, path: str) -> EndpointNotAllowed:
        """The error for a request that :meth:`match` finds no entry for.

        Its remedy is a line that would let this very request through, if there is any.
        """
        wanted = likely_endpoint(method.decode("latin-1"), path)
        shown = ascii(wanted)[1:-1]
        if len(shown) > _MOST_QUOTED:
            shown = f"{shown[: _MOST_QUOTED - 3]}..."
        unread = "" if _PLAIN(path) is not None else self._read(path)[1]
        return EndpointNotAllowed(
            f"This route does not open {shown}",
            reason=unread or f"endpoints has no {shown}",
            remedy=self._remedy(method, origin, path, wanted),
            rule="endpoints",
        )

    def _remedy(self, method: bytes, origin: str, path: str, wanted: str) -> str:
        verb, _, pattern = wanted.partition(" ")
        text = f"{verb} {origin}{pattern}"
        slashes = "encoded_slashes = true"
        if "%" in path:
            lenient = Endpoints(self._entries, encoded_slashes=True)
            if lenient.match(method, origin, path) is not None:
                return slashes
        try:
            entry = Endpoint.parse(text)
        except ValueError:
            return ""
        for allowing in (self._encoded_slashes, True):
            alone = Endpoints([entry], encoded_slashes=allowing)
            if alone.match(method, origin, path) is not None:
                line = self._line(text)
                return line if allowing == self._encoded_slashes else f"{line} and {slashes}"
        return ""

    def _line(self, text: str) -> str:
        """The option with *text* beside what it has, for it takes the place of the other line."""
        texts = [entry.text for entry in self._entries]
        if len(texts) > _MOST_LISTED:
            return f'"{text}" beside the others in endpoints'
        return f"endpoints = {json.dumps([*texts, text], ensure_ascii=False)}"

    def _find(self, method: bytes, origin: str, segments: Sequence[str]) -> Endpoint | None:
        for named in (origin, "") if origin else ("",):
            tree = self._trees.get((method, named))
            if tree is not None and (found := tree.find(segments, 0, len(segments))) is not None:
                return found
        return None

    def _read(self, path: str) -> tuple[list[tuple[str, ...]], str]:
        """All readings of a path, the one that is decoded once first; or none, and why."""
        try:
            if _PATH(path) is None:
                raise ValueError("not a path")
            check_below(path.encode("ascii"))
            # What came is no reading, because every server decodes it; but some cut it before.
            raw = tuple(path[1:].split("/"))
            if len(raw) > MAX_SEGMENTS:
                raise ValueError(f"more than {MAX_SEGMENTS} segments in a path with escapes")
            pending = [_decoded(raw), *map(_decoded, _cuts(raw))]
            seen: dict[tuple[str, ...], None] = {}
            while pending:
                reading = pending.pop(0)
                if reading in seen:
                    continue
                if len(seen) >= _MOST_READINGS:
                    raise ValueError("too many readings of the path")
                self._check(reading)
                seen[reading] = None
                pending += (_decoded(reading), *_cuts(reading))
        except ValueError as fault:
            return [], str(fault)
        return list(seen), ""

    def _check(self, reading: tuple[str, ...]) -> None:
        """Raise ValueError for a reading that names another place in the tree of paths."""
        # An empty segment at the end is a slash there, which a pattern may have.
        blank = [segment for segment in reading if not segment.strip()]
        if blank and (blank != [""] or reading[-1]):
            raise ValueError("empty segment in the path")
        for segment in reading:
            if _CONTROL.search(segment):
                raise ValueError("encoded control character in the path")
            if segment.isascii():
                composed = segment
            else:
                composed = unicodedata.normalize(
                    "NFKC", segment.encode("latin-1").decode("utf-8", "replace")
                )
                if "\\" in composed or ("/" in composed and "/" not in segment):
                    raise ValueError("look-alike of a slash in the path")
            if "/" in segment and not self._encoded_slashes:
                raise ValueError("encoded slash in the path")
            if any(piece.strip() in (".", "..") for piece in composed.split("/")):
                raise ValueError("dot segment in the path")


def _decoded(segments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(unquote(segment, "latin-1") for segment in segments)


def _cuts(segments: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What remains of a path where a reader cuts off parameters, a query or a fragment."""
    if any(";" in segment for segment in segments):
        yield tuple(segment.partition(";")[0] for segment in segments)
    for mark in ";?#":
        for place, segment in enumerate(segments):
            if mark in segment:
                yield (*segments[:place], segment.partition(mark)[0])
                break
