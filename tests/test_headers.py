"""Tests of naap_twisted.headers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.headers import (
    CORS_ALLOWED_HEADERS,
    HOP_BY_HOP,
    PASSED,
    PINNED_PASS,
    PINNED_RELAY,
    RELAYED,
    SDP_RELAY,
    HeaderPatterns,
    extended,
    is_token,
    media_type,
)
from naap_twisted.policy.own_headers import why_not_relayed


class RegistryTests(SynchronousTestCase):
    def test_is_the_contracts(self) -> None:
        """The registry is the contract's list, in its order and spelling."""
        self.assertEqual(
            ",".join(CORS_ALLOWED_HEADERS),
            "Content-Type,Authorization,X-CSRF-Token,X-Correlation-ID,X-Plugin-Name,"
            "X-Request-ID,X-Trace-ID,X-Team-ID,X-WHIP-URL,X-Target-URL",
        )

    def test_hop_by_hop_names_are_lower_case(self) -> None:
        """Lookups are made with lower-case names."""
        self.assertEqual(HOP_BY_HOP, {name.lower() for name in HOP_BY_HOP})
        self.assertIn(b"transfer-encoding", HOP_BY_HOP)
        self.assertNotIn(b"content-length", HOP_BY_HOP)


class TokenTests(SynchronousTestCase):
    def test_token(self) -> None:
        """A header name is one or more tchars (RFC 9110 section 5.6.2)."""
        for name in ("X-Target-URL", "a", "!#$%&'*+-.^_`|~09"):
            self.assertTrue(is_token(name), name)
            self.assertTrue(is_token(name.encode()), name)

    def test_no_token(self) -> None:
        """Separators, controls, spaces, non-ASCII letters and nothing are no names."""
        for name in ("", "a b", "a:", "a\n", "a\r\nb", "(a)", "a,b", "a/b", "é", "a\x00", '"a"'):
            self.assertFalse(is_token(name), repr(name))
            self.assertFalse(is_token(name.encode("latin-1")), repr(name))


class HeaderPatternsTests(SynchronousTestCase):
    TABLE = [
        ("Accept", b"accept", True),
        ("Accept", b"ACCEPT", True),
        ("Accept", b"accept-language", False),
        ("Accept", b"accep", False),
        ("X-RateLimit-*", b"x-ratelimit-reset", True),
        ("X-RateLimit-*", b"X-RATELIMIT-", True),
        ("X-RateLimit-*", b"x-ratelimit", False),
        ("X-RateLimit-*", b"a-x-ratelimit-reset", False),
        ("x*", b"X", True),
        ("x*", b"y", False),
    ]

    def test_one_pattern(self) -> None:
        """A pattern is the whole name, or an opening of it; case does not count."""
        for pattern, name, expected in self.TABLE:
            self.assertEqual(HeaderPatterns([pattern]).match(name), expected, (pattern, name))

    def test_many(self) -> None:
        """Any of the patterns is enough."""
        patterns = HeaderPatterns(["Retry-After", "openai-*", "X-RateLimit-*"])
        names = [b"retry-after", b"OpenAI-Model", b"x-ratelimit-limit", b"retry", b"set-cookie"]
        self.assertEqual([patterns.match(name) for name in names], [True, True, True, False, False])

    def test_none_match_nothing(self) -> None:
        """An empty list matches no header, and is false."""
        self.assertFalse(HeaderPatterns().match(b"accept"))
        self.assertFalse(HeaderPatterns())
        self.assertTrue(HeaderPatterns(["x-*"]))

    def test_keeps_the_spelling(self) -> None:
        """Names and prefixes can be shown as they were written."""
        patterns = HeaderPatterns(["X-One", "X-Two-*"])
        self.assertEqual((patterns.names, patterns.prefixes), (("X-One",), ("X-Two-",)))

    def test_holes(self) -> None:
        """What is taken out of a prefix is out of it, and out of no name that is written out."""
        patterns = HeaderPatterns(["X-*", "!X-One", "!X-Two-*", "X-Two-Three"])
        for name, expected in (
            (b"x-four", True),
            (b"X-One", False),
            (b"x-one-more", True),
            (b"x-two-one", False),
            (b"x-two-three", True),
        ):
            self.assertEqual(patterns.match(name), expected, name)
        self.assertEqual(patterns.holes, ("!X-One", "!X-Two-*"))
        self.assertFalse(HeaderPatterns(["!X-One"]).match(b"x-one"))

    def test_covers(self) -> None:
        """A pattern is covered where all of its names are."""
        patterns = HeaderPatterns(["X-One", "X-Two-*"])
        for pattern, expected in (
            ("x-one", True),
            ("X-One*", False),
            ("X-Two-Three", True),
            ("X-Two-*", True),
            ("X-Two-Th*", True),
            ("X-T*", False),
            ("X-*", False),
        ):
            self.assertEqual(patterns.covers(pattern), expected, pattern)

    def test_refuses_all_else(self) -> None:
        """Only exact names and one trailing star; a lone star would let Cookie through."""
        for pattern in ("*", "", "**", "X-**", "*-Id", "X-*-Id", "a b", "a:", "X-\n*", "é"):
            with self.assertRaises(ValueError, msg=repr(pattern)):
                HeaderPatterns(["Accept", pattern])


class ExtendedTests(SynchronousTestCase):
    """What an option adds to the usual names, and takes out of them."""

    def test_taken_out(self) -> None:
        """A name, a pattern, all that a pattern covers, and a part of a pattern."""
        for usual, written, expected in (
            (("A", "B"), ("!b", "C"), ("A", "C")),
            (("X-A-*", "B"), ("!X-A-*",), ("B",)),
            (("X-A-*", "X-A", "B"), ("!X-*",), ("B",)),
            (("X-A-*",), ("!x-a-1",), ("X-A-*", "!x-a-1")),
            (("X-A-*",), ("!X-A-B-*", "X-A-B-1"), ("X-A-*", "X-A-B-1", "!X-A-B-*")),
            (("A",), ("!Z",), ("A",)),
        ):
            self.assertEqual(extended(usual, written), expected, (usual, written))


class UsualHeadersTests(SynchronousTestCase):
    """The headers that usual clients send and read."""

    def test_sent(self) -> None:
        """What passes upstream describes the request: no credential, nothing of one connection."""
        passed = HeaderPatterns((*PASSED, *PINNED_PASS))
        for name in (*HOP_BY_HOP, b"authorization", b"cookie", b"host", b"content-length"):
            self.assertFalse(passed.match(name), name)
        for name in (b"accept", b"if-none-match", b"idempotency-key", b"x-stainless-lang"):
            self.assertTrue(passed.match(name), name)

    def test_read(self) -> None:
        """What is relayed is nothing that an upstream may never set here."""
        for name in (*RELAYED, *PINNED_RELAY, *SDP_RELAY):
            self.assertEqual(why_not_relayed(name), "", name)


class MediaTypeTests(SynchronousTestCase):
    def test_parameters_and_case(self) -> None:
        """The type alone, in lower case; nothing of nothing."""
        for written, expected in (
            (b"Application/JSON; charset=utf-8", b"application/json"),
            (b"  text/plain\t;", b"text/plain"),
            (b"a/b;c=d;e=f", b"a/b"),
            (b"", b""),
            (b";", b""),
        ):
            self.assertEqual(media_type(written), expected)
