"""Content codings undone, within bounds."""

import gzip
import zlib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.codings import (
    MOST_MEMBERS,
    MOST_WHOLE,
    Inflater,
    Unreadable,
    coding_of,
    inflated,
)

TEXT = b'{"error": "a text of some length, a text of some length"}'
# As long as a whole one may be, and no bomb.
LONG = b"".join(b"%d," % number for number in range(200_000))[:MOST_WHOLE]
_BARE = zlib.compressobj(wbits=-15)
BODIES = [
    (b"gzip", gzip.compress(TEXT)),
    (b"x-gzip", gzip.compress(TEXT)),
    (b"gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
    (b"gzip", gzip.compress(b"") * (MOST_MEMBERS - 1) + gzip.compress(TEXT)),
    (b"deflate", zlib.compress(TEXT)),
    (b"deflate", _BARE.compress(TEXT) + _BARE.flush()),
]
BROKEN = [
    (b"br", b"\x1b"),
    (b"zstd", b"\x28\xb5\x2f\xfd"),
    (b"gzip,gzip", gzip.compress(gzip.compress(TEXT))),
    (b"gzip", TEXT),
    (b"gzip", gzip.compress(TEXT)[:-1]),
    (b"gzip", gzip.compress(TEXT)[:1]),
    (b"gzip", gzip.compress(TEXT) + b"x"),
    (b"gzip", gzip.compress(b"") * MOST_MEMBERS + gzip.compress(TEXT)),
    (b"deflate", zlib.compress(TEXT)[:-1]),
    (b"deflate", zlib.compress(TEXT) + zlib.compress(TEXT)),
    (b"deflate", b"\xff" * 20),
    (b"gzip", gzip.compress(bytes(10_000_000))),
    (b"gzip", gzip.compress(LONG + b"x")),
]


class CodingOfTests(SynchronousTestCase):
    def test_table(self):
        """In lower case, several with commas, and without those that are none."""
        for lines, coding in (
            ([], b""),
            ([b""], b""),
            ([b"identity"], b""),
            ([b" GZip "], b"gzip"),
            ([b"gzip, br"], b"gzip,br"),
            ([b"gzip", b"identity", b"br"], b"gzip,br"),
        ):
            with self.subTest(lines=lines):
                fields = [(b"vary", b"gzip"), *[(b"content-encoding", line) for line in lines]]
                self.assertEqual(coding_of(fields), coding)


class WholeTests(SynchronousTestCase):
    def test_inflated(self):
        """gzip, also in members; deflate with its header and without; nothing at all."""
        for coding, body in (*BODIES, (b"gzip", b""), (b"deflate", b"")):
            with self.subTest(coding=coding, body=body):
                self.assertEqual(inflated(Inflater(coding), body), TEXT if body else b"")

    def test_the_most(self):
        """A text as long as may be is read."""
        self.assertEqual(len(LONG), MOST_WHOLE)
        self.assertEqual(inflated(Inflater(b"gzip"), gzip.compress(LONG)), LONG)

    def test_unreadable(self):
        """Other codings, several, broken ones, bytes behind the end, bombs."""
        for coding, body in BROKEN:
            with self.subTest(coding=coding, body=body[:40]), self.assertRaises(Unreadable):
                inflated(Inflater(coding), body)


class PiecesTests(SynchronousTestCase):
    def read(self, coding, pieces, most):
        inflater, out = Inflater(coding), []
        for piece in pieces:
            inflater.put(piece)
            while inflater.waits:
                out.append(inflater.take(most))
                self.assertLessEqual(len(out[-1]), most)
        inflater.end()
        return b"".join(out)

    def test_any_cut(self):
        """Byte by byte in, and no more out at a time than was asked for."""
        for coding, body in BODIES:
            for size in (1, 2, 7, len(body)):
                pieces = [body[at : at + size] for at in range(0, len(body), size)]
                for most in (1, 5, 1000):
                    with self.subTest(coding=coding, size=size, most=most):
                        self.assertEqual(self.read(coding, pieces, most), TEXT)

    def test_as_it_comes(self):
        """A flushed event is there at once."""
        packer = zlib.compressobj(wbits=31)
        inflater = Inflater(b"gzip")
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            inflater.put(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH))
            self.assertEqual(inflater.take(1000), event)
            self.assertFalse(inflater.waits)
        self.assertRaises(Unreadable, inflater.end)

    def test_more_to_come_of_what_was_read(self):
        """The engine may have read all that is there, and still have something to give."""
        body = gzip.compress(b"." * 10_000)
        inflater, out = Inflater(b"gzip"), b""
        for size in range(len(body)):
            inflater.put(body[size : size + 1])
            while inflater.waits:
                out += inflater.take(10)
            self.assertEqual(out, zlib.decompressobj(wbits=31).decompress(body[: size + 1]))

    def test_ratio(self):
        """A stream has no bound of its length, but one of how much it grows."""
        packer = zlib.compressobj(9, wbits=31)
        inflater = Inflater(b"gzip")
        with self.assertRaises(Unreadable):
            for _ in range(1000):
                inflater.put(packer.compress(bytes(100_000)) + packer.flush(zlib.Z_SYNC_FLUSH))
                while inflater.waits:
                    inflater.take(65536)
