"""Header blocks: what is a field line, where a head ends, what is refused."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.fields import (
    FieldIndex,
    FramingError,
    HeadBuffer,
    HeadLimits,
    HeadTooLarge,
    KnownLines,
    leading_fields,
    parse_fields,
)

GOOD = [
    (b"", []),
    (b"Host: a\r\n", [(b"host", b"a")]),
    (b"Host:a\r\n", [(b"host", b"a")]),
    (b"X-A: \t b \t\r\n", [(b"x-a", b"b")]),
    (b"X-A:\r\n", [(b"x-a", b"")]),
    (b"X-A: \t \r\n", [(b"x-a", b"")]),
    (b"X-A: b\tc  d\r\n", [(b"x-a", b"b\tc  d")]),
    (b"X-A: :\r\n", [(b"x-a", b":")]),
    (b"X-A: caf\xc3\xa9 \xff\r\n", [(b"x-a", b"caf\xc3\xa9 \xff")]),
    (b"!#$%&'*+-.^_`|~09Az: v\r\n", [(b"!#$%&'*+-.^_`|~09az", b"v")]),
    (b"A: 1\r\nB: 2\r\nA: 3\r\n", [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]),
]

BAD = {
    "obs-fold with a space": b"A: 1\r\n 2\r\n",
    "obs-fold with a tab": b"A: 1\r\n\t2\r\n",
    "fold on the first line": b" A: 1\r\n",
    "folded colon": b"A: 1\r\n B: 2\r\n",
    "space before the colon": b"A : 1\r\n",
    "tab before the colon": b"A\t: 1\r\n",
    "no colon": b"A\r\n",
    "empty name": b": 1\r\n",
    "bare LF": b"A: 1\nB: 2\r\n",
    "bare LF at the end": b"A: 1\n",
    "bare CR in a value": b"A: 1\rB: 2\r\n",
    "CR CR LF": b"A: 1\r\r\n",
    "NUL in a value": b"A: 1\x002\r\n",
    "NUL in a name": b"A\x00: 1\r\n",
    "escape in a value": b"A: 1\x1b2\r\n",
    "vertical tab in a value": b"A: 1\x0b2\r\n",
    "DEL in a value": b"A: 1\x7f\r\n",
    "slash in a name": b"A/B: 1\r\n",
    "parenthesis in a name": b"A(B): 1\r\n",
    "quote in a name": b'"A": 1\r\n',
    "byte over 127 in a name": b"\xe9: 1\r\n",
    "empty line inside": b"A: 1\r\n\r\nB: 2\r\n",
}


class ParseFields(SynchronousTestCase):
    def test_good(self):
        """Names in lower case, values without the blanks around them, order and repeats kept."""
        for block, fields in GOOD:
            self.assertEqual(parse_fields(block, 10), fields, block)

    def test_bad(self):
        """Whatever is not exactly ``name: value`` CRLF is refused (RFC 9112 section 5)."""
        for name, block in BAD.items():
            for around in (block, b"Z: 0\r\n" + block, block + b"Z: 0\r\n"):
                with self.assertRaises(FramingError, msg=name):
                    parse_fields(around, 10)

    def test_every_control_byte(self):
        """No control byte but tab stands in a value; none at all in a name."""
        for byte in [*range(32), 127]:
            raw = bytes([byte])
            if raw != b"\t":
                self.assertRaises(FramingError, parse_fields, b"A: x" + raw + b"y\r\n", 10)
            self.assertRaises(FramingError, parse_fields, b"A" + raw + b"B: x\r\n", 10)

    def test_lines(self):
        """Up to the bound of lines, and not one more."""
        self.assertEqual(len(parse_fields(b"A: 1\r\n" * 3, 3)), 3)
        self.assertRaises(HeadTooLarge, parse_fields, b"A: 1\r\n" * 4, 3)

    def test_blanks_cost_no_time(self):
        """A refused line of blanks is refused in linear time: no backtracking to sell."""
        began = time.process_time()
        for line in (b"A:" + b" " * 60_000 + b"\0\r\n", b"A: x" + b" \t" * 30_000 + b"\0\r\n"):
            self.assertRaises(FramingError, parse_fields, line, 10)
        self.assertLess(time.process_time() - began, 0.5)


class Leading(SynchronousTestCase):
    def test_up_to_the_first_that_is_none(self):
        """Lines before it are read; the last, which has no end, is not."""
        for block, names in (
            (b"", []),
            (b"A: 1\r\nB: 2\r\n", [b"a", b"b"]),
            (b"A: 1\r\nB: 2", [b"a"]),
            (b"A: 1\r\nno colon\r\nB: 2\r\n", [b"a"]),
            (b"A: 1\nB: 2\r\nC: 3\r\n", []),
            (b"A: 1\r\nB: 2\rX: 3\r\n", [b"a"]),
            (b"A: 1\r\nB: \0\r\n", [b"a"]),
            (b"A: 1\r\n B: 2\r\n", [b"a"]),
            (b"A: 1\r\n" + b"b" * 300 + b": 2\r\n", [b"a"]),
            (b"A: 1\r\n" * 9, [b"a"] * 5),
        ):
            found = leading_fields(block, 5)
            self.assertEqual([name for name, _ in found], names, block)


class Buffer(SynchronousTestCase):
    def test_whole(self):
        """The head with its last CRLF, and what follows."""
        buffer = HeadBuffer(HeadLimits())
        self.assertEqual(buffer.feed(b"a\r\nb\r\n\r\nrest"), (b"a\r\nb\r\n", b"rest"))
        self.assertEqual(len(buffer), 0)

    def test_unfinished(self):
        """Until the end is there, the first line can be looked at: once, when it has ended."""
        buffer = HeadBuffer(HeadLimits())
        for _ in range(2):
            self.assertIsNone(buffer.feed(b"a"))
            self.assertIsNone(buffer.first_line())
            self.assertIsNone(buffer.feed(b"b\r\nc"))
            self.assertEqual((buffer.first_line(), len(buffer)), (b"ab\r\n", 5))
            self.assertIsNone(buffer.feed(b"d\r\n"))
            self.assertIsNone(buffer.first_line())
            self.assertEqual(buffer.feed(b"\r\ne"), (b"ab\r\ncd\r\n", b"e"))

    def test_size(self):
        """The bound counts the head without its ending empty line, however it is cut."""
        fits, over = b"a" * 20 + b"\r\n\r\n", b"a" * 21 + b"\r\n\r\n"
        for step in (1, 2, 3, 19, 20, 21, 22, 23, 100):
            self.assertEqual(self.feed(fits, step), (b"a" * 20 + b"\r\n", b""), step)
            self.assertIs(self.feed(over, step), HeadTooLarge, step)

    def test_endless(self):
        """A head that never ends is refused as soon as it is over; its beginning can be had."""
        buffer = HeadBuffer(HeadLimits(size=20))
        with self.assertRaises(HeadTooLarge):
            for _ in range(10):
                buffer.feed(b"aaaaa")
        self.assertEqual(buffer.take(), b"a" * 25)
        self.assertEqual(len(buffer), 0)
        with self.assertRaises(HeadTooLarge):
            buffer.feed(b"b" * 2_000_000 + b"\r\n\r\n")
        self.assertEqual(buffer.take(), b"b" * 40)

    def test_line_ends(self):
        """A line that ends in a lone LF or CR is told at once, however it is cut up."""
        for line in (
            b"a\nb",
            b"a\rb",
            b"a\n\r",
            b"\n",
            b"a\r\nb\nc",
            b"a\r\nb\rc",
            b"a\r\n\nb",
            b"\r\r",
        ):
            for cut in range(len(line)):
                buffer = HeadBuffer(HeadLimits())
                with self.assertRaises(FramingError, msg=(line, cut)):
                    if cut:
                        buffer.feed(line[:cut])
                    buffer.feed(line[cut:])
        for line in (b"a\r", b"a\r\n", b"a\r\nb\r", b"\r\nb"):
            for cut in range(1, len(line)):
                buffer = HeadBuffer(HeadLimits())
                self.assertIsNone(buffer.feed(line[:cut]))
                self.assertIsNone(buffer.feed(line[cut:]))

    def feed(self, data, step):
        buffer = HeadBuffer(HeadLimits(size=20))
        found = None
        try:
            for start in range(0, len(data), step):
                found = buffer.feed(data[start : start + step])
        except HeadTooLarge:
            return HeadTooLarge
        return found

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from([b"\r\n", b"a", b"bc"]), max_size=30), st.data())
    def test_any_split(self, parts, data):
        """How the bytes are cut up decides nothing."""
        whole = b"".join(parts)
        cut = data.draw(st.integers(0, len(whole)))
        expected = HeadBuffer(HeadLimits()).feed(whole)
        buffer = HeadBuffer(HeadLimits())
        early = buffer.feed(whole[:cut])
        late = buffer.feed(whole[cut:]) if early is None else (early[0], early[1] + whole[cut:])
        self.assertEqual(late, expected)


class Lookup(SynchronousTestCase):
    FIELDS = [
        (b"a", b"1"),
        (b"list", b" X, ,y"),
        (b"list", b"Z\t"),
        (b"twice", b""),
        (b"twice", b""),
    ]

    def test_one_value(self):
        """One, none, or refused: even equal repeats are two."""
        self.assertEqual(FieldIndex(self.FIELDS).single(b"a"), b"1")
        self.assertIsNone(FieldIndex(self.FIELDS).single(b"b"))
        self.assertRaises(FramingError, FieldIndex(self.FIELDS).single, b"twice")

    def test_tokens(self):
        """Members over all lines, lower case, empty ones dropped (RFC 9110 section 5.6.1)."""
        self.assertEqual(FieldIndex(self.FIELDS).members(b"list"), (b"x", b"y", b"z"))
        self.assertEqual(FieldIndex(self.FIELDS).members(b"none"), ())


class KnownLinesTests(SynchronousTestCase):
    def test_the_same_with_and_without(self):
        """What a connection sent before changes nothing about what is read, or refused."""
        known = KnownLines()
        for _ in range(2):  # the second time the good lines are known
            for block, fields in GOOD:
                self.assertEqual(parse_fields(block, 100, known), fields)
            for name, block in BAD.items():
                with self.assertRaises(FramingError, msg=name):
                    parse_fields(b"Host: a\r\n" + block, 100, known)
        self.assertEqual(known[b"Host: a"], (b"host", b"a"))

    def test_bounds(self):
        """A peer that never repeats itself fills nothing; long lines are not kept."""
        known = KnownLines()
        for at in range(1000):
            parse_fields(b"Date: %d\r\n" % at, 100, known)
            self.assertLessEqual(len(known), 64)
        self.assertTrue(known)
        long_line = b"Origin: " + b"a" * 300
        parse_fields(long_line + b"\r\n", 100, known)
        self.assertNotIn(long_line, known)

    def test_credentials(self):
        """Not kept beyond their request, and neither is any name that could be one's."""
        known = KnownLines()
        names = (b"Authorization", b"cookie", b"SET-COOKIE", b"X-CSRF-Token", b"X-Api-Key", b"A")
        parse_fields(b"".join(b"%s: secret\r\n" % name for name in names), 100, known)
        self.assertEqual(known, {})
