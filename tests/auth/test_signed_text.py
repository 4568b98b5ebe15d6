"""Signed members: what was written comes back, of its own kind, and nothing else is read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.signed_text import MOST_TEXT, SignedText, signing_keys
from naap_twisted.errors import InvalidToken
from naap_twisted.secret import Secret

KEY, OTHER = b"k" * 32, b"j" * 32
TEXT = SignedText(b"naap_x1.", "a text", (KEY,))


class TextTests(SynchronousTestCase):
    """What page tokens are made of is tested further in test_page_token.py, forgery by forgery."""

    def test_round_trip(self) -> None:
        """Members come back; the text is of characters that a cookie may have."""
        written = TEXT.write({"a": [1, "\u00e4"]})
        self.assertRegex(written, r"^naap_x1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$")
        self.assertEqual(TEXT.read(written.encode()), {"a": [1, "\u00e4"]})
        self.assertRaises(ValueError, TEXT.write, {"a": "x" * MOST_TEXT})

    def test_kinds(self) -> None:
        """The same key signs several kinds, and none of them is read as another."""
        other = SignedText(b"naap_y1.", "another", (KEY,))
        written = other.write({"a": 1}).encode()
        self.assertRaises(InvalidToken, TEXT.read, written)
        error = self.assertRaises(InvalidToken, TEXT.read, written.replace(b"_y1", b"_x1"))
        self.assertEqual(error.reason, "a text with another signature")

    def test_rotation(self) -> None:
        """The first key signs, each verifies; the same goes for marks."""
        both = SignedText(b"naap_x1.", "a text", (OTHER, KEY))
        new = SignedText(b"naap_x1.", "a text", (OTHER,))
        written, mark = TEXT.write({}).encode(), TEXT.mark(b"csrf", b"ada")
        self.assertEqual(both.read(written), {})
        self.assertTrue(both.has_mark(mark, b"csrf", b"ada"))
        self.assertRaises(InvalidToken, new.read, written)
        self.assertFalse(new.has_mark(mark, b"csrf", b"ada"))
        self.assertEqual(new.read(both.write({}).encode()), {})

    def test_marks(self) -> None:
        """A mark is of one purpose and one text, and is no MAC of a text."""
        mark = TEXT.mark(b"csrf", b"ada")
        for purpose, text in ((b"csrf", b"eve"), (b"other", b"ada"), (b"csr", b"f:ada")):
            self.assertFalse(TEXT.has_mark(mark, purpose, text))
        for bad in (b"", mark[:-1], mark + b"=", mark.upper()):
            self.assertFalse(TEXT.has_mark(bad, b"csrf", b"ada"))
        version, payload, mac = TEXT.write({"a": 1}).encode().split(b".")
        self.assertFalse(TEXT.has_mark(mac, b"csrf", version + b"." + payload))

    def test_nothing_shown(self) -> None:
        """A repr has no key."""
        self.assertNotIn("kkkk", repr(TEXT))


class KeyTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """Separated by commas, each long enough, none twice; no message has a byte of them."""
        pair = Secret("k" * 32 + " , " + "j" * 40)
        self.assertEqual(signing_keys(pair), (b"k" * 32, b"j" * 40))
        for text in ("k" * 31, "k" * 32 + ",", "k" * 32 + "," + "k" * 32, ",", "k" * 32 + ",jj"):
            error = self.assertRaises(ValueError, signing_keys, Secret(text))
            self.assertNotIn("kk", str(error))
