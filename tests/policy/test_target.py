"""Tests for naap_twisted.policy.target."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from urllib.parse import unquote_to_bytes

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError, InvalidTarget, SchemeNotAllowed
from naap_twisted.model import Target
from naap_twisted.policy.target import MAX_QUERY, MAX_URL, PinnedBase, parse_target
from naap_twisted.secret import Secret

from ..target_vectors import ACCEPTED, BAD_BASES, ESCAPES, PATHS, REFUSED, REMAINDERS

BOUNDED = settings(max_examples=300, derandomize=True, database=None, deadline=None)

# Mostly URL-shaped, so that a fair part is accepted and the rest fails late.
URLISH = st.one_of(
    st.binary(max_size=80),
    st.lists(
        st.sampled_from(
            b"https:// http:// a . - xn-- [::1] : 80 / ? # @ % %2e %41 \\ , ; 0x 127.0.0.1".split()
        ),
        max_size=14,
    ).map(b"".join),
    st.from_regex(
        rb"\Ahttps?://[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\.[a-zA-Z]{1,5}){0,3}\.?(:[0-9]{1,5})?"
        rb"(/[ -~]{0,20})?(\?[ -~]{0,10})?\Z"
    ),
)


def refusal(raw: bytes) -> InvalidTarget | None:
    """The error that *raw* meets, or ``None``."""
    try:
        parse_target(raw)
    except InvalidTarget as error:
        return error
    return None


class ParseTargetTests(SynchronousTestCase):
    """The grammar of the target header."""

    def test_accepted(self) -> None:
        """Scheme, host and port are normalised once."""
        for raw, expected in ACCEPTED:
            with self.subTest(raw):
                target = parse_target(raw)
                self.assertEqual((target.scheme, target.host, target.port), expected)

    def test_paths(self) -> None:
        """Path and query stay as received; a missing path is ``/``."""
        for raw, path in PATHS:
            with self.subTest(raw):
                self.assertEqual(parse_target(b"https://a.example" + raw).path_and_query, path)

    def test_refused(self) -> None:
        """Everything else is refused with its precise reason, which is for the log."""
        for raw, reason in REFUSED:
            with self.subTest(raw):
                error = self.assertRaises(InvalidTarget, parse_target, raw)
                self.assertEqual(error.reason, reason)

    def test_public_message(self) -> None:
        """The browser learns which header was wrong, under the name that the route uses."""
        error = self.assertRaises(InvalidTarget, parse_target, b"nope", "X-WHIP-URL")
        self.assertEqual(error.message, "Invalid URL in X-WHIP-URL header")
        error = self.assertRaises(InvalidTarget, parse_target, b"nope")
        self.assertEqual(error.message, "Invalid URL in X-Target-URL header")
        self.assertEqual(error.http_status, 400)
        self.assertEqual(error.code, "INVALID_TARGET")

    def test_other_schemes(self) -> None:
        """What would be a URL but for its scheme is told so; what is none, or too odd, is not."""
        for raw, scheme in (
            (b"ftp://a", "ftp"),
            (b"WSS://u:p@[::1]/x?y", "wss"),
            (b"a+b:///", "a+b"),
        ):
            error = self.assertRaises(SchemeNotAllowed, parse_target, raw)
            self.assertEqual(error.message, f'Scheme "{scheme}" is not in the allowed list')
        for raw in (b"ftp:a", b"//a", b"ftp://", b"ftp://a#b", b"f\xfc://a", b"a" * 33 + b"://a",
                    b"https://a_b/", b"HTTP://a:0/", b"view-source:https://a/"):  # fmt: skip
            error = self.assertRaises(InvalidTarget, parse_target, raw)
            self.assertEqual(error.code, "INVALID_TARGET", raw)

    def test_length(self) -> None:
        """4096 bytes are accepted, one more is not."""
        longest = b"https://a.example/".ljust(MAX_URL, b"a")
        self.assertEqual(len(parse_target(longest).url), 4096)
        error = self.assertRaises(InvalidTarget, parse_target, longest + b"a")
        self.assertEqual(error.reason, "longer than 4096 bytes")

    def test_query_length(self) -> None:
        """A query has 8192 bytes of its own."""
        for url in (b"https://a.example/?", b"https://a.example/".ljust(MAX_URL, b"a") + b"?"):
            longest = url + b"q" * MAX_QUERY
            self.assertEqual(parse_target(longest).url, longest.decode())
            error = self.assertRaises(InvalidTarget, parse_target, longest + b"q")
            self.assertEqual(error.reason, "query longer than 8192 bytes")

    def test_every_foreign_byte(self) -> None:
        """Path and query hold visible ASCII; a host holds its alphabet."""
        visible = bytes(range(0x21, 0x7F)).replace(b"#", b"")
        legal = visible.replace(b"\\", b"")
        for byte in range(256):
            one = bytes([byte])
            with self.subTest(byte):
                in_path = refusal(b"https://a.example/a" + one + b"b")
                self.assertEqual(in_path is None, byte in legal)
                in_query = refusal(b"https://a.example/?a" + one + b"b")
                self.assertEqual(in_query is None, byte in visible)
                in_host = refusal(b"https://a" + one + b"b.example/")
                alnum_dot = one.isalnum() or one in b"-./?"
                self.assertEqual(in_host is None, alnum_dot)

    @BOUNDED
    @given(URLISH)
    def test_only_invalid_target(self, raw: bytes) -> None:
        """Any bytes give a target or InvalidTarget; what was accepted parses to itself again."""
        try:
            target = parse_target(raw)
        except InvalidTarget as error:
            self.assertTrue(error.reason)
            return
        self.assertEqual(parse_target(target.url.encode("ascii")), target)
        self.assertTrue(1 <= target.port <= 65535)


class SecretBaseTests(SynchronousTestCase):
    """A base with secrets in its path."""

    def base(self, url: str, *values: str) -> PinnedBase:
        secrets = [Secret(value, f"env:{number}") for number, value in enumerate(values)]
        return PinnedBase.parse(url, secrets)

    def test_join(self) -> None:
        """A target has the secret only once it is opened, and shows its source."""
        url = "https://Hooks.example.com/s/${env:A}/b${env:B}"
        for closing in ("", "/"):
            pinned = self.base(url + closing, "canary-1", "canary:2=")
            for rest in ("/x%2Fy?q=${", "?q=1"):
                target = pinned.join(rest.encode().replace(b"${", b"1"))
                rest = rest.replace("${", "1")
                self.assertEqual(target.host, "hooks.example.com")
                real = f"/s/canary-1/bcanary:2={closing if rest[0] == '?' else ''}{rest}"
                self.assertEqual(pinned.opened(target.path_and_query), real)
                self.assertNotIn("canary", target.url + repr(pinned))
                self.assertIn("/s/${env:A}/b${env:B}", pinned.shown(target))
            self.assertEqual(pinned.shown(pinned.base), url + closing)

    def test_beside(self) -> None:
        """What is not below the base has none of its secrets."""
        pinned = self.base("https://a.example/s/${env:A}", "canary-1")
        for path in ("/", "/s", "/s/[redacted]x", "/x?/s/[redacted]"):
            self.assertEqual(pinned.opened(path), path)
        plain = PinnedBase.parse("https://a.example/s")
        self.assertEqual(plain.opened("/s/x"), "/s/x")

    def test_within(self) -> None:
        """An upstream's URL, which holds the secret, becomes one that does not."""
        pinned = self.base("https://a.example/s/${env:A}", "canary-1")
        target = pinned.within(parse_target(b"https://a.example/s/canary-1/x?y"))
        self.assertEqual(target, pinned.join(b"/x?y"))
        for url in (b"https://a.example/s/canary-10", b"https://a.example/s", b"https://a.example"):
            error = self.assertRaises(InvalidTarget, pinned.within, parse_target(url))
            self.assertNotIn("canary", error.reason)
            self.assertIn("${env:A}", error.reason)

    def test_other_secrets(self) -> None:
        """A base that is made again of other secrets has them, and is judged again."""
        pinned = self.base("https://a.example/s/${env:A}", "canary-1")
        again = evolve(pinned, secrets=(Secret("canary-2"),))
        self.assertEqual(again.opened(again.join(b"/x").path_and_query), "/s/canary-2/x")
        self.assertRaises(ValueError, evolve, pinned, secrets=(Secret("a/b"),))

    def test_values(self) -> None:
        """A value is one piece of a segment; no message holds it."""
        url = "https://a.example/s/${env:A}"
        for odd in '/?#% \\;[]<>|^`{}"\u00e9':
            error = self.assertRaises(ConfigError, self.base, url, f"canary{odd}b")
            self.assertNotIn("canary", str(error), odd)
        for value in (".", ".."):
            self.assertRaises(ConfigError, self.base, url, value)
        self.assertRaises(ConfigError, self.base, "https://a.example/${env:A}${env:B}", ".", ".")
        self.base("https://a.example/bot${env:A}/x", "..")
        self.base("https://a.example/${env:A}${env:B}", "bot", "123456:AB-cd_e~f.g!$&'()*+,=@")

    def test_places(self) -> None:
        """Neither scheme, host nor port, nor a query or fragment, is a secret's place."""
        for url in (
            *("${env:A}://a.example/", "https://${env:A}/", "https://a.${env:A}.example/"),
            *("https://a.example:${env:A}/", "https://a.example${env:A}", "https://${env:A}"),
            *("https://a.example/?key=${env:A}", "https://a.example/#${env:A}"),
            *("https://a.example?${env:A}", "https://a.example/x?y=/${env:A}", "${env:A}"),
        ):
            error = self.assertRaises(ConfigError, self.base, url, "8443")
            self.assertIn("may stand in the path only", str(error), url)
        error = self.assertRaises(ConfigError, self.base, "https://a.example/${env:A}?q", "x")
        self.assertIn("has no query", str(error))


class PinnedBaseTests(SynchronousTestCase):
    """A configured base and what a client adds to it."""

    def test_join(self) -> None:
        """The remainder is appended as received; its query is not looked into."""
        pinned = PinnedBase.parse("https://API.openai.com/v1")
        for remainder, path in REMAINDERS:
            with self.subTest(remainder):
                self.assertEqual(
                    pinned.join(remainder), Target("https", "api.openai.com", 443, path)
                )

    def test_within(self) -> None:
        """A whole URL is below the base by whole segments, and by the rules of a remainder."""
        pinned = PinnedBase.parse("https://api.openai.com/v1")
        for url, inside in (
            (b"https://api.openai.com/v1", True),
            (b"https://api.openai.com/v1/models?a=b", True),
            (b"https://api.openai.com/v1?a=b", True),
            (b"https://api.openai.com/v10", False),
            (b"https://api.openai.com/v1/..%2fv2", False),
            (b"https://api.openai.com:8443/v1", False),
            (b"http://api.openai.com/v1", False),
            (b"https://evil.com/v1", False),
        ):
            with self.subTest(url):
                target = parse_target(url)
                if inside:
                    self.assertEqual(pinned.within(target), target)
                else:
                    self.assertRaises(InvalidTarget, pinned.within, target)

    def test_underscores(self) -> None:
        """The operator's own name may have one, and a redirect of that upstream names it again."""
        pinned = PinnedBase.parse("http://my_api:8000/v1")
        self.assertEqual(pinned.base, Target("http", "my_api", 8000, "/v1"))
        self.assertEqual(pinned.whole(b"http://MY_API:8000/v1/a").path_and_query, "/v1/a")
        for raw in (b"http://my_apis:8000/v1/a", b"http://my_api:8000/v2", b"nope"):
            self.assertRaises(InvalidTarget, pinned.whole, raw)
        other = PinnedBase.parse("http://my-api:8000/v1")
        self.assertRaises(InvalidTarget, other.whole, b"http://my_api:8000/v1")

    def test_trailing_slash_of_the_base(self) -> None:
        """It makes no double slash, and stays where nothing is added."""
        pinned = PinnedBase.parse("https://a.example:8443/v1/")
        self.assertEqual(pinned.join(b"/chat").url, "https://a.example:8443/v1/chat")
        self.assertEqual(pinned.join(b"?q").path_and_query, "/v1/?q")
        self.assertEqual(pinned.base.path_and_query, "/v1/")

    def test_base_without_path(self) -> None:
        """A bare origin is a base whose path is ``/``."""
        for url in ("https://a.example", "https://a.example/"):
            pinned = PinnedBase.parse(url)
            self.assertEqual(pinned.join(b"").path_and_query, "/")
            self.assertEqual(pinned.join(b"/x").path_and_query, "/x")
            self.assertEqual(pinned.join(b"?x").path_and_query, "/?x")

    def test_never_leaves_the_base(self) -> None:
        """Whatever a server might fold into another path is refused, with its reason."""
        pinned = PinnedBase.parse("https://api.openai.com/v1")
        for remainder, reason in ESCAPES:
            with self.subTest(remainder):
                error = self.assertRaises(InvalidTarget, pinned.join, remainder)
                self.assertEqual(error.reason, reason)
                self.assertEqual(error.message, "Invalid target URL")

    def test_length(self) -> None:
        """Base and remainder together keep to the limit of a URL."""
        pinned = PinnedBase.parse("https://a.example/v1")
        room = MAX_URL - len("https://a.example/v1")
        self.assertEqual(len(pinned.join(b"/".ljust(room, b"a")).url), MAX_URL)
        error = self.assertRaises(InvalidTarget, pinned.join, b"/".ljust(room + 1, b"a"))
        self.assertEqual(error.reason, "longer than 4096 bytes")
        longest = b"/".ljust(room, b"a") + b"?" + b"q" * MAX_QUERY
        self.assertEqual(len(pinned.join(longest).url), MAX_URL + 1 + MAX_QUERY)
        error = self.assertRaises(InvalidTarget, pinned.join, longest + b"q")
        self.assertEqual(error.reason, "query longer than 8192 bytes")

    def test_bad_bases(self) -> None:
        """A base that is no base is one config problem that doesn't repeat the URL."""
        for url, reason in BAD_BASES:
            with self.subTest(url):
                error = self.assertRaises(ConfigError, PinnedBase.parse, url)
                self.assertEqual(len(error.problems), 1)
                self.assertNotIn("s3cret", error.problems[0])
                if "\ud800" not in url:
                    self.assertEqual(error.problems[0], f"target: {reason}")

    @BOUNDED
    @given(
        st.one_of(
            st.binary(max_size=40),
            st.lists(
                st.sampled_from(
                    [b"/", b".", b"..", b"%2e", b"%2f", b"%5c", b"%25", b";", b"a", b"?", b"%3b"]
                ),
                max_size=12,
            ).map(b"".join),
        )
    )
    def test_any_remainder(self, remainder: bytes) -> None:
        """Any bytes give InvalidTarget or a path of plain segments below the base."""
        pinned = PinnedBase.parse("https://a.example/v1/x")
        try:
            target = pinned.join(remainder)
        except InvalidTarget:
            return
        self.assertEqual(target.origin, "https://a.example")
        path = target.path_and_query.partition("?")[0]
        self.assertTrue(path == "/v1/x" or path.startswith("/v1/x/"))
        for segment in path.lower().replace("%2e", ".").split("/"):
            self.assertNotIn(segment, (".", ".."))


class Climbing(SynchronousTestCase):
    """Servers read one path in many ways; what is accepted stays below the base in all of them."""

    PIECES = (
        *(b"/", b"//", b".", b"..", b"a", b";", b"%2e", b"%2E", b"%252e", b"%25252e", b"%2f"),
        *(b"%5c", b"%255c", b"%3b", b"%253b", b"%0a", b"%09", b"%20", b"%7f", b"%00", b"%25"),
        *(b"2e", b"2f", b"%3f", b"%23", b"%c0%ae", b"%e0%80%ae", b"%u002e", b";x=1"),
        *(b"%", b"%2", b"%u", b"u002e", b"|", b"^", b"`", b"[", b"{", b'"', b"<"),
    )

    @staticmethod
    def readings(path: bytes) -> Iterator[bytes]:
        """*path* as servers may understand it: decoded so often, then mended in some order."""
        mend: tuple[Callable[[bytes], bytes], ...] = (
            lambda text: re.sub(rb"[\x00-\x20\x7f]", b"", text),
            lambda text: re.sub(rb";[^/]*", b"", text),
            lambda text: re.split(rb"[?#\x00]", text)[0],
            lambda text: text.replace(b"\\", b"/"),
            lambda text: re.sub(rb"/{2,}", b"/", text),
            lambda text: text.replace(b"\xc0\xae", b".").replace(b"\xe0\x80\xae", b"."),
            lambda text: re.sub(rb"%[uU]002[eE]", b".", text),
            lambda text: re.sub(rb"%[0-9A-Fa-f]?(?![0-9A-Fa-f])", b"", text),
        )
        for _ in range(6):
            for count in range(len(mend) + 1):
                for steps in combinations(mend, count):
                    text = path
                    for step in steps:
                        text = step(text)
                    yield text
            path = unquote_to_bytes(path)

    def test_never(self) -> None:
        """Two thousand paths made of what has fooled servers."""
        dice, base = random.Random(12), PinnedBase.parse("https://a.example/base")
        taken = 0
        for _ in range(2_000):
            path = b"/" + b"".join(dice.choices(self.PIECES, k=dice.randint(1, 7)))
            try:
                below = base.join(path).path_and_query.encode().removeprefix(b"/base")
            except InvalidTarget:
                continue
            taken += 1
            self.assertEqual(below, path)
            for text in self.readings(path):
                segments = text.split(b"/")
                self.assertFalse({b".", b".."}.intersection(segments), (path, text))
        self.assertGreater(taken, 150)
