"""Header blocks: finding their end, splitting them, refusing what is none (RFC 9112 section 5)."""

from __future__ import annotations

import re

from attrs import frozen

Fields = list[tuple[bytes, bytes]]

# One line of a field block. Refuses by not matching: obs-fold, space before the colon, empty names,
# bare CR, LF, NUL and other control bytes in values. Blanks around a value are stripped later:
# matched here, a long run of them would cost quadratic time.
_LINE = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)\r\n", re.MULTILINE)
_END = b"\r\n\r\n"


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


def parse_fields(block: bytes, max_lines: int) -> Fields:
    """Split a field block (each line with its CRLF) into ``(lower-case name, value)`` pairs.

    :raises FramingError: a line is not ``name: value`` CRLF.
    :raises HeadTooLarge: more than *max_lines* lines.
    """
    lines = block.count(b"\n")
    if lines > max_lines:
        raise HeadTooLarge(f"more than {max_lines} header lines")
    pairs = _LINE.findall(block)
    # Each match ends at one LF and starts right after another: equal counts mean full coverage.
    if len(pairs) != lines:
        raise FramingError("malformed header line")
    return [(name.lower(), value.strip(b" \t")) for name, value in pairs]


class HeadBuffer:
    """Collects bytes until a head is complete, within its bound."""

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._buffer = b""

    def __len__(self) -> int:
        return len(self._buffer)

    def peek(self) -> bytes:
        """What is here of an unfinished head."""
        return self._buffer

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add *data*; once the head ends, return it (with its last CRLF) and what follows.

        :raises HeadTooLarge: the bound was passed without an end.
        """
        if self._buffer:
            seen = max(0, len(self._buffer) - 3)
            data = self._buffer + data
        else:
            seen = 0
        end = data.find(_END, seen)
        # Up to three bytes of the ending may be here before the head is known to fit.
        if end > self._limits.size or (end < 0 and len(data) > self._limits.size + 3):
            raise HeadTooLarge(f"head over {self._limits.size} bytes")
        if end < 0:
            self._buffer = data
            return None
        self._buffer = b""
        return data[: end + 2], data[end + 4 :]


def one_value(fields: Fields, name: bytes) -> bytes | None:
    """The value of a field that may stand once.

    :raises FramingError: it stands more than once.
    """
    values = [value for key, value in fields if key == name]
    if len(values) > 1:
        raise FramingError(f"repeated {name.decode('ascii')}")
    return values[0] if values else None


def tokens(fields: Fields, name: bytes) -> list[bytes]:
    """Lower-case members of a comma-separated list field, over all its lines."""
    return [
        part
        for key, value in fields
        if key == name
        for piece in value.split(b",")
        if (part := piece.strip(b" \t").lower())
    ]
