"""The spellings that a text can have, and how escaped spellings are read. Pure.

A :class:`Layer` is a text with one layer of escapes undone (percent, JSON, JavaScript, HTML). It
maps each of its bytes back to the place of its spelling. An escape within an escape, such as a JSON
text inside a JSON string, is a second layer on the first.
"""

from __future__ import annotations

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from html.entities import html5
from operator import itemgetter

#: Folds case and the two alphabets of base64 (RFC 4648 section 5) into one.
FOLD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", b"abcdefghijklmnopqrstuvwxyz+/")

#: Entities of single printable ASCII characters, such as ``amp`` and ``sol``.
_ENTITIES = {
    name[:-1].encode(): char.encode()
    for name, char in html5.items()
    if name.endswith(";") and len(char) == 1 and char.isascii() and char.isprintable()
}


def _escapes(punctuation: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """The patterns of an escape, for a text that is complete and for one that goes on.

    The second also matches the beginning of an escape at the end. Every repeat is bounded, so that
    such a beginning is short; and no escape is the beginning of another one.

    :param punctuation: characters that stand for themselves behind a backslash.
    """
    names = b"|".join(sorted(_ENTITIES))
    complete = (
        rb"%([0-9A-Fa-f]{2})"
        rb"|\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([" + punctuation + rb"]))"
        rb"|&(?:\#([0-9]{1,7})|\#[xX]([0-9A-Fa-f]{1,6})|(" + names + rb"));"
    )
    longest = str(max(map(len, _ENTITIES))).encode()
    begun = (
        rb"(%[0-9A-Fa-f]?\Z"
        rb"|\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?\Z"
        rb"|&(?:\#(?:[0-9]{0,7}|[xX][0-9A-Fa-f]{0,6})|[A-Za-z]{0," + longest + rb"})\Z)"
    )
    return re.compile(complete), re.compile(complete + b"|" + begun)


# "%" and "&" are left out: behind a backslash they begin an escape that spells the other half.
_ESCAPES = _escapes(rb"!#$(-/:-@\[-`{-~")
# Half of all escapes in JSON are of quotes, which few secrets hold.
_ESCAPES_AND_QUOTES = _escapes(rb"!-$'-/:-@\[-`{-~")
_Mark = tuple[int, int, int, int]
_START, _MEANT_AT = itemgetter(0), itemgetter(2)
_HEX_BYTES, _HEX_CHARACTERS, _LITERAL, _DECIMAL, _BEGINNING = (1, 3), (2, 6), 4, 5, 8


def spellings(text: bytes) -> Iterator[bytes]:
    """*text* in every spelling that no :class:`Layer` undoes, folded.

    The spellings are the text itself, hexadecimal, UTF-16, and base64 at each of the three places
    where it can begin in a group, without characters that hold bits of its neighbours. An upstream
    that reads headers as Latin-1 sends a text that is not ASCII back as UTF-8, too.
    """
    for read in {text, text if text.isascii() else text.decode("latin-1").encode("utf-8")}:
        yield read.translate(FOLD)
        yield read.hex().encode()
        yield b"\0".join(read[at : at + 1] for at in range(len(read))).translate(FOLD)
        for before in range(3):
            packed = b64encode(bytes(before) + read)
            yield packed[-(-8 * before // 6) : 8 * (before + len(read)) // 6].translate(FOLD)


class Layer:
    """A text with one layer of its escapes undone.

    :param under: the text with its escapes.
    :param more: further bytes will follow; an escape that the end may cut in two is left out.
    :param quotes: undo escaped quotes, too.
    :ivar text: the text without the escapes.
    :ivar closed: how many bytes of *under* the text covers.
    """

    __slots__ = ("_marks", "closed", "text")

    def __init__(self, under: bytes, *, more: bool, quotes: bool) -> None:
        # The start and end of each escape in *under*, and of its meaning in the text.
        self._marks: list[_Mark] = []
        self.closed = len(under)
        pieces: list[bytes] = []
        end = size = 0
        escapes = (_ESCAPES_AND_QUOTES if quotes else _ESCAPES)[more]
        for match in escapes.finditer(under):
            start, to = match.span()
            if match.lastindex == _BEGINNING:
                self.closed = start
                break
            meant = _meant(match)
            pieces += (under[end:start], meant)
            at = size + start - end
            size = at + len(meant)
            self._marks.append((start, to, at, size))
            end = to
        pieces.append(under[end : self.closed])
        self.text = b"".join(pieces)

    def first(self, at: int) -> int:
        """The place in *under* where the spelling of the byte *at* of the text begins."""
        start, end, _, meant_to = self._mark(at, _MEANT_AT)
        return start if at < meant_to else end + at - meant_to

    def last(self, to: int) -> int:
        """The place in *under* where the spelling of the byte before *to* of the text ends."""
        _, end, _, meant_to = self._mark(to - 1, _MEANT_AT)
        return end + max(0, to - meant_to)

    def floor(self, place: int) -> int:
        """*place* in *under*, or the start of the escape that *place* would cut in two."""
        start, end, _, _ = self._mark(place, _START)
        return start if place < end else place

    def up(self, place: int) -> int:
        """The place in the text of the byte at *place* in *under*, which cuts no escape."""
        _, end, meant_at, meant_to = self._mark(place, _START)
        return meant_at if place < end else meant_to + place - end

    def _mark(self, place: int, column: Callable[[_Mark], int]) -> _Mark:
        """The marks of the last escape at or before *place*."""
        number = bisect_right(self._marks, place, key=column)
        return self._marks[number - 1] if number else (0, 0, 0, 0)


def _meant(match: re.Match[bytes]) -> bytes:
    """The byte that an escape stands for, or the character, in UTF-8."""
    group = match.lastindex or 0
    payload = match[group]
    if group == _LITERAL:
        return payload
    if group in _HEX_BYTES:
        return bytes((int(payload, 16),))
    if group in _HEX_CHARACTERS or group == _DECIMAL:
        number = int(payload, 10 if group == _DECIMAL else 16)
        return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b"\xff"
    return _ENTITIES[payload]
