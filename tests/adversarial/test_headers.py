"""Requests that are well framed and mean harm."""

from twisted.internet import reactor
from twisted.web.server import Site

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.testing import RawClient

from .headers_vectors import BODIES, DROPPED, MEANINGS, PATHS
from .oracle import KEY, OK, Stage, one_test_per
from .requests_vectors import BODY, COMMON, HEAD

_KNOWN = {
    b"host",
    b"content-type",
    b"content-length",
    b"user-agent",
    b"accept-encoding",
    b"x-request-id",
    b"authorization",
    b"via",
}


class HarmStage(Stage):
    """Judges one request on one connection."""

    async def check(self, row):
        self.start()
        replies = await self.converse(self.fill(row.raw))
        self.assertEqual(tuple(reply.status for reply in replies), row.statuses, replies)
        for received in self.upstream.requests:
            head = received.raw.partition(b"\r\n\r\n")[0]
            self.assertNotIn(b"evil", head.lower())
            self.assertLessEqual({name for name, _ in received.head.fields}, _KNOWN)
            self.assertEqual(len(received.head.fields), len(dict(received.head.fields)))
        await self.judge(sent=row.sent)


@one_test_per(DROPPED)
class DroppedTests(HarmStage):
    """Header lines that stay here."""


@one_test_per(MEANINGS)
class MeaningTests(HarmStage):
    """Headers that contradict one another, the body, or the route."""


@one_test_per(BODIES)
class BodyTests(HarmStage):
    """JSON bombs, and what is almost JSON."""


@one_test_per(PATHS)
class PathTests(HarmStage):
    """Other spellings of the route's path."""


class PassedOnTests(Stage):
    """Routes that pass on more than they should."""

    async def test_nothing_takes_the_place_of_a_key(self):
        """``pass_headers`` may name the header that the server sets, in any spelling."""
        names = [
            "Authorization",
            "X-*",
            "Accept",
            "Api-*",
            "Hos*",
            "Con*",
            "Trans*",
            "Upg*",
            "Keep*",
        ]
        keys = {
            "Authorization": f"Bearer {KEY}",
            "X_Api_Key": "mine-only-1",
            "api-key": "mine-only-2",
        }
        self.start(pass_headers=names, forward_headers=keys)
        for line in (
            b"Authorization: evil",
            b"AUTHORIZATION: evil",
            b"X-Api-Key: evil",
            b"x-API-key: evil",
            b"X_Api_Key: evil",
            b"Api-Key: evil",
            b"api_key: evil",
            b"X-Api_Key: evil",
            b"Connection: evil",
            b"Keep-Alive: evil",
        ):
            await self.converse(self.request(line))
        for received in self.upstream.requests:
            self.assertNotIn(b"evil", received.raw)
            self.assertEqual(received.values("authorization"), [f"Bearer {KEY}".encode()])
            self.assertEqual(received.values("x_api_key"), [b"mine-only-1"])
            self.assertEqual(received.values("api-key"), [b"mine-only-2"])
            self.assertEqual(len(received.values("content-length")), 1)
            self.assertEqual(len(received.values("host")), 1)
        await self.judge(sent=10)

    async def test_nothing_takes_the_place_of_a_made_key(self):
        """The same where a callable makes it, and its name is known with the request only."""
        made = {"X_Made-Key": "mine-only-1"}
        self.start(pass_headers=["X*"], forward_headers=lambda request: made)
        for name in (b"X-Made-Key", b"x_made_key", b"X_Made-Key", b"X-MADE_KEY"):
            await self.converse(self.request(name + b": evil", b"X-Team: a"))
            received = self.upstream.requests[-1]
            self.assertNotIn(b"evil", received.raw)
            self.assertEqual(received.values("x_made-key"), [b"mine-only-1"])
            self.assertEqual(received.values("x-team"), [b"a"])
        await self.judge(sent=4)

    async def test_named_headers_do_pass(self):
        """The other way round: what a route names goes upstream, once, as it came."""
        self.start(OK, pass_headers=["X-Team", "Cookie"])
        await self.converse(self.request(b"X-Team: a;b", b"Cookie: c=d", b"X-Teams: no"))
        (received,) = self.upstream.requests
        self.assertEqual(received.values("x-team"), [b"a;b"])
        self.assertEqual(received.values("cookie"), [b"c=d"])
        self.assertEqual(received.values("x-teams"), [])
        await self.judge(sent=1)


class StockSiteTests(Stage):
    """Behind Twisted's own site, whose parser lets more through than ours."""

    async def test_control_bytes_go_no_further(self):
        """In a header that is passed on: refused, and no connection is left behind."""
        self.start()
        stock = Site(self.running.server.resource())
        listening = reactor.listenTCP(0, stock, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        for control in (b"\0", b"\x01", b"\x0b", b"\x1f", b"\x7f", b"\r"):
            client = await RawClient.connect(self, listening.getHost().port)
            client.send(self.request(b"Accept: a" + control + b"b"))
            answer = await client.read_to_end()
            self.assertRegex(answer, rb"^HTTP/1.1 (400|500) ")
        self.assertEqual(self.upstream.requests, [])
        self.flushLoggedErrors(ValueError)
        stock.stopFactory()
        await self.judge(sent=0)


class SlowTests(Stage):
    """Requests that never end, with deadlines of a fraction of a second."""

    limits = DownstreamLimits(head_timeout=0.2, body_grace=0.2, keep_alive=0.2)

    async def check(self, raw, *statuses):
        self.start(server={"limits": self.limits})
        replies = await self.converse(self.fill(raw))
        self.assertEqual(tuple(reply.status for reply in replies), statuses, replies)
        await self.judge(sent=0)

    async def test_nothing(self):
        """A connection without a byte is closed without an answer."""
        await self.check(b"")

    async def test_tls_on_the_plain_port(self):
        """A ClientHello is told by a CR or LF in it; without one it gets its time, and no more."""
        hello = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(range(14, 250))
        await self.check(hello + b"\r" + hello, 400)
        await self.check(hello, 408)

    async def test_half_a_request_line(self):
        """Slow loris, at its first line."""
        await self.check(b"POST /api/v1", 408)

    async def test_half_a_head(self):
        """And later."""
        await self.check(HEAD + COMMON, 408)

    async def test_half_a_body(self):
        """JSON is read whole before anything goes upstream."""
        await self.check(HEAD + COMMON + BODY[:-1], 408)

    async def test_chunk_that_never_comes(self):
        """4 GB announced, nothing sent."""
        await self.check(HEAD + COMMON + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n{", 408)

    async def test_continue_that_is_not_used(self):
        """The browser is told to go on, and does not."""
        raw = HEAD + COMMON + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        await self.check(raw, 100, 408)
