"""What comes back unchanged, what never does, and what never goes out."""

import gzip

from naap_twisted import ExposeHeader
from naap_twisted.testing import RawClient

from .canary import AUTHORIZATION
from .support import OK, PATH, PINNED, IntegrationTestCase, response


class BackTests(IntegrationTestCase):
    async def back(self, *lines, status=200, body=b"x", **route):
        """The answer to a page when the upstream answers with header *lines*."""
        self.start(response(status, body, *lines), **route)
        answer = await self.post()
        self.assertEqual((answer.status, answer.body), (status, body))
        return answer

    async def test_statuses_are_kept(self):
        for status in (200, 201, 202, 203, 206):
            await self.back(status=status)
        await self.back(status=204, body=b"")

    async def test_bytes_are_unchanged(self):
        """Encoded bytes stay encoded, whether the browser asked for that or not."""
        packed = gzip.compress(b'{"a": 1}' * 100)
        answer = await self.back(
            "Content-Encoding: gzip", "Content-Type: application/json", body=packed
        )
        self.assertEqual(answer.header("Content-Encoding"), "gzip")

    async def test_compression_leaves_relayed_bytes_alone(self):
        self.start(response(200, b'{"a": 1}' * 1000, "Content-Type: application/json"))
        answer = await self.post(Accept_Encoding="gzip")
        self.assertEqual(answer.body, b'{"a": 1}' * 1000)
        self.assertIsNone(answer.header("Content-Encoding"))

    async def test_content_type_is_the_upstreams(self):
        answer = await self.back("Content-Type: text/plain; charset=latin-1")
        self.assertEqual(answer.header("Content-Type"), "text/plain; charset=latin-1")

    async def test_no_content_type_is_made_up(self):
        for status in (200, 302, 304):
            answer = await self.back(status=status, body=b"" if status == 304 else b"x")
            self.assertIsNone(answer.header("Content-Type"))
            self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")

    async def test_relayed_bodies_can_not_act_as_our_pages(self):
        answer = await self.back("Content-Type: text/html")
        self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")
        self.assertIn("sandbox", answer.header("Content-Security-Policy"))
        self.assertEqual(answer.header("Cache-Control"), "private, no-store")

    async def test_exposed_headers(self):
        """Renamed, by name and by pattern; the page may read each, and only those."""
        answer = await self.back(
            "Location: /v1/whip/7",
            "X-RateLimit-Remaining: 7",
            "Retry-After: 3",
            "X-Internal: no",
            status=201,
            expose_headers=[ExposeHeader("Location", "X-WHIP-Resource")],
            response_headers=["X-RateLimit-*", "Retry-After", "X-Not-There"],
        )
        self.assertEqual(answer.header("X-WHIP-Resource"), self.upstream.origin + "/v1/whip/7")
        self.assertEqual(answer.header("X-RateLimit-Remaining"), "7")
        self.assertEqual(answer.header("Retry-After"), "3")
        self.assertIsNone(answer.header("X-Internal"))
        exposed = answer.header("Access-Control-Expose-Headers").lower().split(", ")
        self.assertEqual(
            set(exposed),
            {"x-request-id", "x-whip-resource", "x-ratelimit-remaining", "retry-after", "location"},
        )

    async def test_location_is_made_absolute(self):
        """Against the URL that was asked: http://host/v1/chat?q=1."""
        for given, path in (
            ("/a", "/a"),
            ("b?c=1", "/v1/b?c=1"),
            ("../d", "/d"),
            ("?e", "/v1/chat?e"),
        ):
            answer = await self.back(f"Location: {given}", status=201)
            self.assertEqual(answer.header("Location"), self.upstream.origin + path)
        answer = await self.back("Location: https://other.example/f", status=201)
        self.assertEqual(answer.header("Location"), "https://other.example/f")

    async def test_never_relayed(self):
        """Not even where a pattern covers it."""
        answer = await self.back(
            "Set-Cookie: a=b",
            "Connection: keep-alive, X-Nominated",
            "X-Nominated: no",
            "Keep-Alive: timeout=5",
            "Proxy-Authenticate: Basic",
            "Upgrade: h2c",
            "Server: secret-server/1.0",
            "Access-Control-Allow-Origin: http://evil.example",
            "Access-Control-Allow-Credentials: true",
            "Strict-Transport-Security: max-age=9",
            "X-Request-ID: theirs",
            "X-Kept: yes",
            response_headers=["X-*", "S*", "A*", "K*", "P*", "U*"],
        )
        for name in ("Set-Cookie", "X-Nominated", "Keep-Alive", "Proxy-Authenticate", "Upgrade"):
            self.assertIsNone(answer.header(name), name)
        self.assertNotIn("secret-server", answer.header("Server") or "")
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
        self.assertIsNone(answer.header("Access-Control-Allow-Credentials"))
        self.assertIsNone(answer.header("Strict-Transport-Security"))
        self.assertNotEqual(answer.header("X-Request-ID"), "theirs")
        self.assertEqual(answer.header("X-Kept"), "yes")

    async def test_a_reflected_key_is_redacted_in_headers(self):
        answer = await self.back(f"X-Echo: was {AUTHORIZATION}", response_headers=["X-Echo"])
        self.assertEqual(answer.header("X-Echo"), "was [redacted]")

    async def test_head_has_no_body(self):
        self.start(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", methods=("GET",))
        self.mount("/p", target=self.upstream.origin, methods=("GET",))
        client = await RawClient.connect(self, self.running.port)
        client.request("HEAD", PINNED + "/a")
        answer = await client.answer("HEAD")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.upstream.requests[0].line, b"HEAD /a HTTP/1.1")
        client.request("HEAD", PINNED + "/b")
        self.assertEqual((await client.answer("HEAD")).status, 200)


class OutTests(IntegrationTestCase):
    async def sent(self, route=None, **headers):
        """What the upstream received of a page's request with *headers*."""
        self.start(OK, **(route or {}))
        answer = await self.post(**headers)
        self.assertEqual(answer.status, 200, answer.body)
        return self.upstream.requests[0]

    async def test_method_path_query_body_and_host(self):
        self.start(OK, methods=("PATCH",))
        await self.post(method="PATCH", body=b'{"a": [1, 2]}')
        received = self.upstream.requests[0]
        self.assertEqual(received.line, b"PATCH /v1/chat?q=1 HTTP/1.1")
        self.assertEqual(received.body, b'{"a": [1, 2]}')
        self.assertEqual(received.values("Host"), [self.upstream.authority.encode()])
        self.assertEqual(received.values("Content-Type"), [b"application/json"])

    async def test_never_sent(self):
        """And nothing that is not on the list: a header nobody knows stays here, too."""
        received = await self.sent(
            Cookie="session=1",
            Referer="http://page.example/secret",
            X_Forwarded_For="192.0.2.1",
            X_Forwarded_Host="h.example",
            Forwarded="for=192.0.2.1",
            X_CSRF_Token="t",
            Proxy_Authorization="Basic x",
            Authorization="Bearer the-browsers",
            X_Unknown="1",
            User_Agent="Browser/1.0",
        )
        for name in (
            *("Cookie", "Referer", "Origin", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded"),
            *("X-CSRF-Token", "Proxy-Authorization", "X-Unknown", "X-Target-URL"),
        ):
            self.assertEqual(received.values(name), [], name)
        self.assertEqual(received.values("Authorization"), [AUTHORIZATION.encode()])
        self.assertNotIn(b"Browser/1.0", received.raw)

    async def test_request_id_goes_along(self):
        received = await self.sent(X_Request_ID="abc-123")
        self.assertEqual(received.values("X-Request-ID"), [b"abc-123"])

    async def test_injected_keys_are_never_overridden(self):
        """Whatever the case, however often, and though pass_headers names it."""
        self.start(OK, pass_headers=["Authorization", "X-*"])
        pairs = [*self.headers().items()]
        pairs += [("authorization", "Bearer one"), ("AUTHORIZATION", "Bearer two")]
        answer = await self.running.ask("POST", PATH, pairs, b"{}")
        self.assertEqual(answer.status, 200)
        values = self.upstream.requests[0].values("Authorization")
        self.assertEqual(values, [AUTHORIZATION.encode()])

    async def test_pass_headers(self):
        """What a route names goes through beside the usual, by name and pattern."""
        received = await self.sent(
            {"pass_headers": ["OpenAI-Organization", "X-Stainless-*", "Cookie", "!Range"]},
            OpenAI_Organization="org-1",
            X_Stainless_Lang="js",
            Cookie="a=b",
            Accept="text/plain",
            Range="bytes=0-3",
        )
        self.assertEqual(received.values("OpenAI-Organization"), [b"org-1"])
        self.assertEqual(received.values("X-Stainless-Lang"), [b"js"])
        self.assertEqual(received.values("Cookie"), [b"a=b"])
        self.assertEqual(received.values("Accept"), [b"text/plain"])
        self.assertEqual(received.values("Range"), [])

    async def test_defaults_that_pass(self):
        received = await self.sent(Accept="text/event-stream", If_None_Match='"e"')
        self.assertEqual(received.values("Accept"), [b"text/event-stream"])
        self.assertEqual(received.values("If-None-Match"), [b'"e"'])

    async def test_nominated_headers_stay_here(self):
        """What the browser's Connection names belongs to that connection."""
        received = await self.sent(Accept="a/b", Connection="keep-alive, Accept")
        self.assertEqual(received.values("Accept"), [])
        self.assertNotIn(b"accept", b" ".join(received.values("Connection")).lower())

    async def test_forward_headers_from_a_callable(self):
        """Sync and async; the request's user decides."""

        async def later(request):
            return {"Authorization": AUTHORIZATION, "X-Who": request.record.request_id}

        for make in (later, lambda request: {"Authorization": AUTHORIZATION, "X-Who": "me"}):
            received = await self.sent({"forward_headers": make}, X_Request_ID="me")
            self.assertEqual(received.values("X-Who"), [b"me"])
            self.assertEqual(received.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_pinned_routes_keep_path_and_query(self):
        self.start(OK)
        self.mount("/p", target=self.upstream.origin + "/base", methods=("GET",))
        for below, expected in (
            ("", b"/base"),
            ("/", b"/base/"),
            ("/a%2Cb//c?d=/../e&f", b"/base/a%2Cb//c?d=/../e&f"),
            ("/a%2Cb/c?d=/../e&f", b"/base/a%2Cb/c?d=/../e&f"),
            ("/../up", None),
            ("/%2e%2e/up", None),
        ):
            before = len(self.upstream.requests)
            answer = await self.running.ask("GET", PINNED + below)
            if expected is None:
                self.assert_refused(answer, 400, "INVALID_TARGET")
                self.assertEqual(len(self.upstream.requests), before)
            else:
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(self.upstream.requests[-1].line, b"GET %s HTTP/1.1" % expected)
