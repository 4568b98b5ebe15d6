"""Each phase has its own absolute deadline; what trickles does not move it."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.testing import PAUSE
from naap_twisted.upstream.client import UpstreamClient

from .support import CHUNKED, OK, PATH, IntegrationTestCase, chunk, response

SHORT = 0.3
# Deadlines are looked at ten times a second, and this machine may be busy.
LATE = 3.0
SSE = response(200, b"", CHUNKED, length=False)


class TimeoutTestCase(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self._began = reactor.seconds()

    def assert_in_time(self, due=SHORT):
        """Not early, and not much later than *due* seconds after the test began."""
        self.assertTrue(due <= reactor.seconds() - self._began < due + LATE)

    def trickle(self):
        """Release the upstream's next step ten times a second."""
        call = LoopingCall(self.upstream.release)
        call.start(0.1, now=False)
        self.addCleanup(call.stop)

    async def timed_out(self, **request):
        answer = await self.post(**request)
        self.assert_refused(
            answer, 504, "UPSTREAM_TIMEOUT", "External API request timed out", "api_error"
        )
        self.assert_readable(answer)
        self.assert_in_time()


class _Silent:
    asked = 0

    def resolve(self, host):
        self.asked += 1
        return Deferred()


class ConnectTests(TimeoutTestCase):
    async def test_dns(self):
        silent = _Silent()
        out = UpstreamClient(reactor, resolver=silent)
        self.addCleanup(out.ticker.stop)
        self.start(
            OK,
            allowed_hosts=["api.example.com"],
            connect_timeout=SHORT,
            upstream=out,
        )
        await self.timed_out(X_Target_URL=f"http://api.example.com:{self.upstream.port}/")
        self.assertEqual(silent.asked, 1)

    async def test_tls_handshake(self):
        """A server that takes the connection and then says nothing."""
        self.start(PAUSE, allowed_schemes=["https"], connect_timeout=SHORT)
        await self.timed_out(X_Target_URL=f"https://{self.upstream.authority}/")
        await self.upstream.until(lambda: self.upstream.requests[0].lost)


class HeadTests(TimeoutTestCase):
    async def test_no_head(self):
        self.start(PAUSE, timeout=SHORT)
        await self.timed_out()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_a_head_in_drops(self):
        steps = [step for _ in range(50) for step in (b"X-A: b\r\n", PAUSE)]
        self.start(b"HTTP/1.1 200 OK\r\n", *steps, timeout=SHORT)
        self.trickle()
        await self.timed_out()

    async def test_interim_answers_are_no_head(self):
        self.start(b"HTTP/1.1 100 Continue\r\n\r\n", PAUSE, timeout=SHORT)
        await self.timed_out()

    async def test_it_ends_with_the_head(self):
        """A stream may take longer than its head was allowed to."""
        self.start(SSE, chunk(b"one"), PAUSE, chunk(b"two") + b"0\r\n\r\n", timeout=SHORT)
        reactor.callLater(SHORT + 0.3, self.upstream.release)
        answer = await self.post()
        self.assertEqual((answer.body, answer.complete), (b"onetwo", True))


class BodyTests(TimeoutTestCase):
    async def cut(self, **route):
        self.start(SSE, *[chunk(b"one"), PAUSE] * 50, **route)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        if "total_timeout" in route:
            self.trickle()
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.complete), (200, False))
        self.assertIn(b"one", answer.body)
        self.assert_in_time()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_idle(self):
        await self.cut(idle_timeout=SHORT)

    async def test_total(self):
        """Though every single wait is short."""
        await self.cut(total_timeout=SHORT, idle_timeout=5.0)

    async def test_total_before_the_head(self):
        self.start(PAUSE, total_timeout=SHORT)
        await self.timed_out()

    async def test_idle_starts_again_with_each_piece(self):
        self.start(SSE, *[chunk(b"one"), PAUSE] * 6, b"0\r\n\r\n", idle_timeout=SHORT)
        self.trickle()
        answer = await self.post()
        self.assertEqual((answer.body, answer.complete), (b"one" * 6, True))
        self.assert_in_time(due=SHORT)

    async def test_an_upload_that_stalls(self):
        self.start(OK, idle_timeout=SHORT, content_type="*/*")
        client = await self.running.client()
        client.request(
            "POST", PATH, {**self.headers(), "Content-Type": "a/b", "Content-Length": "9"}
        )
        client.send(b"one")
        answer = await client.answer("POST")
        self.assertIn(answer.status, (408, 504))
        self.assert_in_time()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)


class BrowserTests(TimeoutTestCase):
    async def test_a_head_that_never_ends(self):
        self.start(OK, server={"limits": DownstreamLimits(head_timeout=SHORT)})
        client = await self.running.client()
        client.send(b"POST / HTTP/1.1\r\n")
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (408, "REQUEST_TIMEOUT"))
        self.assert_in_time()
        await client.until(lambda: client.closed)

    async def test_a_body_too_slow(self):
        self.start(OK, server={"limits": DownstreamLimits(body_grace=SHORT)})
        client = await self.running.client()
        client.request("POST", PATH, {**self.headers(), "Content-Length": "9"})
        answer = await client.answer("POST")
        self.assert_refused(answer, 408, "REQUEST_TIMEOUT")
        self.assert_in_time()

    async def test_an_idle_connection(self):
        self.start(OK, server={"limits": DownstreamLimits(keep_alive=SHORT)})
        client = await self.running.client()
        client.request("GET", "/healthz")
        await client.answer()
        self.assertEqual(await client.read_to_end(), b"")
        self.assert_in_time()

    async def test_a_reader_that_takes_nothing(self):
        self.start(
            response(200, b"x" * 20_000_000),
            server={"limits": DownstreamLimits(write_timeout=SHORT)},
        )
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await client.until(lambda: len(client.buffer) > 1000)
        client.pause()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)
        self.assert_in_time()
        client.resume()
        self.assertFalse((await client.answer("POST")).complete)
