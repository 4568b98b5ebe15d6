"""Content codings (RFC 9110 section 8.4.1), undone so that secrets in a body can be found. Pure.

The proxy asks upstreams for none. An upstream that encodes its answer all the same, or because the
page was let to ask, could repeat a key unseen. Bounds of size and ratio keep a small body from
filling the memory (a "zip bomb").
"""

from __future__ import annotations

import zlib

from .fields import Fields

#: Bytes of a body that is searched in one piece, both with and without its coding.
MOST_WHOLE = 1024 * 1024
#: Past its first bytes a body may become this many times as long; one of zeros becomes 1,000 times.
MOST_RATIO = 100
_FREE_OF_RATIO = 64 * 1024
#: RFC 1952 lets a body be a chain of gzip members. Real ones have few, and each costs time.
MOST_MEMBERS = 64

_GZIP = frozenset((b"gzip", b"x-gzip"))
#: Codings that are undone here.
READ_CODINGS = _GZIP | {b"deflate"}
_PLAIN = frozenset((b"", b"identity"))


class Unreadable(Exception):
    """The coding of a body is unknown or broken, or the body is past a bound."""


def coding_of(fields: Fields) -> bytes:
    """The content codings of an answer in lower case, joined with commas; ``b""`` for none.

    >>> coding_of([(b"content-encoding", b"GZIP, identity")])
    b'gzip'
    """
    codings = [
        coding.strip().lower()
        for name, value in fields
        if name == b"content-encoding"
        for coding in value.split(b",")
    ]
    return b",".join(coding for coding in codings if coding not in _PLAIN)


class Inflater:
    """Undoes one content coding, a bounded piece at a time.

    :param coding: the result of :func:`coding_of`.
    :raises Unreadable: *coding* is neither gzip nor deflate.
    """

    def __init__(self, coding: bytes) -> None:
        self._gzip = coding in _GZIP
        if coding not in READ_CODINGS:
            raise Unreadable("a content coding that is not read")
        self._waiting = b""
        self._engine = zlib.decompressobj(wbits=31) if self._gzip else None
        self._members = 1
        self._full = False
        self._empty = True
        self._put = self._taken = 0

    def put(self, data: bytes) -> None:
        """Add the next bytes of the body."""
        self._put += len(data)
        self._waiting += data
        self._empty = self._empty and not data

    @property
    def waits(self) -> bool:
        """Whether :meth:`take` may still give some of the bytes that were put."""
        return bool(self._waiting) or self._full

    def take(self, most: int) -> bytes:
        """Up to *most* bytes without the coding.

        :raises Unreadable: the bytes are not in the coding that was declared, or past a bound.
        """
        pieces, room = [], most
        while room and self.waits:
            try:
                piece = self._step(room)
            except zlib.error:
                raise Unreadable("a broken content coding") from None
            pieces.append(piece)
            room -= len(piece)
        self._taken += most - room
        if self._taken > max(_FREE_OF_RATIO, MOST_RATIO * self._put):
            raise Unreadable(f"more than {MOST_RATIO} times as long without its content coding")
        return b"".join(pieces)

    def end(self) -> None:
        """The body is over, and all of it has been taken.

        :raises Unreadable: the coding breaks off. An empty body, as of a HEAD, is not broken.
        """
        if not self._empty and (self._engine is None or not self._engine.eof):
            raise Unreadable("a content coding that breaks off")

    def _step(self, room: int) -> bytes:
        engine = self._engine
        if engine is None:
            self._engine = engine = zlib.decompressobj(wbits=self._window())
        if engine.eof:
            self._members += 1
            if not self._gzip or self._members > MOST_MEMBERS:
                raise Unreadable("bytes behind the end of its content coding")
            self._engine = engine = zlib.decompressobj(wbits=31)
        piece = engine.decompress(self._waiting, room)
        self._waiting = engine.unused_data if engine.eof else engine.unconsumed_tail
        # zlib may hold more output back when a piece fills all the room.
        self._full = len(piece) == room and not engine.eof
        return piece

    def _window(self) -> int:
        """zlib's window bits: "deflate" means zlib's format, but some servers send it bare."""
        first = self._waiting[:2]
        zlib_header = first[0] & 15 == 8 and (
            len(first) < 2 or (first[0] << 8 | first[1]) % 31 == 0
        )
        return 15 if zlib_header else -15


def inflated(inflater: Inflater, body: bytes) -> bytes:
    """A complete *body* without its coding.

    :raises Unreadable: the coding is broken, or the result has over :data:`MOST_WHOLE` bytes.
    """
    inflater.put(body)
    text = inflater.take(MOST_WHOLE)
    if inflater.waits and inflater.take(1):
        raise Unreadable(f"more than {MOST_WHOLE} bytes without its content coding")
    inflater.end()
    return text
