"""The option ``guest``: what is read, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.guests import GuestOptions
from naap_twisted.model import RateLimit
from naap_twisted.options.guest import guest
from naap_twisted.options.values import Surroundings

LONG = "k" * 32
URL = "https://challenges.cloudflare.com/turnstile/v0/siteverify"


class GuestTests(SynchronousTestCase):
    def read(self, value: Any) -> GuestOptions | None:
        return guest(value, Surroundings(Path.cwd(), {"KEYS": f"{LONG},{'j' * 32}"}))

    def told(self, value: Any) -> str:
        return str(self.assertRaises(ValueError, self.read, value))

    def test_read(self) -> None:
        """Off where it is left out; an empty table has the defaults; values as elsewhere."""
        self.assertIsNone(self.read(None))
        self.assertEqual(self.read({}), GuestOptions())
        read = self.read(
            {
                "ttl": "1d",
                "keys": "${env:KEYS}",
                "per_address": {"requests": 5, "window": "10m"},
                "verify_url": URL,
                "verify_secret": LONG,
                "verify_hostnames": ["app.example.org"],
            }
        )
        assert read is not None and read.keys is not None
        self.assertEqual((read.ttl, read.per_address), (86_400.0, RateLimit(5, 600.0)))
        self.assertEqual(read.per_prefix, GuestOptions().per_prefix)
        self.assertEqual(read.keys.source, "env:KEYS")
        self.assertEqual((read.verify_url, read.verify_hostnames), (URL, ("app.example.org",)))
        self.assertIs(self.read(read), read)
        self.assertNotIn("kkk", repr(read))

    def test_told(self) -> None:
        """What to write instead, and no byte of a secret."""
        for value, words in (
            ({"keys": "kkkk"}, ".keys: key 1 has 4 bytes, and 32 are needed"),
            ({"ttl": "500d"}, ".ttl: must be from one minute to 400 days"),
            ({"cookie": "a b"}, ".cookie: is not a cookie's name"),
            ({"same_site": "Lax"}, '.same_site: must be one of "lax", "strict", "none"'),
            ({"per_address": False}, ".per_address: must be a limit such as {"),
            ({"per_prefix": {"requests": 0, "window": 1}}, ".per_prefix.requests: must be more"),
            ({"verify_url": URL}, ".verify_url: has no meaning without verify_secret; set both"),
            ({"verify_secret": "kkkk"}, ".verify_secret: has no meaning without verify_url"),
            ({"verify_url": "http://a.example/"}, ".verify_url: must be https"),
            ({"verify_hostnames": ["https://a.b"]}, ".verify_hostnames[0]: is no host name"),
            ({"app_check": "my-project"}, ".app_check: is the number of a Firebase project"),
            ({"max_ttl": 5}, ".max_ttl: unknown key"),
            (True, "expected a table such as"),
        ):
            with self.subTest(value=value):
                told = self.told(value)
                self.assertIn(words, told)
                self.assertNotIn("kkk", told)
