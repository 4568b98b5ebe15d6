"""Tests of naap_twisted.wrappers.origins."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.wrappers.origins import Origins, parse_origin


class ParseOriginTests(SynchronousTestCase):
    def test_good(self) -> None:
        """As a browser serializes it: lower case, no default port."""
        for text, expected in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("HTTPS://App.Example.org", "https://app.example.org"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("tauri://localhost", "tauri://localhost"),
        ]:
            self.assertEqual(parse_origin(text), expected)

    def test_bad(self) -> None:
        """Anything with more or less than scheme, host and port."""
        for text in (
            "",
            "*",
            "null",
            "a.example",
            "https://",
            "https://a.example/",
            "https://a.example/path",
            "https://user@a.example",
            "https://*.example.org",
            "https://a.example?",
            "https://a.example\n",
            "https://a.example https://b.example",
            "https://a.example:",
            "https://é.example",
            'https://a"b',
            "https://" + "a" * 300,
        ):
            self.assertIsNone(parse_origin(text), text)


class OriginsTests(SynchronousTestCase):
    def test_any(self) -> None:
        """The star lets every origin in but null."""
        origins = Origins("*")
        self.assertTrue(origins.any)
        self.assertTrue(origins.allows(b"https://whatever.example"))
        self.assertFalse(origins.allows(b"null"))

    def test_listed(self) -> None:
        """Exactly those on the list; their neighbours are others."""
        origins = Origins(["https://a.example", "http://localhost:3000"])
        self.assertFalse(origins.any)
        for value, expected in [
            (b"https://a.example", True),
            (b"http://localhost:3000", True),
            (b"http://a.example", False),
            (b"https://a.example:8443", False),
            (b"https://a.example.evil.example", False),
            (b"https://xa.example", False),
            (b"http://localhost", False),
            (b"null", False),
            (b"", False),
            (b"https://a.example, https://a.example", False),
        ]:
            self.assertEqual(origins.allows(value), expected, value)

    def test_none(self) -> None:
        """An empty list lets no other origin in."""
        self.assertFalse(Origins([]).allows(b"https://a.example"))

    def test_line_allowing(self) -> None:
        """The whole new setting, ready to paste."""
        line = Origins(["http://localhost:3000"]).line_allowing(b"https://b.example")
        self.assertEqual(line, 'cors_origins = ["http://localhost:3000", "https://b.example"]')
        self.assertTrue(Origins(tomllib.loads(line)["cors_origins"]).allows(b"https://b.example"))

    def test_line_for_junk(self) -> None:
        """Text that is no origin gets no line, so none of it reaches a log."""
        origins = Origins([])
        for value in (b"null", b"x\ny", b"\xff", b"https://a/" + b"b" * 9999):
            self.assertIsNone(origins.line_allowing(value))
