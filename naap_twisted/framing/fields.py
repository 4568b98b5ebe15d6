"""Header blocks: finding their end, splitting them, refusing what is none (RFC 9112 section 5)."""

from __future__ import annotations

import re

from attrs import frozen

Fields = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: What may not stand in a line (RFC 9110 section 5.5): NUL, DEL, the other control bytes but TAB.
#: CR and LF are counted.
CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\r\n")
# Names seen before, in lower case: few, but peers choose them, so bounded in number and length.
_NAMES: dict[bytes, bytes] = {}
_MOST_NAMES = 2048
_LONGEST_NAME = 256  # Twisted's Headers remember names, too, 10,000 of them
_END = b"\r\n\r\n"
_MOST_LINES = 64
_LONGEST_LINE = 256
# Lines that repeat and are nobody's credentials: those live no longer than their request.
_KEPT = frozenset(
    (
        *(b"accept", b"accept-encoding", b"accept-language", b"access-control-allow-origin"),
        *(b"cache-control", b"connection", b"content-encoding", b"content-length"),
        *(b"content-type", b"date", b"host", b"origin", b"pragma", b"priority", b"sec-ch-ua"),
        *(b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode"),
        *(b"sec-fetch-site", b"server", b"strict-transport-security", b"transfer-encoding"),
        *(b"user-agent", b"vary", b"via", b"x-content-type-options"),
    )
)


class FramingError(Exception):
    """Bytes that are not the HTTP/1.1 we accept. The text is for the log, not for the peer."""


class HeadTooLarge(FramingError):
    """The head is over its bound in bytes or lines."""


@frozen
class HeadLimits:
    """Bounds of one head.

    :ivar size: bytes of start line and fields together.
    :ivar lines: number of field lines.
    """

    size: int = 32 * 1024
    lines: int = 100


class KnownLines(dict[bytes, tuple[bytes, bytes]]):
    """Field lines that one connection has sent before, as they were read then.

    Most lines of a head repeat those of the one before it; one that passed every check once needs
    none of them again. Not shared between connections: what one caller sent must not change
    how long another's takes.
    """

    __slots__ = ()

    def keep(self, line: bytes, pair: tuple[bytes, bytes]) -> None:
        """Remember *line*, within the bounds; a full memory starts anew."""
        if pair[0] in _KEPT and len(line) <= _LONGEST_LINE:
            if len(self) >= _MOST_LINES:
                self.clear()
            self[line] = pair


def parse_fields(block: bytes, max_lines: int, known: KnownLines | None = None) -> Fields:
    """Split a field block (each line with its CRLF) into ``(lower-case name, value)`` pairs.

    :param known: lines that passed before; those of this block are added.
    :raises FramingError: a line is not ``name: value`` CRLF.
    :raises HeadTooLarge: more than *max_lines* lines.
    """
    count = block.count(b"\n")
    if count > max_lines:
        raise HeadTooLarge(f"more than {max_lines} header lines")
    lines = block.split(b"\r\n")
    # Every CR and LF is half of a line's end, and the last line has one: no bare ones, no rest.
    if len(lines) - 1 != count or block.count(b"\r") != count or lines.pop():
        raise FramingError("malformed header line")
    if known is None:
        return [_read_line(line) for line in lines]
    fields = []
    for line in lines:
        pair = known.get(line)
        if pair is None:
            pair = _read_line(line)
            known.keep(line, pair)
        fields.append(pair)
    return fields


def _read_line(line: bytes) -> tuple[bytes, bytes]:
    if len(line.translate(None, CONTROLS)) != len(line):
        raise FramingError("control character in a header")
    # A folded line, or a space before the colon, fails here: neither makes a token.
    name, colon, value = line.partition(b":")
    lower = _NAMES.get(name) or _lower(name)
    if not colon:
        raise FramingError("header line without a colon")
    return lower, value.strip(b" \t")


def _lower(name: bytes) -> bytes:
    if len(name) > _LONGEST_NAME:
        raise HeadTooLarge(f"header name over {_LONGEST_NAME} bytes")
    if _TOKEN.fullmatch(name) is None:
        raise FramingError("malformed header name")
    lower = name.lower()
    if len(_NAMES) >= _MOST_NAMES:
        _NAMES.clear()  # one caller's odd names must not slow all others down for good
    _NAMES[name] = lower
    return lower


class HeadBuffer:
    """Collects bytes until a head is complete, within its bound."""

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()  # a head may come byte by byte: each costs the same
        self._in_first_line = True

    def __len__(self) -> int:
        return len(self._buffer)

    def first_line(self) -> bytes | None:
        """An unfinished head's first line, told once: as soon as its end is here."""
        if not self._in_first_line:
            return None
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        self._in_first_line = False
        return bytes(self._buffer[: end + 1])

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add *data*; once the head ends, return it (with its last CRLF) and what follows.

        :raises HeadTooLarge: the bound was passed without an end.
        """
        held = self._buffer
        if held:
            seen = max(0, len(held) - 3)
            held += data
            end = held.find(_END, seen)
        else:
            end = data.find(_END)
            if end < 0:
                held += data
        # Up to three bytes of the ending may be here before the head is known to fit.
        if end > self._limits.size or (end < 0 and len(held) > self._limits.size + 3):
            held.clear()
            raise HeadTooLarge(f"head over {self._limits.size} bytes")
        if end < 0:
            return None
        if held:
            data = bytes(held)
            held.clear()
            self._in_first_line = True
        return data[: end + 2], data[end + 4 :]


class Index:
    """Look-ups in a head's fields by lower-case name."""

    __slots__ = ("_fields", "_last", "_repeats")

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._last = dict(fields)
        self._repeats = len(self._last) != len(fields)

    def any_of(self, names: frozenset[bytes]) -> bool:
        """Whether one of *names* is there."""
        return not names.isdisjoint(self._last)

    def one(self, name: bytes) -> bytes | None:
        """The value of a field that may stand once.

        :raises FramingError: it stands more than once.
        """
        value = self._last.get(name)
        if self._repeats and sum(key == name for key, _ in self._fields) > 1:
            raise FramingError(f"repeated {name.decode('ascii')}")
        return value

    def tokens(self, name: bytes) -> tuple[bytes, ...]:
        """Lower-case members of a comma-separated list field, over all its lines."""
        last = self._last.get(name)
        if last is None:
            return ()
        if not self._repeats and b"," not in last:
            return (last.lower(),) if last else ()
        return tuple(
            part
            for key, value in self._fields
            if key == name
            for piece in value.split(b",")
            if (part := piece.strip(b" \t").lower())
        )
