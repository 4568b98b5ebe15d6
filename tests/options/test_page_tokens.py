"""The option ``page_tokens``: what is read, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.page_tokens import PageTokenOptions
from naap_twisted.options.page_tokens import page_tokens
from naap_twisted.options.values import Surroundings
from naap_twisted.secret import Secret

LONG = "k" * 32


class PageTokensTests(SynchronousTestCase):
    def read(self, value: Any) -> PageTokenOptions | None:
        return page_tokens(value, Surroundings(Path.cwd(), {"KEYS": f"{LONG},{'j' * 32}"}))

    def told(self, value: Any) -> str:
        return str(self.assertRaises(ValueError, self.read, value))

    def test_read(self) -> None:
        """Off where it is left out; an empty table has the defaults; values as elsewhere."""
        self.assertIsNone(self.read(None))
        self.assertEqual(self.read({}), PageTokenOptions(3600.0, (), None))
        read = self.read({"max_ttl": "5m", "issuers": [LONG], "keys": "${env:KEYS}"})
        assert read is not None and read.keys is not None
        self.assertEqual((read.max_ttl, read.issuers), (300.0, (Secret(LONG),)))
        self.assertEqual(read.keys.source, "env:KEYS")
        self.assertIs(self.read(read), read)

    def test_told(self) -> None:
        """What to write instead, and no byte of a secret."""
        for value, words in (
            (
                {"keys": "kkkk"},
                ".keys: key 1 has 4 bytes, and 32 are needed; make one with: openssl",
            ),
            ({"keys": f"{LONG},kkk"}, ".keys: key 2 has 3 bytes"),
            ({"issuers": ["kkkk"]}, ".issuers[0]: has 4 bytes, and 32 are needed"),
            ({"issuers": [LONG, LONG]}, ".issuers: holds a secret twice"),
            ({"max_ttl": "60d"}, ".max_ttl: must be from one second to 30 days"),
            ({"ttl": 5}, ".ttl: unknown key"),
            (True, "expected a table such as"),
        ):
            with self.subTest(value=value):
                told = self.told(value)
                self.assertIn(words, told)
                self.assertNotIn("kkk", told)

    def test_not_shown(self) -> None:
        """A repr has no secret."""
        self.assertNotIn("kkk", repr(self.read({"issuers": [LONG], "keys": LONG})))
