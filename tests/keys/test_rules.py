"""Tests of naap_twisted.keys.rules."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import InvalidKey
from naap_twisted.keys.rules import LONGEST_KEY, check_key, check_provider
from naap_twisted.secret import Secret


class ProviderTests(SynchronousTestCase):
    def test_good(self) -> None:
        """1 to 64 of a-z, 0-9 and -."""
        for name in ("a", "daydream", "open-ai2", "-", "0", "a" * 64):
            self.assertEqual(check_provider(name), name)

    def test_bad(self) -> None:
        """Nothing else, least of all what means something in a path or a template."""
        for name in ("", "A", "a" * 65, "a b", "a\n", "a/b", "..", "a_b", "ä", "a}", "a\0", "%61"):
            with self.assertRaises(InvalidKey, msg=repr(name)):
                check_provider(name)


class KeyTests(SynchronousTestCase):
    def test_good(self) -> None:
        """Becomes a Secret; spaces around it, which a header would lose, go."""
        for value, kept in (("sk-1", b"sk-1"), (" sk 1 ", b"sk 1"), ("ä", "ä".encode())):
            self.assertEqual(check_key(value, "p"), Secret(kept))
        self.assertEqual(check_key("k" * LONGEST_KEY, "p").source, "user_key:p")

    def test_bad(self) -> None:
        """Not text, empty, too long in bytes, control characters, half a surrogate."""
        for value in (
            *(None, 3, b"sk", ["sk"], "", "   ", "a\nb", "a\r", "\ta", "a\0", "a\x7f", "a\x85b"),
            *("k" * (LONGEST_KEY + 1), "ä" * (LONGEST_KEY // 2 + 1), "\ud800", "a\u2028b"),
        ):
            with self.assertRaises(InvalidKey, msg=repr(value)[:20]) as caught:
                check_key(value, "p")
            if isinstance(value, str) and value.strip():
                self.assertNotIn(value, caught.exception.message)
