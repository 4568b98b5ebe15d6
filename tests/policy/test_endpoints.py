"""Tests for naap_twisted.policy.endpoints; the spellings are in tests.endpoint_vectors."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import permutations
from urllib.parse import unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.endpoints import Endpoint, Endpoints

BOUNDED = settings(max_examples=1500, derandomize=True, database=None, deadline=None)

PIECES = (
    *("a", "b", "A", "ab", "files", "/", "/", "/", ".", "..", "%2e", "%2E", "%252e", ";", ";x"),
    *("%3b", "%253B", "\\", "%5c", "%255c", "%2f", "%2F", "%252f", "%25", "%61", "%2561", "%62"),
    *("%3f", "%23", "%00", "%20", "%0a", "%c0%ae", "%u002e", "%", "*", "%2a", ":", "%c3%a9"),
)
PATHS = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda pieces: "/" + "".join(pieces))
SEGMENTS = st.sampled_from(("a", "b", "ab", "*", "a*", "*b", "a*b", "files", "%61b", "*:x", "A"))
PATTERNS = st.builds(
    lambda segments, end: "GET /" + "/".join((*segments, *end)),
    st.lists(SEGMENTS, min_size=1, max_size=3),
    st.sampled_from(((), (), ("**",), ("",))),
)


@st.composite
def filled(draw: st.DrawFn, pattern: str) -> str:
    """A path that *pattern* matches, but for what stands in place of its stars."""
    path = pattern.removeprefix("GET ")
    while "*" in path:
        pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
        path = path.replace("*", "".join(pieces).replace("*", "").replace("%2a", ""), 1)
    return path


def as_regex(pattern: str) -> re.Pattern[bytes]:
    """What a pattern matches in any case, written apart from the code under test."""
    texts = []
    for segment in pattern.partition(" ")[2].lstrip("/").split("/"):
        if segment == "**":
            texts.append(b".+")
            continue
        before, star, after = segment.partition("*")
        ends = [re.escape(unquote_to_bytes(text).lower()) for text in (before, after)]
        inner = (b"[^/]*" if before or after else b"[^/]+") if star else b""
        texts.append(ends[0] + inner + ends[1])
    return re.compile(b"/" + b"/".join(texts), re.DOTALL)


def decoded_twice(path: bytes) -> bytes:
    return unquote_to_bytes(unquote_to_bytes(path))


def forward_slashes(path: bytes) -> bytes:
    return path.replace(b"\\", b"/")


def without_parameters(path: bytes) -> bytes:
    return re.sub(rb";[^/]*", b"", path)


def merged(path: bytes) -> bytes:
    return re.sub(rb"/+", b"/", path)


def without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments[-1:] in ([b"."], [b".."]):
        kept.append(b"")
    return b"/" + b"/".join(kept)


STEPS = (decoded_twice, forward_slashes, without_parameters, merged, without_dots)
#: Every order of the steps, and each number of them.
ORDERS = [order for count in range(1, 6) for order in permutations(STEPS, count)]


def normalised(path: str) -> set[bytes]:
    """What some upstream may make of *path*: decoded at least once, then any steps in any order."""
    found = set()
    for order in ORDERS:
        text = path.encode("ascii")
        for step in order:
            text = step(text)
        found.add(unquote_to_bytes(text).lower())
    return found


def calls_of(work: Callable[[], object]) -> int:
    """How many calls *work* makes: the cost of pure Python that no neighbour changes."""
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


class MatchTests(SynchronousTestCase):
    @BOUNDED
    @given(st.lists(PATTERNS, min_size=1, max_size=4), st.data())
    def test_still_matched_after_normalisation(
        self, patterns: list[str], data: st.DataObject
    ) -> None:
        """Whatever passes is matched by a pattern however an upstream normalises it."""
        path = data.draw(PATHS | filled(patterns[0]))
        if Endpoints(list(map(Endpoint.parse, patterns))).match(b"GET", "", path) is not None:
            rules = list(map(as_regex, patterns))
            for text in normalised(path):
                self.assertTrue(any(rule.fullmatch(text) for rule in rules), (path, text))

    @BOUNDED
    @given(PATTERNS, st.lists(st.sampled_from("abAx:"), min_size=1, max_size=9), st.data())
    def test_plain_paths(self, pattern: str, letters: list[str], data: st.DataObject) -> None:
        """A path that nobody reads in two ways is matched just as the pattern says."""
        slashes = data.draw(st.sets(st.integers(0, len(letters) - 1)))
        path = "/" + "".join(
            f"{letter}/" if place in slashes else letter for place, letter in enumerate(letters)
        )
        rule = re.compile(self.exact(pattern))
        matched = Endpoints([Endpoint.parse(pattern)]).match(b"GET", "", path) is not None
        self.assertEqual(matched, rule.fullmatch(path) is not None, (pattern, path))

    def exact(self, pattern: str) -> str:
        """A regular expression for *pattern*, the case kept."""
        text = re.escape(pattern.removeprefix("GET ").replace("%61", "a"))
        text = text.replace(r"/\*\*", "(?:/[^/]+)+")
        text = re.sub(r"/\\\*(?=/|\Z)", "/[^/]+", text)
        return text.replace(r"\*", "[^/]*")

    def test_both_ways_agree(self) -> None:
        """A path that is read in several ways gives the entry that its plain spelling gives."""
        opened = Endpoints(list(map(Endpoint.parse, ("GET /a/b", "GET /a/*", "GET /**"))))
        for plain, odd in (("/a/b", "/a/%62"), ("/a/c", "/%61/c"), ("/x/y", "/x/%79")):
            found = opened.match(b"GET", "", plain)
            self.assertIsNotNone(found)
            self.assertIs(opened.match(b"GET", "", odd), found)

    def test_closest(self) -> None:
        """A literal is closer than a text with a star, then one star, then two."""
        texts = ["GET /**", "GET /a/*", "GET /a/b*", "GET /a/bc", "GET /*/bc/d"]
        opened = Endpoints(list(map(Endpoint.parse, texts)))
        for path, text in (
            ("/a/bc", "GET /a/bc"),
            ("/a/bd", "GET /a/b*"),
            ("/a/c", "GET /a/*"),
            ("/a/bc/d", "GET /*/bc/d"),
            ("/a/bc/e", "GET /**"),
        ):
            found = opened.match(b"GET", "", path)
            self.assertEqual(found and found.text, text)

    def test_hosts(self) -> None:
        """An entry with a URL opens that origin only; one without opens every one."""
        texts = ["POST https://api.Stripe.com:443/v1/charges", "GET /v1/charges"]
        opened = Endpoints(list(map(Endpoint.parse, texts)))
        stripe = "https://api.stripe.com"
        self.assertIsNotNone(opened.match(b"POST", stripe, "/v1/charges"))
        self.assertIsNone(opened.match(b"POST", "https://b.example", "/v1/charges"))
        for origin in (stripe, "https://b.example"):
            self.assertIsNotNone(opened.match(b"GET", origin, "/v1/charges"))

    def test_nothing_named(self) -> None:
        """An empty list opens nothing."""
        for path in ("", "/", "/a", "/%61"):
            self.assertIsNone(Endpoints([]).match(b"GET", "", path))

    def test_readings_are_bounded(self) -> None:
        """A path that can be read in very many ways is refused soon."""
        opened = Endpoints([Endpoint.parse("GET /**")])
        for path in ("/a%20" * 2000, "/a;" * 60 + "%3B%253B%3F%253F%23%2523" * 20):
            self.assertLess(calls_of(lambda p=path: opened.match(b"GET", "", p)), 20_000)
        self.assertIsNone(opened.match(b"GET", "", "/a%20" * 2000))

    def test_cost(self) -> None:
        """Among 1,000 patterns a path costs what it costs among 10."""

        def calls(count: int) -> int:
            texts = [f"POST /r{number}/x{number}*/y" for number in range(count)]
            opened = Endpoints([Endpoint.parse(text) for text in (*texts, "POST /v1/chat/new")])
            return calls_of(lambda: opened.match(b"POST", "", "/v1/chat/new"))

        self.assertEqual(calls(1000), calls(10))
        self.assertLess(calls(10), 20)


class RefusalTests(SynchronousTestCase):
    def test_words(self) -> None:
        """The message names the endpoint without ids, the remedy is the line that opens it."""
        opened = Endpoints([Endpoint.parse("POST /chat/completions")])
        for method, path, message, remedy in (
            (b"DELETE", "/files/file-abc123", "DELETE /files/*", "DELETE /files/*"),
            (b"HEAD", "/files", "GET /files", "GET /files"),
            (b"POST", "/chat/completions/", "POST /chat/completions/", "POST /chat/completions/"),
            (b"POST", "", "POST /", "POST /"),
        ):
            error = opened.refusal(method, "", path)
            self.assertEqual(error.message, f"This route does not open {message}")
            self.assertEqual(error.reason, f"endpoints has no {message}")
            self.assertEqual(error.remedy, f'endpoints = ["POST /chat/completions", "{remedy}"]')

    def test_host(self) -> None:
        """Where the page names the URL, the remedy opens the path for its host only."""
        error = Endpoints([]).refusal(b"POST", "https://api.stripe.com", "/v1/charges")
        self.assertEqual(error.remedy, 'endpoints = ["POST https://api.stripe.com/v1/charges"]')

    def test_never_allowed(self) -> None:
        """What no line could let through has no remedy, and says why in the log."""
        for path, reason in (
            ("/a/..", "dot segment in the path"),
            ("/a//b", "empty segment in the path"),
            ("/a%00", "encoded NUL in the path"),
            ("/a%5cb", "encoded backslash in the path"),
            ("/a%0d%0ab", "encoded control character in the path"),
            ("/a%252525252541", "too many encodings in the path"),
            ("https://b.example/", "not a path"),
        ):
            error = Endpoints([Endpoint.parse("GET /**")]).refusal(b"GET", "", path)
            self.assertEqual((error.reason, error.remedy), (reason, ""))

    def test_encoded_slash(self) -> None:
        """An encoded slash names the option that lets it through, beside the entry if need be."""
        opened = Endpoints([Endpoint.parse("GET /p/*")])
        self.assertEqual(opened.refusal(b"GET", "", "/p/a%2Fb").remedy, "encoded_slashes = true")
        self.assertEqual(
            opened.refusal(b"GET", "", "/q/a%2Fb").remedy,
            'endpoints = ["GET /p/*", "GET /q/*"] and encoded_slashes = true',
        )

    def test_many(self) -> None:
        """A long list is not repeated at every refusal."""
        opened = Endpoints([Endpoint.parse(f"GET /p{n}") for n in range(40)])
        wanted = '"GET /q" beside the others in endpoints'
        self.assertEqual(opened.refusal(b"GET", "", "/q").remedy, wanted)

    def test_long(self) -> None:
        """A long path is told in few characters."""
        error = Endpoints([]).refusal(b"GET", "", "/word" * 500)
        self.assertLess(len(error.message), 100)
        self.assertLess(len(error.remedy), 300)
