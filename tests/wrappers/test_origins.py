"""Tests of naap_twisted.wrappers.origins."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.wrappers.origins import Origins, parse_origin, parse_pattern

LOCAL = ["http://pr-*-x.localhost:3000"]
BAD_PATTERNS = [
    *("https://*", "https://*:3000", "*.example.com", "https://*.", "https://*..com"),
    *("https://*.com", "https://*.co.uk", "https://*.vercel.app", "https://*.github.io"),
    *("https://*-team.com", "https://*-team.co.uk", "https://*.internal", "https://*.xn--p1ai"),
    *("https://*.amazonaws.com", "https://*.s3.amazonaws.com", "https://*.kawasaki.jp"),
    *("https://*.*.example.com", "https://a.*.example.com", "https://**.example.com"),
    *("https://*a*.example.com", "https://*example.com", "http*://a.example.com"),
    *("https://*.example.com/", "https://*.example.com/*", "https://*.example.com?", "null*"),
    *("https://*.example.com:443", "https://*.example.com:0", "https://*.example.com:x"),
    *("https://*.Example.com", "HTTPS://*.example.com", "https://*.example.com."),
    *("https://*.0.0.1", "https://[*]", "https://u@*.example.com", "https://*.b\u00fccher.example"),
    "https://*." + "a" * 400 + ".example.com",
]


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

    def test_patterns(self) -> None:
        """One label, not empty, of the scheme and the port; what else is listed stays exact."""
        origins = Origins(
            ["https://*.example.com", "https://*-team.vercel.app", "https://a.example", *LOCAL]
        )
        for value, expected in [
            (b"https://app.example.com", True),
            (b"https://a-1_b.example.com", True),
            (b"https://shop-git-main-team.vercel.app", True),
            (b"https://a.example", True),
            (b"http://pr-7-x.localhost:3000", True),
            (b"https://example.com", False),
            (b"https://.example.com", False),
            (b"https://a.b.example.com", False),
            (b"http://app.example.com", False),
            (b"https://app.example.com:8443", False),
            (b"https://app.example.com.", False),
            (b"https://app.example.com.evil.example", False),
            (b"https://app.example.com\n", False),
            (b"https://evil.example/.example.com", False),
            (b"https://evil.example#.example.com", False),
            (b"https://appxexample.com", False),
            (b"https://APP.example.com", False),
            (b"https://a" + b"a" * 63 + b".example.com", False),
            (b"https://-team.vercel.app", False),
            (b"https://shop-team.evil.vercel.app", False),
            (b"https://shop-teams.vercel.app", False),
            (b"http://pr-.localhost:3000", False),
            (b"http://pr-7-x.localhost", False),
            (b"https://*.example.com", False),
            (b"null", False),
            (b"", False),
        ]:
            self.assertEqual(origins.allows(value), expected, value)

    def test_no_patterns(self) -> None:
        """Strangers' pages: registries' suffixes, hosting companies', what only looks like one."""
        for text in BAD_PATTERNS:
            with self.assertRaises(ValueError, msg=text):
                parse_pattern(text)

    def test_sites(self) -> None:
        """A pattern is of its domain's site; below a public suffix each origin is one of its own.

        Ports do not count.
        """
        origins = Origins(
            ["https://*.shop.example.com:8443", "https://*-team.vercel.app", "http://a.example.org"]
        )
        for scheme, site, expected in [
            ("https", "example.com", True),
            ("http", "example.com", False),
            ("https", "example.org", False),
            ("http", "example.org", True),
            ("https", "shop-team.vercel.app", True),
            ("https", "shop.vercel.app", False),
            ("https", "vercel.app", False),
        ]:
            self.assertEqual(origins.has_of_site(scheme, site), expected, (scheme, site))

    def test_line_beside_patterns(self) -> None:
        """Patterns stay in the new setting."""
        line = Origins(["https://*.example.com"]).line_allowing(b"https://b.example")
        self.assertEqual(line, 'cors_origins = ["https://*.example.com", "https://b.example"]')

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
