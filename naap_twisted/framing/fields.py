"""Header sections: their end is found, their lines are split and checked (RFC 9112 section 5)."""

from __future__ import annotations

import re

from attrs import frozen

#: A header list as it was read: lower-case names and values, in order.
Fields = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: Bytes that no header line holds (RFC 9110 section 5.5): control bytes without TAB. CR and LF are
#: missing here, because the reader counts them.
CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\r\n")
_LONGEST_NAME = 256  # Twisted's Headers remember 10,000 names of any length
_END = b"\r\n\r\n"
#: As many times the bound of a head are looked at for the answer that refuses it, if they are here.
_MOST_KEPT = 2
_MOST_LINES = 64
_LONGEST_LINE = 256
# Only lines of these names are remembered. They repeat, and none holds a credential, which must not
# outlive its request.
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
    """The peer's bytes are not HTTP/1.1 as this proxy accepts it. The text is for the log only."""


class HeadTooLarge(FramingError):
    """A head or a trailer section is over its bound in bytes or lines."""


@frozen
class HeadLimits:
    """The bounds of one head.

    :ivar size: bytes of start line and header section together.
    :ivar lines: number of header lines.
    """

    size: int = 32 * 1024
    lines: int = 100


class KnownLines(dict[bytes, tuple[bytes, bytes]]):
    """Header lines that one connection has sent before, with the pair that each was read as.

    Most lines of a head repeat those of the head before it, and a line that has passed every check
    needs none of them again. Connections do not share their lines, so that the time that one
    caller's request takes tells nothing about another caller's.
    """

    __slots__ = ()

    def keep(self, line: bytes, pair: tuple[bytes, bytes]) -> None:
        """Remember *line* if it may be remembered; a full memory is emptied before."""
        if pair[0] in _KEPT and len(line) <= _LONGEST_LINE:
            if len(self) >= _MOST_LINES:
                self.clear()
            self[line] = pair


def parse_fields(block: bytes, max_lines: int, known: KnownLines | None = None) -> Fields:
    """Split a header section, each line with its CRLF, into lower-case names and values.

    :param known: the lines that passed before, to which those of *block* are added.
    :raises FramingError: a line is not ``name: value`` CRLF.
    :raises HeadTooLarge: there are more than *max_lines* lines.

    >>> parse_fields(b"Accept: a\\r\\nX-B:c \\r\\n", 100)
    [(b'accept', b'a'), (b'x-b', b'c')]
    """
    count = block.count(b"\n")
    if count > max_lines:
        raise HeadTooLarge(f"more than {max_lines} header lines")
    lines = block.split(b"\r\n")
    # Every CR and every LF has to be half of a line's CRLF, and the last line needs a CRLF, too.
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
    name, colon, value = line.partition(b":")
    if len(name) > _LONGEST_NAME:
        raise HeadTooLarge(f"header name over {_LONGEST_NAME} bytes")
    # A folded line, or a space before the colon, fails here: neither makes a token.
    if _TOKEN.fullmatch(name) is None:
        raise FramingError("malformed header name")
    if not colon:
        raise FramingError("header line without a colon")
    return name.lower(), value.strip(b" \t")


def leading_fields(block: bytes, max_lines: int) -> Fields:
    """The complete and well-formed lines that *block* opens with, whatever stands behind them.

    They are for the answer that refuses *block*; no request is made of them.

    >>> leading_fields(b"Origin: a\\r\\nNo colon\\r\\nHost: b\\r\\nHalf: ", 100)
    [(b'origin', b'a')]
    """
    fields: Fields = []
    for line in block.split(b"\r\n")[:-1][:max_lines]:
        try:
            if b"\r" in line or b"\n" in line:
                break
            fields.append(_read_line(line))
        except FramingError:
            break
    return fields


class HeadBuffer:
    """Collects a peer's bytes until a head is complete, or over its bound.

    A line that does not end in CRLF is told at once, and not when a head that ends its lines so
    has made its reader wait for an end that never comes.
    """

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()  # appending a byte costs the same however long the head is
        self._in_first_line = True

    def __len__(self) -> int:
        return len(self._buffer)

    def take(self) -> bytes:
        """What is held of an unfinished head, or of one that :meth:`feed` refused."""
        held = bytes(self._buffer)
        self._buffer.clear()
        return held

    def first_line(self) -> bytes | None:
        """The first line of an unfinished head, once; ``None`` before its end and afterwards."""
        if not self._in_first_line:
            return None
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        self._in_first_line = False
        return bytes(self._buffer[: end + 1])

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add *data*. Once the head ends: the head with its last CRLF, and the bytes behind it.

        :raises HeadTooLarge: the head passed its bound before it ended.
        :raises FramingError: a line of a head that has not ended does not end in CRLF.
        """
        held = self._buffer
        before = len(held)
        if held:
            held += data
            end = held.find(_END, max(0, before - 3))
        else:
            end = data.find(_END)
            if end < 0:
                held += data
        # Three bytes of the ending may stand behind a head that just fits.
        if end > self._limits.size or (end < 0 and len(held) > self._limits.size + 3):
            # Browsers write Origin behind what a page set itself; it often came with the rest.
            self._buffer = bytearray((held or data)[: _MOST_KEPT * self._limits.size])
            raise HeadTooLarge(f"head over {self._limits.size} bytes")
        if end < 0:
            self._check_line_ends(before)
            return None
        if held:
            data = bytes(held)
            held.clear()
            self._in_first_line = True
        return data[: end + 2], data[end + 4 :]

    def _check_line_ends(self, begin: int) -> None:
        """Refuse a CR or LF that is not half of a CRLF in what came from *begin* on."""
        held = self._buffer
        if begin and held[begin - 1 : begin] == b"\r":
            begin -= 1
        text = held[begin:]
        pairs = text.count(b"\r\n")
        # The CR at the very end may still become one.
        lone = text.count(b"\r") - text.endswith(b"\r") - pairs
        if lone or text.count(b"\n") != pairs:
            raise FramingError("a line that does not end in CRLF")


class FieldIndex:
    """The fields of one head by their lower-case names."""

    __slots__ = ("_fields", "_last", "_repeats")

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._last = dict(fields)
        self._repeats = len(self._last) != len(fields)

    def any_of(self, names: frozenset[bytes]) -> bool:
        """Whether the head has a field of one of *names*."""
        return not names.isdisjoint(self._last)

    def single(self, name: bytes) -> bytes | None:
        """The value of a field that may stand only once, or ``None``.

        :raises FramingError: the field stands more than once.
        """
        value = self._last.get(name)
        if self._repeats and sum(key == name for key, _ in self._fields) > 1:
            raise FramingError(f"repeated {name.decode('ascii')}")
        return value

    def frames_body(self) -> bool:
        """Whether a field of framing announces a body, be it of no bytes."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self._fields
        )

    def members(self, name: bytes) -> tuple[bytes, ...]:
        """The members of a comma-separated field in lower case, from all of its lines."""
        if name not in self._last:
            return ()
        return tuple(
            member
            for key, value in self._fields
            if key == name
            for piece in value.split(b",")
            if (member := piece.strip(b" \t").lower())
        )
