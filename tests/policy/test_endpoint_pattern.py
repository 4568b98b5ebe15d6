"""Tests for naap_twisted.policy.endpoint_pattern."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import Target
from naap_twisted.policy.endpoint_pattern import DEEP, Endpoint, Wild, flaws, unreachable
from naap_twisted.policy.endpoints import Endpoints

BOUNDED = settings(max_examples=1500, derandomize=True, database=None, deadline=None)

READ = [
    ("GET /", "", ()),
    ("GET /files", "", ("files",)),
    ("GET /files/", "", ("files", "")),
    ("GET /files/*", "", ("files", Wild())),
    ("GET /files/**", "", ("files", DEEP)),
    ("POST /models/gpt-4*", "", ("models", Wild("gpt-4"))),
    ("POST /models/*:generateContent", "", ("models", Wild("", ":generateContent"))),
    ("GET /a%62*%63d", "", (Wild("ab", "cd"),)),
    ("GET /a%2Ab", "", ("a*b",)),
    ("GET /caf\u00e9", "", ("caf\u00c3\u00a9",)),
    ("GET /caf%C3%A9", "", ("caf\u00c3\u00a9",)),
    ("PROPFIND /x", "", ("x",)),
    ("VERSION-CONTROL /x", "", ("x",)),
    ("POST https://API.stripe.com:443/v1/*", "https://api.stripe.com", ("v1", Wild())),
    ("POST http://a.example:8080/x", "http://a.example:8080", ("x",)),
    ("GET https://a.example", "https://a.example", ()),
    ("GET /.well-known/x", "", (".well-known", "x")),
]
#: An entry that is refused, and words of what to write instead.
REFUSED = [
    ("", "as in"),
    (" ", "as in"),
    ("POST", "as in"),
    ("/chat", "as in"),
    ("/chat completions", "no method"),
    ("https://a.example/ x", "no method"),
    ("post /chat", 'write "POST"'),
    ("Post /chat", 'write "POST"'),
    ("* /chat", "one entry for each method"),
    ("P*T /chat", "one entry for each method"),
    ("GET,POST /chat", "as in"),
    ("OPTIONS /chat", "drop it"),
    ("TRACE /chat", "drop the entry"),
    ("CONNECT /chat", "drop the entry"),
    ("POST chat", "open with a slash"),
    ("POST *", "open with a slash"),
    ("POST @chat", "open with a slash"),
    ("POST ftp://a.example/", "open with a slash"),
    ("POST  /chat", "open with a slash"),
    ("POST /chat /files", "one method and one path"),
    ("POST /chat ", "one method and one path"),
    ("POST /chat\t", "one method and one path"),
    ("POST /chat?x=1", "parameters into query"),
    ("POST /chat#x", "drop it"),
    ("GET //files", "single slashes"),
    ("GET /a//b", "single slashes"),
    ("GET /a/./b", "dot segment"),
    ("GET /a/..", "dot segment"),
    ("GET /a/%2e%2E/b", "dot segment"),
    ("GET /**/a", '"*" for one segment'),
    ("GET /**/", '"*" for one segment'),
    ("GET /a**", "two stars"),
    ("GET /***", "two stars"),
    ("GET /a*b*c", "two stars"),
    ("GET /a%2Fb", "encoded_slashes"),
    ("GET /a%2Fb*", "encoded_slashes"),
    ("GET /a%5Cb", "backslash"),
    ("GET /a\\b", "backslash"),
    ("GET /a;b", "semicolon"),
    ("GET /*%3Bb", "semicolon"),
    ("GET /a%3Fb", '"?"'),
    ("GET /a%23b", '"#"'),
    ("GET /a%2541", "once"),
    ("GET /a%0Ab", "control character"),
    ("GET /a%00b", "can never match"),
    ("GET /a%c0%afb", "can never match"),
    ("GET /a%zz", '"%25"'),
    ("GET /a%", '"%25"'),
    ("GET /files/{file_id}", 'write "*"'),
    ("GET /files/:id", 'write "*"'),
    ("GET /files/<id>", 'write "*"'),
    ("GET https://user:hunter2@a.example/x", "forward_headers"),
    ("GET https://*.a.example/x", "every allowed host"),
    ("GET https://a.example/x?y", "parameters into query"),
    ("GET https://a.example/x#y", "drop it"),
    ("GET https://a.example:0/", "malformed port"),
    ("GET https:///x", "empty host"),
    ("GET https://b\u00fccher.example/", "non-ASCII"),
    ("GET /" + "a" * 2000, "longer"),
    ("GET " + "/a" * 100, "segments"),
]
FLAWED = [
    (["GET /a", "POST /a", "GET /b/*"], []),
    (["GET /a", "GET /a"], [(1, 'says the same as "GET /a"')]),
    (["GET /a", "GET /%61"], [(1, 'says the same as "GET /a"')]),
    (["GET /a/b", "GET /a/*"], [(0, 'included in "GET /a/*"')]),
    (["GET /a/**", "GET /a/b/c"], [(1, 'included in "GET /a/**"')]),
    (["GET /a/**", "GET /a/*/**"], [(1, 'included in "GET /a/**"')]),
    (["GET /gpt-4*", "GET /gpt-4o*"], [(1, 'included in "GET /gpt-4*"')]),
    (["GET /a*", "GET /*b"], []),
    (["GET /a/**", "GET /a"], []),
    (["GET /a/**", "GET /a/", "GET /a/b/"], []),
    (["GET /a", "HEAD /a"], [(1, 'comes with "GET /a"')]),
    (["HEAD /a", "GET /*"], [(0, 'comes with "GET /*"')]),
    (["HEAD /a", "POST /a"], []),
    (["GET https://a.example/a", "GET /a"], [(0, 'included in "GET /a"')]),
    (["GET https://a.example/a", "GET https://b.example/a"], []),
    (["GET https://a.example/a", "GET https://A.example:443/a"], [(1, "says the same")]),
]
SEGMENTS = st.sampled_from(("a", "b", "ab", "*", "a*", "*b", "a*b", "ab*", "*ab"))
PATTERNS = st.builds(
    lambda segments, end: "GET /" + "/".join((*segments, *end)),
    st.lists(SEGMENTS, max_size=3),
    st.sampled_from(((), ("**",), ("",))),
)
PATHS = st.lists(st.sampled_from(("a", "b", "ab", "/", "x", ";", "%61")), max_size=8).map("".join)


class ParseTests(SynchronousTestCase):
    def test_read(self) -> None:
        """An entry's method, origin and decoded segments."""
        for text, origin, segments in READ:
            with self.subTest(text):
                entry = Endpoint.parse(text)
                self.assertEqual((entry.text, entry.origin), (text, origin))
                self.assertEqual(entry.segments, segments)
                self.assertEqual(entry.method, text.partition(" ")[0])

    def test_refused(self) -> None:
        """A slip is refused with what to write instead, and no password is repeated."""
        for text, words in REFUSED:
            with self.subTest(text):
                error = self.assertRaises(ValueError, Endpoint.parse, text)
                self.assertIn(words, str(error))
                self.assertNotIn("hunter2", str(error))
                self.assertLess(len(str(error)), 160)

    @BOUNDED
    @given(PATTERNS)
    def test_matches_itself(self, text: str) -> None:
        """No entry that is read is one that nothing can match."""
        entry = Endpoint.parse(text)
        path = text.removeprefix("GET ").replace("**", "x/y").replace("*", "x")
        self.assertIsNotNone(Endpoints([entry]).match(b"GET", "", path))


class FlawTests(SynchronousTestCase):
    def test_flaws(self) -> None:
        """Entries that say what another says already, each told once and with the other's text."""
        for texts, expected in FLAWED:
            with self.subTest(texts):
                found = flaws([Endpoint.parse(text) for text in texts])
                self.assertEqual([place for place, _ in found], [place for place, _ in expected])
                for (_, words), (_, part) in zip(found, expected, strict=True):
                    self.assertIn(part, words)
                    self.assertIn("drop", words)

    @BOUNDED
    @given(st.lists(PATTERNS, min_size=2, max_size=5), PATHS)
    def test_inclusion_is_sound(self, texts: list[str], path: str) -> None:
        """What an included entry matches, its includer matches, too."""
        for outer, inner in permutations(texts, 2):
            first, second = Endpoint.parse(outer), Endpoint.parse(inner)
            if not first.includes(second):
                continue
            stars = inner.removeprefix("GET ").replace("**", "x/y")
            for each in (f"/{path}", stars.replace("*", "x"), stars.replace("*", "a%62")):
                if Endpoints([second]).match(b"GET", "", each) is not None:
                    self.assertIsNotNone(Endpoints([first]).match(b"GET", "", each), each)


class UnreachableTests(SynchronousTestCase):
    def why_not(self, target: Target) -> str:
        return "" if target.host == "a.example" else "host is not in allowed_hosts"

    def test_host_not_allowed(self) -> None:
        """A whole URL has to be one that the route may ask."""
        texts = ["GET https://a.example/x", "GET https://b.example/x", "GET /x"]
        entries = [Endpoint.parse(text) for text in texts]
        self.assertEqual(
            unreachable(entries, pinned=False, why_not=self.why_not),
            [(1, "can never match: https://b.example: host is not in allowed_hosts")],
        )

    def test_pinned(self) -> None:
        """Beside a pinned base no entry names a host."""
        entries = [Endpoint.parse("GET https://a.example/x"), Endpoint.parse("GET /x")]
        ((place, words),) = unreachable(entries, pinned=True, why_not=self.why_not)
        self.assertEqual(place, 0)
        self.assertIn('write the path below target, as in "GET /path"', words)
