"""Secrets do not show themselves."""

import copy
import os
import pickle
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.secret import Secret, misread

KEY = "sk-canary"


class Shown(SynchronousTestCase):
    def test_redacted(self):
        """Neither text form holds the value."""
        secret = Secret(KEY, source="env:KEY")
        for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{[secret]}"):
            self.assertNotIn(KEY, shown)
            self.assertIn("[redacted]", shown)
        self.assertIn("env:KEY", repr(secret))

    def test_never_pickled(self):
        """It does not go to another process; a copy is the same object."""
        secret = Secret(KEY)
        self.assertRaises(TypeError, pickle.dumps, secret)
        self.assertIs(copy.deepcopy([secret])[0], secret)

    def test_read_again(self):
        """Where it comes from a file; else it is what it was."""
        secret = Secret(KEY)
        self.assertEqual((secret.files, secret.read_again()), ((), secret))
        again = Secret(KEY, files=(Path("key"),), again=lambda: Secret("another"))
        self.assertEqual(again.read_again(), Secret("another"))
        beside = again.between("Bearer ")
        self.assertEqual(
            (beside.files, beside.read_again()), (again.files, Secret("Bearer another"))
        )

    def test_compared(self):
        """Equal by value, never to plain text."""
        self.assertEqual(Secret(KEY), Secret(KEY.encode()))
        self.assertNotEqual(Secret(KEY), Secret(KEY + "x"))
        self.assertNotEqual(Secret(KEY), KEY)
        self.assertEqual(len({Secret(KEY), Secret(KEY)}), 1)

    def test_unfit(self):
        """Empty, or what could break out of a header (RFC 9110 section 5.5); text not repeated."""
        for value in ("", " ", "a\rb", "a\nb", "a\0b", "a\x7fb", b"\x01"):
            error = self.assertRaises(ValueError, Secret, value, "env:KEY")
            self.assertIn("env:KEY", str(error))


class Meant(SynchronousTestCase):
    """What is not the secret that was meant."""

    def test_mistakes(self):
        """Refused with the source and without the value; outside ASCII only in a header."""
        for value in (f"${KEY}".replace("-", "_"), f"'{KEY}'", f"{KEY}\\n"):
            error = self.assertRaises(ValueError, Secret(value, "env:KEY").refuse_mistakes)
            self.assertIn("secret from env:KEY ", str(error))
            self.assertNotIn("canary", str(error))
        Secret("\u00e9").refuse_mistakes()
        with self.assertRaises(ValueError):
            Secret("\u00e9").refuse_mistakes(in_header=True)
        Secret(KEY).refuse_mistakes(in_header=True)

    def test_passwords(self):
        """A URL without one only tells a place."""
        for url, held in (
            ("redis://h", False),
            ("postgresql://user@h/d", False),
            ("redis://:x@h", True),
            ("postgresql://user:x@h/d", True),
            ("redis://[h", True),
        ):
            self.assertEqual(Secret(url).has_password, held, url)


class Between(SynchronousTestCase):
    def test_between(self):
        """Text around it makes another secret, of the same source, as well hidden."""
        secret = Secret(KEY, "env:KEY").between("Bearer ", ";v=1")
        self.assertEqual(secret, Secret(f"Bearer {KEY};v=1"))
        self.assertEqual(secret.source, "env:KEY")
        self.assertNotIn(KEY, repr(secret))
        self.assertRaises(ValueError, Secret(KEY).between, "a\n")

    def test_parts(self):
        """What is secret by itself stays known, however much text is put around it."""
        key = KEY.encode()
        self.assertEqual(Secret(KEY).reveal_parts(), ())
        once = Secret(KEY).between("token=")
        self.assertEqual(once.reveal_parts(), (key,))
        self.assertEqual(once.between("", ";v=1").reveal_parts(), (key,))


class FromEnvironment(SynchronousTestCase):
    def test_value(self):
        """The prefix goes before it; the source names the variable."""
        self.patch(os, "environ", {"KEY": KEY})
        secret = Secret.from_env("KEY", prefix="Bearer ")
        self.assertEqual(secret.reveal(), f"Bearer {KEY}".encode())
        self.assertEqual(secret.source, "env:KEY")
        self.assertEqual(secret.reveal_parts(), (KEY.encode(),))

    def test_problems(self):
        """One line that names the variable and never its value; a prefix alone is no secret."""
        for environment, said in [
            ({}, "is not set"),
            ({"KEY": ""}, "is not set"),
            ({"KEY": "  "}, "is not set"),
            ({"KEY": f"{KEY}\n"}, "ends in a line end"),
            ({"KEY": f"{KEY}\nX: y"}, "control character"),
        ]:
            self.patch(os, "environ", environment)
            error = self.assertRaises(ConfigError, Secret.from_env, "KEY", prefix="Bearer ")
            (problem,) = error.problems
            self.assertTrue(problem.startswith("KEY: "))
            self.assertIn(said, problem)
            self.assertNotIn(KEY, problem)


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
