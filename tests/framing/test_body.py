"""Message bodies: by length, chunked, until close; how they end and how they must not."""

import sys
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.body import (
    CHUNKED_END,
    ChunkedDecoder,
    CloseDecoder,
    LengthDecoder,
    body_decoder,
    chunk,
)
from naap_twisted.framing.fields import FramingError, HeadTooLarge
from naap_twisted.framing.head import CHUNKED, UNTIL_CLOSE

# wire -> payload, what follows
GOOD_CHUNKS = [
    (b"0\r\n\r\n", b"", b""),
    (b"000\r\n\r\nGET", b"", b"GET"),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b""),
    (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\r\n", b"abcde", b"\r\n"),
    (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    (b"00000003\r\nabc\r\n0\r\n\r\n", b"abc", b""),
    (b"3;name=value\r\nabc\r\n0;x\r\n\r\n", b"abc", b""),
    (b'3 ; a="b c"\r\nabc\r\n0\r\n\r\n', b"abc", b""),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", b""),
    (b"0\r\nX-A: 1\r\n\r\nrest", b"", b"rest"),
    (b"0\r\nX-A: 1\r\nX-B:\r\n\r\n", b"", b""),
]

BAD_CHUNKS = {
    "empty size": b"\r\nabc\r\n",
    "signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "0x size": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size with underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "blanks inside the size": b"1 0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "many blanks after the size": b"3" + b" " * 17 + b"\r\nabc\r\n0\r\n\r\n",
    "another control after the size": b"3\x0b\r\nabc\r\n0\r\n\r\n",
    "blanks and a bare LF": b"3 \nabc\r\n0\r\n\r\n",
    "not hex": b"g\r\nabc\r\n0\r\n\r\n",
    "nine digits": b"000000003\r\nabc\r\n0\r\n\r\n",
    "wraps 64 bits": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "size line ends in bare LF": b"3\nabc\r\n0\r\n\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;a\0\r\nabc\r\n0\r\n\r\n",
    "long extension": b"3;" + b"a" * 400 + b"\r\nabc\r\n0\r\n\r\n",
    "many blanks before an extension": b"3" + b" " * 400 + b";a\r\nabc\r\n0\r\n\r\n",
    "data longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "data ends in bare LF": b"3\r\nabc\n0\r\n\r\n",
    "data ends in CR and more": b"3\r\nabc\rX0\r\n\r\n",
    "no CRLF after the data": b"3\r\nabc0\r\n\r\n",
    "trailer without a colon": b"0\r\nX\r\n\r\n",
    "folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n",
    "trailer with a bare LF": b"0\r\nX: 1\nY: 2\r\n\r\n",
    "trailer with a space before the colon": b"0\r\nX : 1\r\n\r\n",
    "trailer with a NUL": b"0\r\nX: \0\r\n\r\n",
    "many trailers": b"0\r\n" + b"X: 1\r\n" * 21 + b"\r\n",
    "big trailers": b"0\r\n" + (b"X: " + b"a" * 1000 + b"\r\n") * 10 + b"\r\n",
    "endless trailer": b"0\r\nX: " + b"a" * 9000,
}

# Sizes padded with blanks: an upstream's are read, and nothing that follows; a browser's are not.
PADDED_CHUNKS = [
    (b"3 \r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"3\r\nabc\r\n0 \r\n\r\n", b"abc"),
    (b"3\t \r\nabc\r\n2\r\nde\r\n0\t\r\n\r\n", b"abcde"),
    (b"3" + b" " * 16 + b"\r\nabc\r\n0     \r\nX: 1\r\n\r\n", b"abc"),
    (b"a   \r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
]


def decode(decoder, pieces):
    """All of *pieces*: payload, what follows (``None`` while unfinished)."""
    payload, rest = b"", None
    for piece in pieces:
        if rest is not None:
            rest += piece
            continue
        got, rest = decoder.feed(piece)
        payload += b"".join(got)
    return payload, rest


def single_bytes(wire):
    return [wire[at : at + 1] for at in range(len(wire))]


class Chunked(SynchronousTestCase):
    def test_good(self):
        """Payload without framing; extensions and trailers are dropped (RFC 9112 section 7.1)."""
        for wire, payload, rest in GOOD_CHUNKS:
            self.assertEqual(decode(ChunkedDecoder(), [wire]), (payload, rest), wire)
            self.assertEqual(decode(ChunkedDecoder(), single_bytes(wire)), (payload, rest), wire)

    def test_bad(self):
        """Refused in one piece and byte by byte alike: a cut must not smuggle."""
        for name, wire in BAD_CHUNKS.items():
            with self.assertRaises(FramingError, msg=name):
                decode(ChunkedDecoder(), [wire])
            with self.assertRaises(FramingError, msg=f"{name}, byte by byte"):
                decode(ChunkedDecoder(), single_bytes(wire))

    def test_padded(self):
        """Blanks behind the size are an upstream's oddity, however the bytes are cut."""
        for wire, payload in PADDED_CHUNKS:
            for pieces in ([wire], single_bytes(wire)):
                decoder = ChunkedDecoder()
                self.assertEqual(decode(decoder, pieces), (payload, b""), wire)
                self.assertTrue(decoder.odd, wire)
                with self.assertRaises(FramingError, msg=wire):
                    decode(ChunkedDecoder(1000), pieces)
        for wire, _, _ in GOOD_CHUNKS:
            decoder = ChunkedDecoder()
            decode(decoder, [wire])
            self.assertFalse(decoder.odd, wire)

    def test_cut(self):
        """A close at any byte before the last is not an end."""
        wire = b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n"
        for stop in range(len(wire)):
            decoder = ChunkedDecoder()
            self.assertIsNone(decode(decoder, [wire[:stop]])[1], stop)
            self.assertFalse(decoder.eof(), stop)
        decoder = ChunkedDecoder()
        decoder.feed(wire)
        self.assertTrue(decoder.eof())

    def test_size_line_without_end(self):
        """An unfinished size line is held only up to its bound."""
        with self.assertRaises(FramingError):
            decode(ChunkedDecoder(), [b"3;a" + b"b" * 100] * 10)

    def test_framing_is_paid_for(self):
        """A chunk is charged its framing, eight bytes at least; what is over is free, then none."""
        for free, wire, fits in (
            (14, b"1\r\na\r\n" * 2, True),
            (13, b"1\r\na\r\n" * 2, False),
            (0, b"8\r\n12345678\r\n" * 500, True),
            (499, b"7\r\n1234567\r\n" * 500, False),
            (500, b"7\r\n1234567\r\n" * 500, True),
            (0, b"c;abcd\r\n0123456789ab\r\n" * 500, True),
            (499, b"c;abcdefgh\r\n0123456789ab\r\n" * 500, False),
            (1000, b"c;abcdefgh\r\n0123456789ab\r\n" * 500, True),
            (0, b"ff\r\n" + b"p" * 255 + b"\r\n" + b"1\r\na\r\n" * 35, True),
            (0, b"1\r\na\r\n" * 35 + b"ff\r\n" + b"p" * 255 + b"\r\n", False),
        ):
            for step in (1, 7, len(wire)):
                with self.subTest(free=free, wire=wire[:20], step=step):
                    pieces = [wire[at : at + step] for at in range(0, len(wire), step)]
                    if fits:
                        decode(ChunkedDecoder(free), [*pieces, b"0\r\n\r\n"])
                    else:
                        with self.assertRaises(FramingError):
                            decode(ChunkedDecoder(free), pieces)

    def test_steps_of_a_chunk(self):
        """A read full of one-byte chunks costs a handful of calls a chunk."""
        calls = 0

        def count(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        wire = b"1\r\na\r\n" * 10_000
        decoder = ChunkedDecoder()
        sys.setprofile(count)
        try:
            pieces, _ = decoder.feed(wire)
        finally:
            sys.setprofile(None)
        self.assertEqual(len(pieces), 10_000)
        self.assertGreater(calls, 10_000, "nothing was counted")
        self.assertLess(calls / 10_000, 5)

    def test_too_large_is_told_apart(self):
        """Trailers over the bound are the head's kind of too large."""
        self.assertRaises(HeadTooLarge, ChunkedDecoder().feed, b"0\r\nX: " + b"a" * 9000)

    @settings(max_examples=100, deadline=None)
    @given(
        st.one_of(
            st.sampled_from([wire for wire, *_ in GOOD_CHUNKS] + list(BAD_CHUNKS.values())),
            st.lists(
                st.sampled_from([b"0", b"3", b"\r\n", b"\r", b"\n", b"abc", b";x", b"X: 1", b" "]),
                max_size=25,
            ).map(b"".join),
        ),
        st.lists(st.integers(0, 12000), max_size=5),
    )
    def test_any_split(self, wire, cuts):
        """The same bytes mean the same, however they are cut."""

        def outcome(pieces):
            try:
                return decode(ChunkedDecoder(), pieces)
            except FramingError:
                return FramingError

        edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
        split = [wire[a:b] for a, b in pairwise(edges)]
        whole = outcome([wire])
        # An incomplete wire may be refused earlier when it comes in pieces, never later.
        self.assertEqual(outcome(split), whole)


class Length(SynchronousTestCase):
    def test_pieces(self):
        """Exactly the announced bytes; the rest is handed back."""
        decoder = LengthDecoder(5)
        self.assertEqual(decoder.feed(b"ab"), ([b"ab"], None))
        self.assertFalse(decoder.eof())
        self.assertEqual(decoder.feed(b"cdeXY"), ([b"cde"], b"XY"))
        self.assertTrue(decoder.eof())

    def test_exact(self):
        """The last byte ends it; nothing follows."""
        self.assertEqual(LengthDecoder(2).feed(b"ab"), ([b"ab"], b""))
        self.assertEqual(LengthDecoder(0).feed(b"ab"), ([], b"ab"))
        self.assertEqual(LengthDecoder(0).feed(b""), ([], b""))


class UntilClose(SynchronousTestCase):
    def test_everything(self):
        """All bytes belong to it and only the close ends it."""
        decoder = CloseDecoder()
        self.assertEqual(decoder.feed(b"ab"), ([b"ab"], None))
        self.assertEqual(decoder.feed(b""), ([], None))
        self.assertTrue(decoder.eof())


class Choice(SynchronousTestCase):
    def test_by_announcement(self):
        """Each announcement has its decoder."""
        self.assertIsInstance(body_decoder(CHUNKED), ChunkedDecoder)
        self.assertIsInstance(body_decoder(UNTIL_CLOSE), CloseDecoder)
        decoder = body_decoder(7)
        self.assertIsInstance(decoder, LengthDecoder)
        self.assertEqual(decoder.left, 7)


class WritingTests(SynchronousTestCase):
    def test_chunk(self):
        """Size in hex, CRLF on both sides (RFC 9112 section 7.1)."""
        self.assertEqual(chunk(b"a" * 26), b"1a\r\n" + b"a" * 26 + b"\r\n")
        self.assertEqual(CHUNKED_END, b"0\r\n\r\n")
