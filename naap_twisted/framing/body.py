"""Decoders of message bodies: by length, chunked, or until close (RFC 9112 sections 6 and 7)."""

from __future__ import annotations

import re
from math import inf
from typing import Protocol

from .fields import FramingError, HeadTooLarge, parse_fields
from .head import CHUNKED, UNTIL_CLOSE

# The size in hex, then perhaps an extension, which is ignored, but has to be short and printable.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})((?:[ \t]{0,16};[\t\x20-\x7e\x80-\xff]{0,255})?)\r\n")
# Some servers pad the size with blanks, which RFC 9112 allows before an extension only.
_PADDED_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,8})[ \t]{1,16}(?:;[\t\x20-\x7e\x80-\xff]{0,255})?\r\n"
)
_MAX_CHUNK_LINE = 300
_MAX_TRAILERS = 8 * 1024
_MAX_TRAILER_LINES = 20
#: The bytes that a chunk is charged at least; the shortest framing has five.
LEAST_CHARGE = 8

CHUNKED_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """*data* as one chunk (RFC 9112 section 7.1).

    >>> chunk(b"hello")
    b'5\\r\\nhello\\r\\n'
    """
    return b"%x\r\n%s\r\n" % (len(data), data)


class BodyDecoder(Protocol):
    """Takes the framing off one body.

    :ivar odd: the framing was not RFC 9112's, though it could be read in one way only. Nothing that
        follows such a body is read.
    """

    odd: bool

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """The payload pieces in *data*, and the bytes that follow the body once it has ended.

        The second is ``None`` while the body has not ended.

        :raises FramingError: the bytes are not a body of this kind.
        """

    def eof(self) -> bool:
        """Whether the body is complete if the peer closes the connection now."""


def body_decoder(body_length: int, free: int | None = None) -> BodyDecoder:
    """The decoder for the body that a head announced.

    :param body_length: a number of bytes, ``CHUNKED`` or ``UNTIL_CLOSE``.
    :param free: see :class:`ChunkedDecoder`.
    """
    if body_length == CHUNKED:
        return ChunkedDecoder(free)
    return CloseDecoder() if body_length == UNTIL_CLOSE else LengthDecoder(body_length)


class LengthDecoder:
    """The decoder for a body with a Content-Length."""

    odd = False

    def __init__(self, length: int) -> None:
        self.left = length

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        if len(data) < self.left:
            self.left -= len(data)
            return [data], None
        left, self.left = self.left, 0
        return ([data[:left]] if left else []), data[left:]

    def eof(self) -> bool:
        return self.left == 0


class CloseDecoder:
    """The decoder for a response body that ends when the upstream closes the connection."""

    odd = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        return ([data] if data else []), None

    def eof(self) -> bool:
        return True


class ChunkedDecoder:
    """The decoder for the chunked transfer coding. It checks, bounds and drops trailer fields.

    Each chunk is work for the reader whatever it carries, so a body of many tiny chunks costs its
    sender little and the reader much. The decoder therefore charges each chunk its framing, or
    :data:`LEAST_CHARGE` bytes, and its payload pays for it.

    :param free: bytes of framing that a body may have beyond what its payload pays for. ``None``
        sets no bound, for upstreams: a stream of one-byte events is legal, and only the upstream
        that the operator chose can send it. From an upstream a size that is padded with blanks is
        read as well, for its answer has been paid for; no request of a browser is read so.
    """

    odd = False

    def __init__(self, free: int | None = None) -> None:
        self._buffer = b""
        self._left = 0  # payload bytes that the current chunk still has
        self._need_crlf = False
        self._in_trailers = False
        self._done = False
        self._credit: float = inf if free is None else free
        self._padded = _PADDED_CHUNK_LINE.match if free is None else None

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
                position = self._complete_chunks(data, position, pieces)
                if not self._left and not self._in_trailers:
                    break  # *data* is used up, or ends inside a size line
        self._buffer = data[position:]
        return pieces, None

    def _complete_chunks(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Read the chunks that *data* holds completely, from *position* on.

        The result is the position at which reading goes on. Of the chunk that *data* cuts off the
        size line is read, too, if it is complete; the state then holds how much is left.
        """
        read_line, credit, size = _CHUNK_LINE.match, self._credit, len(data)
        while position < size:
            match = read_line(data, position)
            if match is None:
                match = self._padded(data, position) if self._padded else None
                if match is None:
                    if data.find(b"\n", position) >= 0 or size - position > _MAX_CHUNK_LINE:
                        raise FramingError("malformed chunk size")
                    break
                self.odd = True
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
        """The bytes behind the trailer section, or ``None`` while its end is not here.

        :param held: how many bytes of *data* an earlier call has looked at.
        """
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
