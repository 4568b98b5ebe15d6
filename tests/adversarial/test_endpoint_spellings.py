"""Paths that are spelled so that the server behind reads another one than was judged."""

from __future__ import annotations

import tomllib
from urllib.parse import unquote

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.endpoints import METHOD_OVERRIDES, Endpoint, Endpoints

from ..endpoint_vectors import SPELLINGS, Spelling

ORIGIN = "https://api.example.com"


def judged(row: Spelling) -> tuple[Endpoints, bytes, str]:
    """The endpoints of a row, its method and its path without the query."""
    entries = [Endpoint.parse(text) for text in row.patterns]
    opened = Endpoints(entries, encoded_slashes=row.slashes)
    return opened, row.method.encode("ascii"), row.target.partition("?")[0]


class SpellingTests(SynchronousTestCase):
    """The table of spellings."""

    def test_verdicts(self) -> None:
        """Each spelling passes or is refused, on a pinned route and where the page names a URL."""
        self.assertGreater(len(SPELLINGS), 250)
        for row in SPELLINGS:
            opened, method, path = judged(row)
            for origin in ("", ORIGIN):
                with self.subTest(row=row, origin=origin):
                    found = opened.match(method, origin, path)
                    self.assertEqual(found is not None, row.allowed)
                    self.assertIn(found and found.text, (None, *row.patterns))

    def test_written_for_one_host(self) -> None:
        """A pattern with a host judges that host's paths alike, and no other's."""
        for row in SPELLINGS:
            texts = [text.replace(" /", f" {ORIGIN}/", 1) for text in row.patterns]
            opened = Endpoints(
                [Endpoint.parse(text) for text in texts], encoded_slashes=row.slashes
            )
            _, method, path = judged(row)
            with self.subTest(row=row):
                self.assertEqual(opened.match(method, ORIGIN, path) is not None, row.allowed)
                for other in ("", "https://api.example.com:8443", "http://api.example.com"):
                    self.assertIsNone(opened.match(method, other, path))

    def test_refusals(self) -> None:
        """A refusal tells a short reason, quotes no escape, and its remedy lets the request in."""
        for row in SPELLINGS:
            if row.allowed:
                continue
            opened, method, path = judged(row)
            error = opened.refusal(method, "", path)
            with self.subTest(row=row):
                self.assertEqual((error.http_status, error.code), (403, "ENDPOINT_NOT_ALLOWED"))
                self.assertLess(len(error.message), 120)
                self.assertTrue(error.message.isascii() and "%" not in error.message)
                self.assertTrue(error.reason)
                if error.remedy:
                    self.assertTrue(self.helps(row, error.remedy), error.remedy)

    def helps(self, row: Spelling, remedy: str) -> bool:
        """Whether *remedy*, added to the row's route, lets its request through."""
        texts = list(row.patterns)
        if remedy.startswith("endpoints = ["):
            texts += tomllib.loads(remedy.partition(" and ")[0])["endpoints"]
        slashes = row.slashes or "encoded_slashes = true" in remedy
        widened = Endpoints([Endpoint.parse(text) for text in texts], encoded_slashes=slashes)
        _, method, path = judged(row)
        return widened.match(method, "", path) is not None

    def test_encoded_thrice(self) -> None:
        """No number of encodings gets a path through that is refused with fewer of them."""
        for row in SPELLINGS:
            opened, method, path = judged(row)
            if row.allowed or not path.startswith("/") or unquote(path) == path:
                continue
            for _ in range(6):
                path = path.replace("%", "%25")
                found = opened.match(method, "", path)
                with self.subTest(row=row, path=path):
                    self.assertIsNone(found)

    def test_overrides_named(self) -> None:
        """The headers that say another method or path are known by lower-case names."""
        for name in ("x-http-method-override", "x-http-method", "x-method-override"):
            self.assertIn(name, METHOD_OVERRIDES)
        for name in ("x-original-url", "x-rewrite-url", "x-original-method", "destination"):
            self.assertIn(name, METHOD_OVERRIDES)
        self.assertEqual(tuple(name.lower() for name in METHOD_OVERRIDES), METHOD_OVERRIDES)
