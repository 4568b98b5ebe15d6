"""Values shaped by HTTP: each parser with what it takes and its just-outside neighbours."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import ExposeHeader, RateLimit
from naap_twisted.options import http_values as http
from naap_twisted.options.values import Flaws

TAKEN = [
    (http.header_name, ["Authorization", "X-Api-Key", "x_y", "Cookie"]),
    (http.header_pattern, ["Accept", "X-Stainless-*", "OpenAI-*"]),
    (http.relayed_pattern, ["Retry-After", "X-RateLimit-*", "ETag"]),
    (http.method, ["POST", "GET", "PATCH", "PROPFIND", "M-SEARCH"]),
    (
        http.content_type,
        ["application/json", "application/sdp", "*/*", "audio/*", "application/vnd.a+json"],
    ),
    (
        http.origin,
        [
            "http://localhost:3000",
            "https://a.example",
            "https://a.example:8443",
            "http://[::1]:3000",
            "chrome-extension://abcdef",
        ],
    ),
    (http.server_name, ["localhost", "proxy.example.org", "127.0.0.1", "[::1]"]),
    (http.mount_path, ["/a", "/assistant/openai-proxy", "/a/b.c/d_e~f", "/..a"]),
    (http.proxy, ["10.0.0.0/8", "::1/128", "127.0.0.1/32", "unix"]),
    (http.authorize, ["user", "anyone", "role:admin", "role:a/b", "mod:fn", "a.b:C.method"]),
]

REFUSED = [
    (http.header_name, ["", "a b", "a:b", "ä", "a\r\nb", 3, "Host", "content-length", "TE"]),
    (http.header_name, ["Transfer-Encoding", "CONNECTION", "Upgrade", "Keep-Alive", "Trailer"]),
    (http.header_pattern, ["", "*", "*-X", "a*b", "a**", "Host", "connection", None]),
    (http.relayed_pattern, ["Set-Cookie", "server", "Access-Control-Allow-Origin", "Host", "*"]),
    (http.method, ["", "post", "GE T", "OPTIONS", "CONNECT", "TRACE", "G\n", 1]),
    (
        http.content_type,
        ["", "json", "*/json", "a*/json", "text/plain; charset=utf-8", "a/b/c", "*"],
    ),
    (http.origin, ["null", "*", "", "localhost:3000", "https://a.example/", "https://A.example"]),
    (http.origin, ["https://a.example:443", "http://a:80", "https://*.example", "http://u@a"]),
    (http.origin, ["http://bücher.example", "http://", "https://a b"]),
    (http.server_name, ["", "https://a", "a/b", "a b", "a:80", "*.example.org", "é.example"]),
    (http.mount_path, ["", "/", "a", "/a/", "/a//b", "/a b", "/a?b", "/a#b", "/%41", "/<x>"]),
    (http.mount_path, ["/.", "/a/..", "/a/../b", "/ä", "//a", "/a\n"]),
    (http.proxy, ["", "10.0.0.1/8", "example.org", "0.0.0.0/0", "::/0", 4]),
    (http.dns_server, ["", "dns.example", "9.9.9.9:0", "9.9.9.9:65536", "[9.9.9", "999.1.1.1"]),
    (http.dns_server, ["9.9.9.9:x", "::1:53:"]),
    (
        http.authorize,
        ["", "role:", "role:a b", "users", "module", "a:", ":b", "a b:c", "a:b()", "a/b:c", "é:f"],
    ),
]


class TableTests(SynchronousTestCase):
    def test_taken(self) -> None:
        """What is well-formed comes out as it is."""
        for parse, values in TAKEN:
            for value in values:
                self.assertEqual(parse(value), value, value)

    def test_dns_server(self) -> None:
        """An address with or without a port, which is 53 then."""
        for text, expected in (
            ("9.9.9.9", ("9.9.9.9", 53)),
            ("127.0.0.1:5353", ("127.0.0.1", 5353)),
            ("[::1]", ("::1", 53)),
            ("[::1]:5353", ("::1", 5353)),
            ("2620:fe::fe", ("2620:fe::fe", 53)),
        ):
            self.assertEqual(http.dns_server(text), expected)

    def test_refused(self) -> None:
        """Everything else is a ValueError with a reason."""
        for parse, values in REFUSED:
            for value in values:
                with self.assertRaises(ValueError, msg=f"{parse} {value!r}") as caught:
                    parse(value)
                self.assertTrue(str(caught.exception))

    def test_a_misplaced_secret_is_not_quoted(self) -> None:
        """A header name that is none may be a key in the wrong place."""
        error = self.assertRaises(ValueError, http.header_name, "Bearer sk-very-secret")
        self.assertNotIn("sk-very", str(error))

    def test_origin_says_how_to_spell_it(self) -> None:
        """The reason holds the spelling that would match."""
        error = self.assertRaises(ValueError, http.origin, "https://A.example:443")
        self.assertIn('"https://a.example"', str(error))


class CompositeTests(SynchronousTestCase):
    def test_cors_origins(self) -> None:
        """A star stands alone; one origin may be written bare."""
        self.assertEqual(http.cors_origins("*"), "*")
        self.assertEqual(http.cors_origins(["*"]), "*")
        self.assertEqual(http.cors_origins("http://a"), ("http://a",))
        self.assertEqual(http.cors_origins(["http://a", "http://b"]), ("http://a", "http://b"))
        for bad in (["http://a", "*"], ["null"], "null", 3, {}):
            self.assertRaises(ValueError, http.cors_origins, bad)

    def test_base_path(self) -> None:
        """No base path may be written as the empty one or a slash."""
        self.assertEqual([http.base_path(p) for p in ("", "/", "/api/v1")], ["", "", "/api/v1"])
        self.assertRaises(ValueError, http.base_path, "/api/v1/")

    def test_rate_limit(self) -> None:
        """Both halves are needed and checked; false is none, true says nothing."""
        self.assertEqual(http.rate_limit({"requests": 2, "window": "1m"}), RateLimit(2, 60.0))
        self.assertIsNone(http.rate_limit(False))
        self.assertRaises(ValueError, http.rate_limit, True)
        error = self.assertRaises(Flaws, http.rate_limit, {"requests": 0, "window": "x"})
        self.assertEqual([where for where, _ in error.flaws], [".requests", ".window"])
        error = self.assertRaises(Flaws, http.rate_limit, {"requests": 1})
        self.assertEqual(error.flaws, ((".window", "is missing"),))

    def test_expose_header(self) -> None:
        """One name to one name; never a cookie, never a pattern."""
        parsed = http.expose_header({"from": "Location", "to": "X-WHIP-Resource"})
        self.assertEqual(parsed, ExposeHeader("Location", "X-WHIP-Resource"))
        for bad in (
            {"from": "Set-Cookie", "to": "X-Cookie"},
            {"from": "X-*", "to": "Y"},
            {"from": "X"},
            {"from": "X", "to": "Content-Length"},
            {"from": "X", "to": "Y", "as": "Z"},
            "Location",
        ):
            self.assertRaises(ValueError, http.expose_header, bad)
