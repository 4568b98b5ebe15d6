"""Urlencoded forms, as writers of all kinds write them."""

from __future__ import annotations

from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.urlencoded import read_urlencoded
from naap_twisted.errors import BodyNotAllowed, ProxyError
from tests.body_vectors import FORM


class WriterTests(SynchronousTestCase):
    def test_python(self) -> None:
        """urllib's writer, with all of Latin-1 and more in names' place of values."""
        text = "".join(map(chr, range(1, 256))) + "\u20ac\U0001f600"
        value = read_urlencoded(urlencode({"a": text, "b": "x y"}).encode(), FORM).value
        self.assertEqual(value, {"a": text, "b": "x y"})

    def test_bounds(self) -> None:
        """A megabyte of pairs, of brackets, of escapes: read or refused, in linear time."""
        for text in (
            b"&".join(b"a%d=" % number for number in range(150_000)),
            b"a" + b"[b]" * 300_000 + b"=1",
            b"a=" + b"%41" * 300_000,
            b"&" * 1_000_000,
            b"a[" * 500_000,
            b"." * 1_000_000 + b"=1",
        ):
            try:
                read_urlencoded(text, FORM)
            except ProxyError as error:
                self.assertLess(len(error.message), 240)

    def test_counted_first(self) -> None:
        """Fields past the bound are counted, and their names are not looked at."""
        with self.assertRaises(BodyNotAllowed) as caught:
            read_urlencoded(b"&".join([b"a.b=1"] * 1001), FORM)
        self.assertIn("more than 1000 fields", caught.exception.message)
