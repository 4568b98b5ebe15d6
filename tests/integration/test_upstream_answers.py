"""What upstreams cause: errors, redirects, failures, cuts, row by row of the contract's table."""

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from naap_twisted.testing import ABORT, CLOSE, PAUSE

from .canary import AUTHORIZATION, CANARY
from .support import CHUNKED, OK, PATH, PINNED, IntegrationTestCase, chunk, response

JSON = "Content-Type: application/json"


class ErrorTests(IntegrationTestCase):
    async def test_envelope(self):
        """The upstream's status and text, and its Retry-After where the route relays it."""
        for status, kind in (
            (429, "rate_limit_error"),
            (404, "not_found_error"),
            (500, "api_error"),
        ):
            self.start(
                response(status, b"slow down", "Retry-After: 3"), response_headers=["Retry-After"]
            )
            answer = await self.post()
            message = f"External API returned {status}: slow down"
            self.assert_refused(answer, status, "UPSTREAM_ERROR", message, kind)
            self.assert_readable(answer)
            self.assertEqual(answer.header("Retry-After"), "3")
            self.assertIn("Retry-After", answer.header("Access-Control-Expose-Headers"))

    async def test_envelope_text_is_capped(self):
        self.start(response(500, b"x" * 100_000))
        message = self.assert_refused(await self.post(), 500, "UPSTREAM_ERROR")
        self.assertEqual(message, "External API returned 500: " + "x" * 2048)

    async def test_envelope_text_is_scrubbed(self):
        """The key, reflected whole or without its scheme, and control characters."""
        text = f"bad key {CANARY}\x00\x1b[31m in '{AUTHORIZATION}'\xff".encode("latin-1")
        self.start(response(401, text))
        message = self.assert_refused(await self.post(), 401, "UPSTREAM_ERROR")
        self.assertIn("bad key [redacted]", message)
        self.assertTrue(all(char.isprintable() for char in message), message)

    async def test_key_on_the_edge_of_the_cap(self):
        """A key that the cap cuts in two shows no part of itself."""
        self.start(response(500, b"x" * 2030 + CANARY.encode()))
        message = self.assert_refused(await self.post(), 500, "UPSTREAM_ERROR")
        self.assertNotIn(CANARY[:12], message)

    async def test_passthrough(self):
        """The upstream's own body and type, byte for byte."""
        body = b'{"error": {"message": "no"}}'
        for route in ({"errors": "passthrough"}, {"target": None}):
            self.start(response(422, body, "Content-Type: application/problem+json"))
            if "target" in route:
                route = {"target": self.upstream.origin + "/v1"}
            self.mount("/p", **route)
            answer = await self.post(path=PINNED)
            self.assertEqual((answer.status, answer.body), (422, body))
            self.assertEqual(answer.header("Content-Type"), "application/problem+json")
            self.assert_readable(answer)

    async def test_redirects_are_relayed_and_never_followed(self):
        for status in (301, 302, 303, 307, 308):
            stranger = self.stranger(OK)
            self.start(response(status, b"", f"Location: {stranger.origin}/elsewhere"))
            answer = await self.post()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("Location"), f"{stranger.origin}/elsewhere")
            self.assertEqual((len(self.upstream.requests), stranger.connections), (1, 0))


class GatewayTests(IntegrationTestCase):
    """A client that retries by itself is told not to, where the upstream may have acted already."""

    async def bad_gateway(self, *, sent=False, **request):
        answer = await self.post(**request)
        self.assert_refused(answer, 502, "BAD_GATEWAY", "External proxy failed", "api_error")
        self.assert_readable(answer)
        self.assertEqual(answer.header("X-Should-Retry"), "false" if sent else None)
        exposed = answer.header("Access-Control-Expose-Headers").split(", ")
        self.assertEqual("X-Should-Retry" in exposed, sent)

    async def test_no_dns(self):
        out = self.way_out({})
        self.start(allowed_hosts=["api.example.com"], upstream=out)
        url = f"http://api.example.com:{self.upstream.port}/"
        await self.bad_gateway(X_Target_URL=url)

    async def test_refused(self):
        self.start(OK)
        await self.upstream.stop()
        await self.bad_gateway()

    async def test_tls_failure(self):
        """A server that does not speak TLS is never spoken to in plain text."""
        heard = []

        class Plain(Protocol):
            def dataReceived(self, data):
                heard.append(data)
                self.transport.write(OK)

        port = reactor.listenTCP(0, Factory.forProtocol(Plain), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        self.start(allowed_schemes=["https"], allowed_ports=[number])
        await self.bad_gateway(X_Target_URL=f"https://127.0.0.1:{number}/")
        self.assertNotIn(b"POST", b"".join(heard))

    async def test_bad_framing(self):
        for reply in (
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        ):
            self.start(reply, CLOSE)
            await self.bad_gateway(sent=True)

    async def test_closed_or_reset_before_the_head(self):
        for steps in ((CLOSE,), (ABORT,), (b"HTTP/1.1 200 O", CLOSE)):
            self.start(*steps)
            await self.bad_gateway(sent=True)
            self.assertEqual(len(self.upstream.requests), 1)

    async def test_closed_before_the_next_head(self):
        """On a connection that served before: the request may have been read all the same."""
        self.start(OK)
        self.assertEqual((await self.post()).status, 200)
        self.upstream.steps = (CLOSE,)
        await self.bad_gateway(sent=True)
        self.assertEqual(self.upstream.connections, 1)

    async def test_an_answer_that_can_not_be_passed_on(self):
        """The upstream did its work, and what it said is withheld."""
        body = response(200, b"\x1b\x00", JSON, "Content-Encoding: br")
        self.start(body, redact_bodies=True)
        await self.bad_gateway(sent=True)

    async def test_a_late_answer(self):
        self.start(PAUSE, timeout=0.2)
        answer = await self.post()
        self.assert_refused(answer, 504, "UPSTREAM_TIMEOUT")
        self.assertEqual(answer.header("X-Should-Retry"), "false")
        self.assertIn("X-Should-Retry", answer.header("Access-Control-Expose-Headers"))

    async def test_an_upstream_that_is_busy(self):
        """Its own error is its own word: it says itself whether to ask again."""
        self.start(response(503, b"busy", "Retry-After: 1"))
        answer = await self.post()
        self.assert_refused(answer, 503, "UPSTREAM_ERROR")
        self.assertIsNone(answer.header("X-Should-Retry"))


class CutTests(IntegrationTestCase):
    async def cut(self, *steps, release=True):
        """The answer whose upstream broke off after the first byte of the body came through."""
        self.start(*steps)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await client.until(lambda: b"one" in client.buffer)
        self.upstream.release()
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.complete), (200, False))
        self.assertIn(b"one", answer.body)
        self.assertTrue(client.closed)

    async def test_cut_after_the_head_is_never_a_complete_answer(self):
        declared = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\none"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one")
        until_close = b"HTTP/1.1 200 OK\r\n\r\none"
        for steps in (
            (declared, PAUSE, CLOSE),
            (declared, PAUSE, ABORT),
            (chunked, PAUSE, CLOSE),
            (chunked, PAUSE, ABORT),
            (chunked, PAUSE, b"zz\r\n", CLOSE),
            (chunked, PAUSE, b"5\r\nab", CLOSE),
            (until_close, PAUSE, ABORT),
        ):
            await self.cut(*steps)

    async def test_a_body_that_only_a_close_ends_is_complete(self):
        """RFC 9112 section 6.3, rule 8."""
        self.start(b"HTTP/1.1 200 OK\r\n\r\nall of it", CLOSE)
        answer = await self.post()
        self.assertEqual((answer.body, answer.complete), (b"all of it", True))

    async def test_surplus_bytes_are_not_the_next_answer(self):
        """The connection that they came on is not used again."""
        self.start(OK + OK)
        for _ in range(2):
            self.assertEqual((await self.post()).body, b'{"ok":1}')
        self.assertEqual(self.upstream.connections, 2)

    async def test_clean_connections_are_used_again(self):
        self.start(OK)
        for _ in range(3):
            await self.post()
        self.assertEqual((self.upstream.connections, len(self.upstream.requests)), (1, 3))

    async def test_chunked_answers_come_whole(self):
        body = chunk(b"one") + chunk(b"two") + b"0\r\n\r\n"
        self.start(response(200, body, CHUNKED, JSON, length=False))
        answer = await self.post()
        self.assertEqual((answer.body, answer.complete), (b"onetwo", True))
