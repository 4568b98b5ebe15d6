"""The reader of one entry of ``endpoints``, and what is wrong with several together. Pure.

An entry is a method and the pattern of a path: ``"POST /chat/completions"``, ``"GET /files/*"``. A
path's segments are compared percent-decoded once and byte for byte, so a decoded segment is kept as
Latin-1 text: one character for each byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from attrs import field, frozen

from ..errors import InvalidTarget
from ..model import Target
from .target import check_below, parse_target

MAX_ENTRY = 1024
"""Characters that an entry may have."""
MAX_SEGMENTS = 64
"""Segments that its path may have."""

_METHOD = re.compile(r"[A-Z][A-Z-]*")
_URL = re.compile(r"(https?://[^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARAMETER = re.compile(r":[A-Za-z_]\w*|.*[{}<>].*")
_VISIBLE = re.compile(r"[!-~\u00a1-\U0010ffff]+")
#: What no request can have in the place of a literal, since some reader would take it otherwise.
_NEVER_LITERAL = {
    "/": 'an encoded slash can never match; write "*" there, and encoded_slashes = true',
    "\\": "a backslash can never match; some servers take it for a slash",
    ";": 'a semicolon can never match, because some servers cut the path there; write "*" there',
    "?": 'an encoded "?" can never match, because some servers cut the path there',
    "#": 'an encoded "#" can never match, because some servers cut the path there',
}


@frozen(cache_hash=True)
class Wild:
    """A segment of a pattern that stands for more than one text.

    :ivar prefix: what the segment opens with, decoded.
    :ivar suffix: what it ends with.
    :ivar deep: ``**``: one or more segments.
    """

    prefix: str = ""
    suffix: str = ""
    deep: bool = False

    def takes(self, segment: str) -> bool:
        """Whether this one segment stands for the decoded text *segment*."""
        return (
            len(segment) >= max(1, len(self.prefix) + len(self.suffix))
            and segment.startswith(self.prefix)
            and segment.endswith(self.suffix)
        )


Segment = str | Wild
DEEP = Wild(deep=True)


@frozen
class Endpoint:
    """One entry of ``endpoints``.

    :ivar text: the entry as written.
    :ivar origin: ``"https://api.stripe.com"``; ``""`` for the pinned base, or every allowed host.
    :ivar segments: literals as decoded text, and :class:`Wild`; none for the base itself.
    """

    text: str
    method: str
    origin: str = field(repr=False)
    segments: tuple[Segment, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read an entry.

        :raises ValueError: the text says what to write instead. It repeats no URL, which may hold
            a password.

        >>> Endpoint.parse("GET /files/*").segments
        ('files', Wild(prefix='', suffix='', deep=False))
        """
        if len(text) > MAX_ENTRY:
            raise ValueError(f"is longer than {MAX_ENTRY} characters")
        method, blank, rest = text.partition(" ")
        if not blank or not rest:
            raise ValueError('is not a method and a path; write it as in "POST /chat/completions"')
        _check_method(method)
        url = _URL.fullmatch(rest)
        origin = _origin(url[1]) if url else ""
        return cls(text, method, origin, _segments((url[2] or "/") if url else rest))

    @property
    def target(self) -> Target | None:
        """What the entry's URL names, its path left out; ``None`` where it names no host."""
        return parse_target(f"{self.origin}/".encode("ascii")) if self.origin else None

    def includes(self, other: Endpoint) -> bool:
        """Whether this entry matches whatever *other* does, and maybe more.

        >>> Endpoint.parse("GET /**").includes(Endpoint.parse("HEAD /files/*"))
        True
        """
        if self.method != other.method and (self.method, other.method) != ("GET", "HEAD"):
            return False
        if self.origin not in ("", other.origin):
            return False
        mine, others = self.segments, other.segments
        if mine[-1:] == (DEEP,):
            mine = mine[:-1]
            others, beyond = others[: len(mine)], others[len(mine) :]
            # A path that ends in a slash is matched by a pattern that ends in one only.
            if not beyond or beyond[-1] == "" or DEEP in others:
                return False
        elif len(mine) != len(others) or DEEP in others:
            return False
        return all(map(_takes_in, mine, others))


def flaws(entries: Sequence[Endpoint]) -> list[tuple[int, str]]:
    """What is wrong with *entries* together: places in the list, and what to do there."""
    found = []
    for place, entry in enumerate(entries):
        for other_place, other in enumerate(entries):
            if place == other_place or not other.includes(entry):
                continue
            if other.method != entry.method:
                found.append((place, f'"{entry.text}" comes with "{other.text}"; drop it'))
            elif not entry.includes(other):
                found.append((place, f'"{entry.text}" is included in "{other.text}"; drop one'))
            elif other_place < place:
                found.append((place, f'"{entry.text}" says the same as "{other.text}"; drop one'))
            else:
                continue
            break
    return found


def unreachable(
    entries: Sequence[Endpoint], *, pinned: bool, why_not: Callable[[Target], str]
) -> list[tuple[int, str]]:
    """The entries that no request of a route can match: places in the list, and reasons.

    :param pinned: the route has a ``target``, below which its pages name a path.
    :param why_not: why the route may not ask a target's host, scheme or port; ``""`` if it may.
    """
    found = []
    for place, entry in enumerate(entries):
        target = entry.target
        if target is None:
            continue
        if pinned:
            wanted = f'write the path below target, as in "{entry.method} /path"'
            found.append((place, f"names a host, which target does already; {wanted}"))
        elif reason := why_not(target):
            found.append((place, f"can never match: {target.origin}: {reason}"))
    return found


def _takes_in(mine: Segment, other: Segment) -> bool:
    if isinstance(mine, str):
        return mine == other
    if isinstance(other, str):
        return mine.takes(other)
    return other.prefix.startswith(mine.prefix) and other.suffix.endswith(mine.suffix)


def _check_method(method: str) -> None:
    if method.startswith(("/", "http://", "https://")):
        raise ValueError('names no method first; write it as in "POST /chat/completions"')
    if "*" in method:
        raise ValueError("a method has no star; write one entry for each method")
    if not _METHOD.fullmatch(method):
        if _METHOD.fullmatch(method.upper()):
            raise ValueError(f'methods are upper-case; write "{method.upper()}"')
        raise ValueError('is not a method and a path; write it as in "POST /chat/completions"')
    if method == "OPTIONS":
        raise ValueError("OPTIONS is answered by this server itself and never goes up; drop it")
    if method in ("CONNECT", "TRACE"):
        raise ValueError(f"no route has the method {method}; drop the entry")


def _origin(url: str) -> str:
    if "@" in url:
        raise ValueError("is a URL with userinfo; a key belongs in forward_headers")
    if "*" in url:
        raise ValueError("a host has no star; write the path alone for every allowed host")
    try:
        return parse_target(f"{url}/".encode("utf-8", "replace")).origin
    except InvalidTarget as fault:
        raise ValueError(f"is no URL that a route can ask: {fault.reason}") from None


def _segments(path: str) -> tuple[Segment, ...]:
    """The segments of a pattern, or ValueError for one that could never match, or is a slip."""
    if not path.startswith("/"):
        raise ValueError('the path must open with a slash, as in "POST /chat/completions"')
    if "?" in path:
        raise ValueError("has a query; write the path alone, and the parameters into query")
    if "#" in path:
        raise ValueError("has a fragment, which is never sent; drop it")
    if not _VISIBLE.fullmatch(path):
        raise ValueError("has a blank or a control character; write one method and one path")
    if _ESCAPE.search(path):
        raise ValueError('has a malformed percent encoding; write "%25" for a percent sign')
    written = path[1:].split("/")
    if len(written) > MAX_SEGMENTS:
        raise ValueError(f"has more than {MAX_SEGMENTS} segments")
    if "" in written[:-1]:
        raise ValueError("has an empty segment, which can never match; write single slashes")
    if path == "/":
        return ()
    if any("**" in segment for segment in written[:-1]):
        raise ValueError('"**" may only stand last; write "*" for one segment')
    segments = tuple(map(_segment, written))
    try:
        check_below(path.encode("utf-8"))
    except ValueError as fault:
        raise ValueError(f"can never match: {fault}") from None
    return segments


def _segment(written: str) -> Segment:
    if written == "**":
        return DEEP
    if _PARAMETER.fullmatch(written):
        raise ValueError('has a parameter in the path; write "*" for it')
    parts = written.split("*")
    if len(parts) > 2:
        raise ValueError('has two stars in one segment; write one, or "*" for the whole segment')
    texts = [unquote(part.encode("utf-8").decode("latin-1"), "latin-1") for part in parts]
    for text in texts:
        for character, reason in _NEVER_LITERAL.items():
            if character in text:
                raise ValueError(reason)
        if unquote(text, "latin-1") != text:
            raise ValueError("is encoded twice, which can never match; encode it once")
        if any(character < " " or character == "\x7f" for character in text):
            raise ValueError("has a control character, which can never match")
    return Wild(texts[0], texts[1]) if len(texts) == 2 else texts[0]
