"""Values that are not the secret that was meant, and those that are."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.misread import misread

#: Value, and what its reason tells.
MISTAKES = (
    (b"$OPENAI_API_KEY", "variable's name"),
    (b"Bearer $OPENAI_API_KEY", "variable's name"),
    (b"$env:OPENAI_API_KEY", "variable's name"),
    (b"Bearer ${OPENAI_API_KEY}", "variable's name"),
    (b"Bearer ${env:OPENAI_API_KEY}", "variable's name"),
    (b"${file:key}", "variable's name"),
    (b'"sk-canary"', "quotes"),
    (b"'sk-canary'", "quotes"),
    (b'Bearer "sk-canary"', "quotes"),
    (b"Bearer 'sk-canary'", "quotes"),
    (b"sk-canary\\n", "line end"),
    (b"Bearer sk-canary\\r", "line end"),
)
#: Keys, passwords and header values that really are ones.
KEYS = (
    b"sk-canary",
    b"Bearer sk-canary",
    b"Basic dXNlcjpwYXNz",
    b"pa$$word",
    b"$2b$12$abcdefghijklmnopqrstuv",
    b"it's",
    b'Signature keyId="a",signature="b"',
    b"application/json; a=b",
    b"a\\b",
)


class MisreadTests(SynchronousTestCase):
    def test_mistakes(self):
        """Each is told by its kind, and nothing of the value is."""
        for value, reason in MISTAKES:
            for in_header in (False, True):
                found = misread(value, in_header=in_header)
                self.assertIn(reason, found or "", value)
                self.assertNotIn("canary", found)
                self.assertNotIn("OPENAI", found)

    def test_keys(self):
        """What only resembles one is taken."""
        for value in KEYS:
            self.assertIsNone(misread(value), value)
            self.assertIsNone(misread(value, in_header=True), value)

    def test_outside_ascii(self):
        """A header's value is ASCII; a secret that signs need not be."""
        for value in ("sk\u2013canary", "sk-canary\u00a0", "\u201csk-canary\u201d"):
            self.assertIn("ASCII", misread(value.encode(), in_header=True))
        self.assertIsNone(misread("pässwort".encode()))
