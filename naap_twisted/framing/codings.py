"""Content codings that are undone to look into a body (RFC 9110 section 8.4.1). Pure.

An upstream is asked for none. One that encodes all the same, or that a page may ask for it, hides
what it repeats; bounds of size and ratio keep a small body from becoming all memory and time.
"""

from __future__ import annotations

import zlib

from .fields import Fields

#: Of a body that is looked at as a whole, as it came and as it is without its coding.
MOST_WHOLE = 1024 * 1024
#: A body may become this many times as long, past the first bytes: zeros do, in any number.
MOST_RATIO = 100
_FREE_OF_RATIO = 64 * 1024
#: RFC 1952 lets a body be a chain of gzip members; nobody sends many, for each costs time.
MOST_MEMBERS = 64

_GZIP = frozenset((b"gzip", b"x-gzip"))
_PLAIN = frozenset((b"", b"identity"))


class Unreadable(Exception):
    """A body that can't be looked into: its coding is unknown or broken, or it is past a bound."""


def coding_of(fields: Fields) -> bytes:
    """The content coding of an answer in lower case, several with commas; ``b""``: none."""
    codings = [
        coding.strip().lower()
        for name, value in fields
        if name == b"content-encoding"
        for coding in value.split(b",")
    ]
    return b",".join(coding for coding in codings if coding not in _PLAIN)


class Inflater:
    """Undoes one coding, as much at a time as is asked for.

    :param coding: as :func:`coding_of` says it.
    :raises Unreadable: it is neither gzip nor deflate.
    """

    def __init__(self, coding: bytes) -> None:
        self._gzip = coding in _GZIP
        if not self._gzip and coding != b"deflate":
            raise Unreadable("a content coding that is not read")
        self._waiting = b""
        self._engine = zlib.decompressobj(wbits=31) if self._gzip else None
        self._members = 1
        self._full = False
        self._empty = True
        self._put = self._taken = 0

    def put(self, data: bytes) -> None:
        """The next bytes of the body."""
        self._put += len(data)
        self._waiting += data
        self._empty = self._empty and not data

    @property
    def waits(self) -> bool:
        """Whether :meth:`take` may have more to give of what was put."""
        return bool(self._waiting) or self._full

    def take(self, most: int) -> bytes:
        """Up to *most* bytes without the coding.

        :raises Unreadable: not the coding it claims to be, or past a bound.
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
        """The body is over, and everything taken.

        :raises Unreadable: in the middle of its coding. No body at all is none that is broken.
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
        # What fills all the room may not be all there is, though every byte was read.
        self._full = len(piece) == room and not engine.eof
        return piece

    def _window(self) -> int:
        """Of a deflate body: zlib's own format, as the standard says, or bare as some send it."""
        first = self._waiting[:2]
        zlib_header = first[0] & 15 == 8 and (
            len(first) < 2 or (first[0] << 8 | first[1]) % 31 == 0
        )
        return 15 if zlib_header else -15


def inflated(inflater: Inflater, body: bytes) -> bytes:
    """A whole *body* without its coding.

    :raises Unreadable: it is broken, or more than :data:`MOST_WHOLE` bytes.
    """
    inflater.put(body)
    text = inflater.take(MOST_WHOLE)
    if inflater.waits and inflater.take(1):
        raise Unreadable(f"more than {MOST_WHOLE} bytes without its content coding")
    inflater.end()
    return text
