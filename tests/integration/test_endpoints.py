"""A route opens the endpoints that its owner named, and nothing else of the upstream's API."""

from __future__ import annotations

from twisted.logger import capturedLogs

from naap_twisted import ConfigError, create_external_proxy
from naap_twisted.policy.endpoint_pattern import Endpoint, flaws

from ..endpoint_vectors import SPELLINGS
from .support import OK, ORIGIN, RefusalTestCase, response

PINNED = "/api/v1/p"


class PinnedTests(RefusalTestCase):
    """Below a pinned base."""

    def begin(self, *steps, **route):
        self.start(*steps)
        target = f"{self.upstream.origin}/v1"
        self.mount("/p", **{"target": target, "content_type": ["*/*"], **route})

    async def ask(self, method, below, body=None, **headers):
        given = {"Origin": ORIGIN, **headers}
        return await self.running.ask(method, PINNED + below, given, body)

    async def test_every_spelling(self):
        """Each row of the table, as bytes on a socket; what is refused reaches no upstream."""
        rows: dict = {}
        for row in SPELLINGS:
            if not flaws([Endpoint.parse(text) for text in row.patterns]):
                rows.setdefault((row.patterns, row.slashes), []).append(row)
        self.assertGreater(sum(map(len, rows.values())), 150)
        self.start(OK)
        for number, ((patterns, slashes), group) in enumerate(rows.items()):
            path = f"/s{number}"
            target = f"{self.upstream.origin}/v1"
            self.mount(path, target=target, endpoints=patterns, encoded_slashes=slashes)
            for row in group:
                before = len(self.upstream.requests)
                answer = await self.running.ask(row.method, f"/api/v1{path}{row.target}", {})
                with self.subTest(row=row):
                    self.assertEqual(answer.status == 200, row.allowed, answer.body)
                    self.assertEqual(len(self.upstream.requests) - before, int(row.allowed))
                    if row.allowed:
                        line = self.upstream.requests[-1].line.decode("ascii")
                        self.assertEqual(line, f"{row.method} /v1{row.target} HTTP/1.1")
                    else:
                        self.assertIn(answer.status, (400, 403, 404, 405), answer.body)

    async def test_refusal(self):
        """403 that a page can read, and a log line with what would allow it."""
        self.begin(endpoints=["POST /chat/completions", "DELETE /chat/*"])
        with capturedLogs() as events:
            answer = await self.ask("DELETE", "/files/file-9f8aBc12345")
        message = self.assert_refused(answer, 403, "ENDPOINT_NOT_ALLOWED")
        self.assertEqual(message, "This route does not open DELETE /files/*")
        self.assert_readable(answer)
        (line,) = [event["line"] for event in events if "line" in event]
        self.assertIn("DELETE /files/*", line)
        self.assertNotIn("9f8aBc12345", line)
        self.assertEqual(self.upstream.connections, 0)

    async def test_methods_follow(self):
        """The methods are those of the endpoints where the route names none; HEAD with GET."""
        self.begin(OK, endpoints=["GET /models", "POST /chat"])
        for method, below, status in (
            *(("GET", "/models", 200), ("POST", "/chat", 200), ("HEAD", "/models", 200)),
            *(("POST", "/models", 403), ("GET", "/chat", 403), ("DELETE", "/chat", 405)),
        ):
            self.assertEqual((await self.ask(method, below)).status, status, (method, below))

    async def test_method_overrides(self):
        """No header, whatever pass_headers matches, and no parameter says another method."""
        self.begin(OK, endpoints=["POST /x"], pass_headers=["X-*"])
        for below in ("/x?_method=DELETE", "/x?a=1&%5fmethod=delete", "/x?%24httpMethod=PUT"):
            answer = await self.ask("POST", below)
            self.assertEqual(answer.json()["error"]["code"], "ENDPOINT_NOT_ALLOWED")
        names = ("X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Method-Override")
        answer = await self.ask("POST", "/x", **dict.fromkeys((*names, "X-Team"), "DELETE"))
        self.assertEqual(answer.status, 200)
        (received,) = self.upstream.requests
        for name in names:
            self.assertEqual(received.values(name), [])
        self.assertEqual(received.values("X-Team"), [b"DELETE"])

    async def test_preflight_of_an_override(self):
        """Nothing that a preflight allows is thrown away afterwards."""
        self.begin(endpoints=["POST /x"], pass_headers=["X-*"])
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-http-method-override,x-team",
        }
        answer = await self.ask("OPTIONS", "/x", **asked)
        allowed = (answer.header("Access-Control-Allow-Headers") or "").lower()
        self.assertIn("x-team", allowed)
        self.assertNotIn("x-http-method-override", allowed)

    async def test_query(self):
        """Named parameters have listed values; ``"!"`` refuses all others."""
        query = {"model": ["gpt-realtime*"], "limit": ["*"], "!": True}
        self.begin(OK, endpoints=["GET /x"], query=query)
        for below, status in (
            *(("/x", 200), ("/x?model=gpt-realtime-mini&limit=3", 200)),
            *(("/x?model=gpt-5", 403), ("/x?other=1", 403), ("/x?model=gpt-realtime&Model=x", 403)),
            *(("/x?model=gpt-realtime;model=gpt-5", 403), ("/x?model=gpt-realtime%2500", 403)),
        ):
            self.assertEqual((await self.ask("GET", below)).status, status, below)

    async def test_redirect(self):
        """A redirect that is followed is judged again; one that is not open is relayed."""
        for where, asked in (("files/a", 1), ("models/a", 4)):
            moved = response(307, b"", f"Location: /v1/{where}")
            self.begin(moved, endpoints=["GET /models/**"], follow_redirects=True)
            self.assertEqual((await self.ask("GET", "/models/x")).status, 307)
            self.assertEqual(len(self.upstream.requests), asked, where)


class NamedUrlTests(RefusalTestCase):
    """Where the page names the URL."""

    async def test_hosts(self):
        """A path is open on every allowed host, a whole URL on its own."""
        self.start(OK)
        named = f"POST {self.upstream.origin}/v1/one"
        self.mount("/h", endpoints=[named, "POST /v1/any"])
        for path, status in (("/v1/one", 200), ("/v1/any", 200), ("/v1/two", 403), ("/", 403)):
            headers = self.headers(X_Target_URL=self.upstream.origin + path)
            answer = await self.running.ask("POST", "/api/v1/h", headers, b"{}")
            self.assertEqual(answer.status, status, path)

    async def test_encoded_dots(self):
        """What climbs once it is decoded matches nothing (a header route has no base to leave)."""
        self.start()
        self.mount("/h", endpoints=["POST /v1/**"])
        for path in ("/v1/x/..%2f..%2fadmin", "/v1/%252e%252e/admin", "/v1//admin", "/v1/;/admin"):
            headers = self.headers(X_Target_URL=self.upstream.origin + path)
            answer = await self.running.ask("POST", "/api/v1/h", headers, b"{}")
            self.assert_refused(answer, 403, "ENDPOINT_NOT_ALLOWED")
        self.assertEqual(self.upstream.connections, 0)


class StartTests(RefusalTestCase):
    def test_what_is_refused(self):
        """Entries that mean nothing, each with what to write."""
        base = {"target": "https://api.example.com/v1"}
        for route, words in (
            ({"endpoints": ["GET /a", "GET /*"]}, 'included in "GET /*"; drop one'),
            ({"endpoints": ["GET /a", "HEAD /a"]}, 'comes with "GET /a"; drop it'),
            ({"endpoints": ["@chat"]}, "needs provider"),
            ({"endpoints": ["GET https://api.example.com/a"]}, "write the path below target"),
            ({"endpoints": ["PUT /a"], "methods": ["POST"]}, "PUT is not in methods (POST)"),
            ({"endpoints": ["POST /a"], "methods": ["POST", "PUT"]}, "PUT opens nothing"),
            ({"encoded_slashes": True}, "has no meaning without endpoints"),
            (
                {"endpoints": ["POST /a"], "pass_headers": ["X-HTTP-Method-Override"]},
                "takes another method or path",
            ),
        ):
            error = self.assertRaises(ConfigError, create_external_proxy, **base, **route)
            self.assertIn(words, str(error))
        hosts = {"allowed_hosts": ["api.example.com"], "endpoints": ["POST https://b.com/a"]}
        error = self.assertRaises(ConfigError, create_external_proxy, **hosts)
        self.assertIn("can never match: https://b.com: host b.com matches no", str(error))
        vendor = {"provider": "openai", "endpoints": ["@chat", "POST /chat/completions"]}
        error = self.assertRaises(ConfigError, create_external_proxy, **vendor)
        self.assertIn("endpoints[1]", str(error))
