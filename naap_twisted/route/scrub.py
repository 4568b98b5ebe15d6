"""The reflection guard: keeps a key that an upstream repeats from the browser. Pure.

An upstream repeats a key as it was sent, or as a debugging page or an error object spells it: see
:mod:`naap_twisted.route.spellings`. In every spelling the whole of it becomes ``[redacted]``.
"""

from __future__ import annotations

import binascii
import sys
from base64 import b64decode
from collections.abc import Iterable

from ..model import HeaderValue
from ..secret import REDACTED, SHORTEST_GUARDED, Secret, basic_parts
from .spellings import FOLD, Layer, spellings

_SHORTEST_PART = 4
#: Escapes within escapes, such as JSON in a JSON string in a URL.
_MOST_LAYERS = 3
_REDACTED = REDACTED.encode()

#: Values of these headers stand in most responses, too, and are never secret.
_PUBLIC = frozenset(
    (b"accept", b"accept-encoding", b"accept-language", b"content-type", b"user-agent")
)

Span = tuple[int, int]


class Guard:
    """Finds injected secrets in an upstream's response.

    Short values are not guarded: they are version strings and the like, not keys.

    :param injected: the fields that are sent; the guard looks for Secrets among them.
    :param secrets: further secrets, wherever they are sent.
    """

    def __init__(self, injected: Iterable[tuple[bytes, HeaderValue]] = (), *secrets: Secret):
        self._secrets: list[set[bytes]] = []
        # No spelling is shorter than its text, so data shorter than every key holds none. Most
        # header values are that short.
        self._shortest = sys.maxsize
        sent = [value for name, value in injected if name.lower() not in _PUBLIC]
        for secret in (*sent, *secrets):
            if isinstance(secret, Secret):
                texts = {text for text in _texts(secret) if len(text) >= SHORTEST_GUARDED}
                if texts:
                    self._secrets.append(texts)
                    self._shortest = min(self._shortest, *map(len, texts))
        # _spelled() fills these at the first look: a guard may serve one request only, and the
        # values of most responses are too short to be looked at.
        self._needles: tuple[bytes, ...] = ()
        self._bytes = frozenset[int]()
        self._quotes = False

    def beside(self, *secrets: Secret, injected: Iterable[tuple[bytes, HeaderValue]] = ()) -> Guard:
        """A guard that looks for *secrets*, and for those of the fields *injected*, as well."""
        more = Guard(injected, *secrets)
        more._secrets = [*self._secrets, *more._secrets]
        more._shortest = min(self._shortest, more._shortest)
        return more

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def clean(self, data: bytes) -> bytes:
        """*data* with every secret replaced by ``[redacted]``."""
        if len(data) < self._shortest:
            return data
        return _redacted(data, self.look(data, more=False)[0])

    def holds(self, data: bytes) -> bool:
        """Whether a secret is spelled in *data*."""
        return len(data) >= self._shortest and bool(self.look(data, more=False)[0])

    def clean_cut(self, data: bytes) -> bytes:
        """:meth:`clean` for *data* whose end was cut off; half a secret at the end is removed."""
        spans, begun = self.look(data, more=True)
        if len(data) - begun < _SHORTEST_PART:
            return self.clean(data)
        return _redacted(data[:begun], [span for span in spans if span[1] <= begun])

    def look(self, data: bytes, *, more: bool, through: bool = False) -> tuple[list[Span], int]:
        """The spans of secrets in *data*, and the place where an unfinished one may begin.

        The spans are in order and do not overlap. The place cuts neither a spelling nor an escape:
        the bytes from there on read the same without those before.

        :param more: further bytes will follow.
        :param through: the place may lie within one of the spans.
        """
        text, layers, spelled, begun = data, list[Layer](), list[Span](), len(data)
        while True:
            folded = text.translate(FOLD)
            for first, to in self._find(folded):
                for layer in reversed(layers):
                    first, to = layer.first(first), layer.last(to)
                spelled.append((first, to))
            if more:
                at = len(text) - self._unfinished(folded)
                # first() of a layer's end is where the half escape begins that the layer left out.
                for layer in reversed(layers):
                    at = layer.first(at)
                begun = min(begun, at)
            if len(layers) == _MOST_LAYERS or not (b"%" in text or b"\\" in text or b"&" in text):
                break
            layer = Layer(text, more=more, quotes=self._quotes)
            if layer.text == text:
                break
            layers.append(layer)
            text = layer.text
        spans = _merged(spelled)
        uncut = [] if through else spans
        return spans, _settled(begun, uncut, layers) if begun < len(data) else begun

    def _find(self, folded: bytes) -> list[Span]:
        spans = []
        for needle in self._needles or self._spelled():
            at = folded.find(needle)
            while at >= 0:
                spans.append((at, at + len(needle)))
                at = folded.find(needle, at + 1)
        return spans

    def _spelled(self) -> tuple[bytes, ...]:
        needles = set[bytes]()
        for texts in self._secrets:
            needles.update(text.translate(FOLD) for text in texts)
            for text in texts:
                # Every spelling of "Bearer key" holds a spelling of the key, which is enough.
                if not any(other in text for other in texts if other != text):
                    needles.update(spellings(text))
        self._needles = tuple(sorted(needles))
        self._bytes = frozenset(b"".join(needles))
        self._quotes = not self._bytes.isdisjoint(b"\"'")
        return self._needles

    def _unfinished(self, folded: bytes) -> int:
        """How many bytes at the end of *folded* may be the beginning of a secret."""
        longest = 0
        if not folded or folded[-1] not in self._bytes:
            return longest  # almost every piece of a stream ends with a line end or a bracket
        for needle in self._needles:
            first = needle[:1]
            at = folded.find(first, max(0, len(folded) - len(needle) + 1))
            while 0 <= at < len(folded) - longest:
                if needle.startswith(folded[at:]):
                    longest = len(folded) - at
                    break
                at = folded.find(first, at + 1)
        return longest


class Scrubber:
    """Guards a body that comes in pieces, across their borders.

    A piece waits for the next only where its end looks like the beginning of a secret. A secret may
    begin within the end of another, and so on: what is known to be one does not wait for the next.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._held = b""
        # How much of what is held is the rest of a secret whose "[redacted]" is out.
        self._said = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that may go out once *data* has come."""
        data = self._held + data
        spans, begun = self._guard.look(data, more=True, through=True)
        return self._cut(data, spans, begun)

    def end(self) -> bytes:
        """The bytes that waited, at the end of the body."""
        spans, _ = self._guard.look(self._held, more=False)
        return self._cut(self._held, spans, len(self._held))

    def _cut(self, data: bytes, spans: list[Span], begun: int) -> bytes:
        said, self._said = self._said, 0
        if said:
            spans = _merged([(0, said), *spans])
        redacted = list[Span]()
        for first, to in spans:
            if first < begun or (said and not first):
                redacted.append((first, min(to, begun)))
                self._said = max(0, to - begun)
        self._held = data[begun:]
        out = _redacted(data[:begun], redacted)
        return out[len(_REDACTED) :] if said else out


def _texts(secret: Secret) -> Iterable[bytes]:
    """The texts to look for: the value of *secret*, and the parts of it that are secret alone."""
    value = secret.reveal()
    scheme, _, credentials = value.rpartition(b" ")
    yield value
    yield credentials
    yield from secret.reveal_parts()
    if scheme.strip().lower() == b"basic":
        # RFC 7617: an upstream decodes the pair, and may quote it.
        try:
            pair = b64decode(credentials + b"=" * (-len(credentials) % 4), validate=True)
        except binascii.Error:
            return
        yield from basic_parts(pair)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for first, to in sorted(spans):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(to, merged[-1][1]))
        else:
            merged.append((first, to))
    return merged


def _settled(begun: int, spans: list[Span], layers: list[Layer]) -> int:
    """*begun*, or the last place before it that is inside no span and no layer's escape."""
    settled = False
    while not settled:
        settled = True
        place = begun
        for depth, layer in enumerate(layers):
            floor = layer.floor(place)
            if floor < place:
                for under in reversed(layers[:depth]):
                    floor = under.first(floor)
                begun, settled = floor, False
                break
            place = layer.up(place)
        for first, to in spans:
            if first < begun < to:
                begun, settled = first, False
    return begun


def _redacted(data: bytes, spans: list[Span]) -> bytes:
    if not spans:
        return data
    pieces, end = list[bytes](), 0
    for first, to in spans:
        pieces += (data[end:first], _REDACTED)
        end = to
    return b"".join((*pieces, data[end:]))
