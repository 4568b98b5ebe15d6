"""What describes a request or an answer travels with it: on every kind of route, over sockets."""

from __future__ import annotations

from twisted.logger import capturedLogs

from naap_twisted.headers import CORS_ALLOWED_HEADERS, PASSED, PINNED_PASS
from naap_twisted.options.provider import parse_provider, provider_names, provider_text

from .support import OK, ORIGIN, PATH, PINNED, IntegrationTestCase, response

JSON = "Content-Type: application/json"
# What a preflight allows although it is for this server, or described by the proxy itself.
HERE = {name.lower() for name in CORS_ALLOWED_HEADERS}
DESCRIBED = (
    "Content-Range: bytes 0-3/9",
    "Accept-Ranges: bytes",
    'ETag: "a"',
    "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",
    "Content-Disposition: attachment; filename=a.png",
    "Content-Language: de",
)
LIMITS = (
    "Retry-After: 7",
    "retry-after-ms: 7000",
    "x-ratelimit-reset-tokens: 1s",
    "X-RateLimit-Remaining-Requests: 0",
    "RateLimit-Reset: 3",
    'RateLimit: "default";r=0;t=3',
)


class PassingTestCase(IntegrationTestCase):
    """One upstream behind a route of each kind."""

    def frame(self, *steps, **route):
        methods = ["GET", "POST", "PUT", "DELETE"]
        options = {"methods": methods, "content_type": ["*/*"], **route}
        self.start(*steps, server={"cors_origins": [ORIGIN]}, **options)
        self.mount("/p", target=self.upstream.origin, **options)

    async def each(self, method="GET", body=None, **headers):
        """The answers of both, and what the upstream got for each."""
        for path in (PATH, PINNED):
            answer = await self.post(body, method, path, **headers)
            yield path, answer, self.upstream.requests[-1]

    async def allowed(self, path, *names):
        """The headers that a preflight for *names* allows."""
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": ",".join(name.lower() for name in names),
        }
        answer = await self.running.ask("OPTIONS", path, asked)
        self.assertEqual(answer.status, 204)
        return answer.header("Access-Control-Allow-Headers").split(", ")

    def assert_exposed(self, answer, lines):
        """Each of *lines* came back, and a page may read it."""
        exposed = answer.header("Access-Control-Expose-Headers").lower().split(", ")
        for line in lines:
            name, _, value = line.partition(": ")
            self.assertEqual(answer.header(name), value)
            self.assertIn(name.lower(), exposed)


class RequestTests(PassingTestCase):
    async def test_the_usual(self):
        """With pass_headers and without: it adds (field cases A1, A2, A3, A5, A6)."""
        usual = {name: f"v-{name}" for name in PASSED}
        stainless = {"X-Stainless-Lang": "js", "OpenAI-Beta": "a"}
        for more in ((), ("OpenAI-Organization",)):
            self.frame(OK, pass_headers=list(more))
            sent = {**usual, **dict.fromkeys(more, "org-1")}
            for method, body in (("GET", None), ("POST", b"\x1f\x8b"), ("DELETE", None)):
                async for path, answer, got in self.each(method, body, **sent, **stainless):
                    self.assertEqual(answer.status, 200)
                    for name, value in sent.items():
                        self.assertEqual(got.values(name), [value.encode()], (path, name))
                    for name, value in stainless.items():
                        expected = [value.encode()] if path == PINNED else []
                        self.assertEqual(got.values(name), expected)

    async def test_what_a_preflight_allows_is_passed(self):
        """Nothing that it allows is thrown away, in whatever spelling a page asks for it."""
        asked = ("x-stainless-a", "x-stainless-a_b", "x-trace-a", "x_trace_b", "Y-Other")
        asked += ("x-forwarded-for", "x-real-ip", "x-csrf-b", "x-team", "x-none")
        self.frame(OK, pass_headers=["X-*", "!X-None", "!If-Match"])
        for path in (PATH, PINNED):
            names = {name.lower() for name in await self.allowed(path, *asked)} - HERE
            self.assertLessEqual({"x-stainless-a", "x-trace-a", "x-team"}, names)
            private = {"x-forwarded-for", "x-real-ip", "x-csrf-b"}
            self.assertTrue(names.isdisjoint({*private, "x-none", "y-other", "if-match"}))
            self.assertEqual([name for name in names if "_" in name], [])
            with capturedLogs() as events:
                sent = {**self.headers(), **dict.fromkeys(names, "v")}
                answer = await self.running.ask("POST", path, sent, b"{}")
            self.assertEqual(answer.status, 200)
            got = self.upstream.requests[-1]
            self.assertEqual([name for name in names if got.values(name) != [b"v"]], [])
            self.assertEqual([e for e in events if "drops the" in e["log_format"]], [])

    async def test_providers(self):
        """The same of each vendor's route: a preflight allows what goes up, or what stays here."""
        for name in provider_names():
            vendor = parse_provider(name, provider_text(name))
            self.start(OK, server={"cors_origins": [ORIGIN]})
            options = {"provider": name, "target": self.upstream.origin, "methods": ["POST"]}
            self.mount("/p", forward_headers={}, content_type=["*/*"], key="sk-1", **options)
            asked = [each.replace("*", "a") for each in vendor.headers.send]
            allowed = {name.lower() for name in await self.allowed(PINNED, *asked)}
            self.assertLessEqual({each.lower() for each in asked}, allowed)
            here = HERE | {each.lower() for each in vendor.token.headers}
            names = allowed - here - {"content-type"}
            sent = {"Content-Type": "a/b", **dict.fromkeys(names, "v")}
            answer = await self.running.ask("POST", f"{PINNED}/a", sent, b"{}")
            self.assertEqual(answer.status, 200, name)
            got = self.upstream.requests[-1]
            self.assertEqual([each for each in names if got.values(each) != [b"v"]], [], name)

    async def test_no_type_is_made_up(self):
        """A body of no type stays one: a signed URL may be good for such a body only."""
        chunked = {"Transfer_Encoding": "chunked"}
        self.frame(OK)
        for body, more in ((b"abc", {}), (b"3\r\nabc\r\n0\r\n\r\n", chunked)):
            async for _, answer, got in self.each("PUT", body, Content_Type=None, **more):
                self.assertEqual(answer.status, 200)
                self.assertEqual((got.body, got.values("Content-Type")), (b"abc", []))
        self.frame(OK, content_type=["application/json", "image/*"])
        for path in (PATH, PINNED):
            answer = await self.post(b"abc", "PUT", path, Content_Type=None)
            self.assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")

    async def test_pinned_names(self):
        """Stock clients of a pinned route."""
        self.frame(OK)
        self.assertEqual(PINNED_PASS, ("X-Stainless-*", "OpenAI-Beta"))
        names = await self.allowed(PINNED, "x-stainless-retry-count")
        self.assertIn("x-stainless-retry-count", names)


class AnswerTests(PassingTestCase):
    async def test_described(self):
        """A part of a file, and what says which part (field case A5)."""
        self.frame(response(206, b"abcd", "Content-Type: image/png", *DESCRIBED))
        async for _, answer, got in self.each(Range="bytes=0-3", If_Range='"a"'):
            self.assertEqual((answer.status, answer.body), (206, b"abcd"))
            self.assertEqual(got.values("Range"), [b"bytes=0-3"])
            self.assertEqual(got.values("If-Range"), [b'"a"'])
            self.assert_exposed(answer, DESCRIBED)

    async def test_limits(self):
        """When to come back, and how much is left, whatever becomes of the error (A8)."""
        for errors in ("envelope", "passthrough"):
            step = response(429, b"{}", JSON, *LIMITS, "x-request-id: req_1")
            self.frame(step, errors=errors)
            async for _, answer, _ in self.each("POST", b"{}"):
                self.assertEqual(answer.status, 429)
                self.assert_exposed(answer, (*LIMITS, "X-Upstream-Request-ID: req_1"))

    async def test_all_that_is_relayed_is_exposed(self):
        """Also what a route adds to the usual, by name, by pattern and renamed."""
        lines = ("X-Query-Cost: 3", "X-Cost-A: 1", "Location: http://127.0.0.1:1/a")
        self.frame(
            response(200, b"{}", JSON, *DESCRIBED, *LIMITS, *lines),
            response_headers=["X-Query-Cost", "X-Cost-*"],
            expose_headers=[{"from": "Location", "to": "X-Where"}],
        )
        async for _, answer, _ in self.each():
            more = (*lines[:2], "X-Where: http://127.0.0.1:1/a")
            self.assert_exposed(answer, (*DESCRIBED, *LIMITS, *more))

    async def test_providers(self):
        """What each vendor's clients read comes back, and a page may read it."""
        for name in provider_names():
            vendor = parse_provider(name, provider_text(name))
            read = [each.replace("*", "a") for each in vendor.headers.read]
            lines = [f"{each}: 7" for each in read if each not in ("Location", "Link")]
            self.start(response(200, b"{}", JSON, *lines))
            options = {"provider": name, "target": self.upstream.origin, "methods": ["POST"]}
            self.mount("/p", forward_headers={}, content_type=["*/*"], key="sk-1", **options)
            answer = await self.post(b"{}", path=PINNED)
            self.assertEqual(answer.status, 200, name)
            self.assert_exposed(answer, lines)
