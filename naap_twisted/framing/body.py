"""Message bodies: by length, chunked, or until close (RFC 9112 sections 6 and 7)."""

from __future__ import annotations

import re
from math import inf
from typing import Protocol

from .fields import FramingError, HeadTooLarge, parse_fields
from .head import CHUNKED, UNTIL_CLOSE

# Size in hex, then an optional extension, which is ignored but bounded and kept printable.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})((?:[ \t]{0,16};[\t\x20-\x7e\x80-\xff]{0,255})?)\r\n")
_MAX_CHUNK_LINE = 300
_MAX_TRAILERS = 8 * 1024
_MAX_TRAILER_LINES = 20
#: What a chunk is charged at least, in bytes: the shortest framing has five.
LEAST_CHARGE = 8

CHUNKED_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112 section 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class BodyDecoder(Protocol):
    """One body's worth of bytes."""

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Payload pieces in *data*, and what follows the body once it has ended, else ``None``.

        :raises FramingError: the bytes are not a body of this kind.
        """

    def eof(self) -> bool:
        """Whether a close here ends the body completely."""


def body_decoder(announced: int, free: int | None = None) -> BodyDecoder:
    """The decoder for what a head announced: bytes, CHUNKED or UNTIL_CLOSE.

    :param free: see :class:`ChunkedDecoder`.
    """
    if announced == CHUNKED:
        return ChunkedDecoder(free)
    if announced == UNTIL_CLOSE:
        return CloseDecoder()
    return LengthDecoder(announced)


class LengthDecoder:
    """Content-Length."""

    def __init__(self, length: int) -> None:
        self.left = length

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        size = len(data)
        if size < self.left:
            self.left -= size
            return [data], None
        cut, self.left = self.left, 0
        if size == cut:
            return ([data] if data else []), b""
        return ([data[:cut]] if cut else []), data[cut:]

    def eof(self) -> bool:
        return self.left == 0


class CloseDecoder:
    """Until the peer closes: only a response may be framed so."""

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        return ([data] if data else []), None

    def eof(self) -> bool:
        return True


class ChunkedDecoder:
    """Chunked transfer coding. Trailer fields are checked, bounded and dropped.

    A chunk is work whatever it carries, so a body made of nothing but framing costs a sender
    little and the reader much. Each chunk is therefore charged its framing, and
    :data:`LEAST_CHARGE` bytes at least; its payload pays for it.

    :param free: bytes of framing that a body may have beyond what its payload pays for;
        ``None``: no bound. An upstream's stream of one-byte events is legal, and nobody can make
        it longer than the upstream that the owner chose.
    """

    def __init__(self, free: int | None = None) -> None:
        self._buffer = b""
        self._left = 0  # payload bytes left in the current chunk
        self._need_crlf = False
        self._in_trailers = False
        self._done = False
        self._credit: float = inf if free is None else free

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        held = len(self._buffer)
        if held:
            data, self._buffer = self._buffer + data, b""
        pieces: list[bytes] = []
        position, size = 0, len(data)
        while position < size:
            if self._in_trailers:
                return pieces, self._trailers(data[position:], held - position)
            if self._left:
                stop = min(size, position + self._left)
                pieces.append(data[position:stop] if position or stop < size else data)
                self._left -= stop - position
                position = stop
                self._need_crlf = self._left == 0
            elif self._need_crlf:
                if data[position : position + 2] != b"\r\n":
                    if data[position:] == b"\r":
                        break
                    raise FramingError("chunk does not end in CRLF")
                position += 2
                self._need_crlf = False
            else:
                position = self._whole_chunks(data, position, pieces)
                if not self._left and not self._in_trailers:
                    break  # all of it, or inside a size line
        self._buffer = data[position:]
        return pieces, None

    def _whole_chunks(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Read the chunks that lie whole in *data*; where the first that does not, begins.

        Of that one the size line is read, too, if it is there; what is left of it is in the state.
        """
        read_line, credit, size = _CHUNK_LINE.match, self._credit, len(data)
        while position < size:
            match = read_line(data, position)
            if match is None:
                if data.find(b"\n", position) >= 0 or size - position > _MAX_CHUNK_LINE:
                    raise FramingError("malformed chunk size")
                break
            begin, length = match.end(), int(match[1], 16)
            if not length:
                self._in_trailers = True
                return begin
            framing = begin - position + 2
            credit += length - (framing if framing > LEAST_CHARGE else LEAST_CHARGE)
            if credit < 0:
                raise FramingError("more framing than payload in a chunked body")
            end = begin + length
            if data[end : end + 2] != b"\r\n":
                self._left, self._credit = length, credit
                return begin
            pieces.append(data[begin:end])
            position = end + 2
        self._credit = credit
        return position

    def _trailers(self, data: bytes, held: int) -> bytes | None:
        """Read them to their end; the first *held* bytes of *data* were looked at before."""
        if data.startswith(b"\r\n"):
            self._done = True
            return data[2:]
        end = data.find(b"\r\n\r\n")
        if end > _MAX_TRAILERS or (end < 0 and len(data) > _MAX_TRAILERS + 3):
            raise HeadTooLarge("trailers too large")
        if end < 0:
            if not b"\r\n".startswith(data) and b"\n" in data[max(0, held) :]:
                parse_fields(data[: data.rfind(b"\n") + 1], _MAX_TRAILER_LINES)
            self._buffer = data
            return None
        parse_fields(data[: end + 2], _MAX_TRAILER_LINES)
        self._done = True
        return data[end + 4 :]

    def eof(self) -> bool:
        return self._done
