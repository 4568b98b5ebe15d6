"""Browsers that leave at every phase: the upstream exchange ends within a second.

Each phase is tried with a FIN and with an RST, and with 64 KB of further requests behind the one
that is being served: what waits there must neither hide the departure nor be served.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from naap_twisted import create_external_proxy
from naap_twisted.limits.capacity import CapacityLimits
from naap_twisted.limits.in_flight import InFlightLimit
from naap_twisted.testing import PAUSE, ScriptedUpstream, request_bytes
from naap_twisted.upstream.client import UpstreamClient
from tests.integration.support import OK, PATH, IntegrationTestCase

from .faults import FIN, RST, connecting_to, eventually, unreachable

_PIPELINED = b"POST /api/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
JUNK = (_PIPELINED * (64 * 1024 // len(_PIPELINED) + 1))[: 64 * 1024]
WAYS = [(how, junk) for how in (FIN, RST) for junk in (b"", JUNK)]
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"


class SilentResolver:
    """Never answers."""

    def __init__(self):
        self.asked = []

    def resolve(self, host):
        self.asked.append(host)
        return Deferred()


class LeavingTestCase(IntegrationTestCase):
    timeout = 60

    async def leave(self, client, how):
        """The browser goes, its whole process: nothing of it reads any more."""
        if how == RST:
            client.abort()
        else:
            client.transport.loseConnection()
        await client.until(lambda: client.closed)

    async def gone(self, upstream=None):
        """Within a second nothing is left: no connection on either side, no place taken."""
        site = self.running.server.site()
        await eventually(lambda: not site.open, 1.0)
        for received in upstream.requests if upstream else ():
            await eventually(lambda received=received: received.lost, 1.0)
        capacity = self.running.server.parts.capacity
        self.assertEqual(capacity._total.running, 0)
        self.assertEqual(len(capacity._total._queue), 0)

    async def client(self, head=None, body=b"{}", **headers):
        client = await self.running.client()
        client.send(request_bytes("POST", PATH, self.headers(**headers), body) + (head or b""))
        return client


class BeforeUpstreamTests(LeavingTestCase):
    """Nothing has been asked of an upstream yet, and nothing will be."""

    async def test_inside_the_head(self):
        self.start(OK)
        whole = request_bytes("POST", PATH, self.headers(), b"{}")
        for how in (FIN, RST):
            for size in (0, 1, 20, len(whole) - 4):
                client = await self.running.client()
                client.send(whole[:size])
                await eventually(lambda: self.running.server.site().open, 1.0)
                await self.leave(client, how)
                await self.gone()
        self.assertEqual(self.upstream.connections, 0)

    async def test_inside_a_collected_body(self):
        self.start(OK)
        for how in (FIN, RST):
            client = await self.client(body=b'{"a"', Content_Length="1000")
            await eventually(lambda: self.running.server.site().open, 1.0)
            await self.leave(client, how)
            await self.gone()
        self.assertEqual(self.upstream.connections, 0)

    async def test_while_authorize_decides(self):
        """Also with a body that nobody reads yet, so that the FIN waits behind its bytes."""
        given_up = []
        asked = []

        def rule(request):
            asked.append(request)
            return Deferred(given_up.append)

        self.start(OK, authorize=rule)
        for how, junk in WAYS:
            for length in ("2", "1000000"):
                client = await self.client(junk, Content_Length=length)
                before = len(given_up)
                await eventually(lambda before=before: len(asked) > before, 1.0)
                await self.leave(client, how)
                await eventually(lambda before=before: len(given_up) == before + 1, 1.0)
                await self.gone()
        self.assertEqual(self.upstream.connections, 0)

    async def test_in_the_queue(self):
        """Who waits for a place and leaves gives up the place in the queue, too."""
        limits = CapacityLimits(route=InFlightLimit(1, 10))
        self.start(OK, PAUSE, eager=True, server={"capacity": limits})
        self.upstream.steps = (PAUSE, OK)
        for how, junk in WAYS:
            self.upstream.requests.clear()
            first = await self.client()
            await self.upstream.until(lambda: self.upstream.requests)
            second = await self.client(junk)
            mount = self.running.server.routes()[0]
            queue = mount.proxy._bound.capacity._route._queue
            await eventually(lambda queue=queue: len(queue) == 1, 1.0)
            await self.leave(second, how)
            await eventually(lambda queue=queue: not queue, 1.0)
            self.upstream.release()
            self.assertEqual((await first.answer("POST")).status, 200)
            await first.stop()
            await self.gone()
            self.assertEqual(len(self.upstream.requests), 1)

    async def test_while_the_name_is_looked_up(self):
        resolver = SilentResolver()
        self.serve_by(resolver)
        lookups = self.way_out.resolver
        for how, junk in WAYS:
            client = await self.client(junk)
            await eventually(lambda: any(lookups._waiting.values()), 1.0)
            await self.leave(client, how)
            await eventually(lambda: not any(lookups._waiting.values()), 1.0)
            await self.gone()
        self.assertEqual(resolver.asked, ["api.example.com"])

    def serve_by(self, resolver):
        self.upstream = ScriptedUpstream(self, OK)
        self.running = self.serve()
        self.way_out = way_out = UpstreamClient(reactor, resolver=resolver)
        self.addCleanup(way_out.ticker.stop)
        proxy = create_external_proxy(
            allowed_hosts=["api.example.com"], upstream=way_out, connect_timeout=20.0
        )
        self.running.server.mount("/x", proxy)
        self.upstream.origin = "https://api.example.com"


class ConnectingTests(LeavingTestCase):
    async def test_while_tcp_connects(self):
        port = unreachable(self)
        self.start(OK, allowed_ports=[port], connect_timeout=20.0)
        self.upstream.origin = f"http://127.0.0.1:{port}"
        before = connecting_to(port)
        for how, junk in WAYS:
            client = await self.client(junk)
            await eventually(lambda: connecting_to(port) > before, 1.0)
            await self.leave(client, how)
            await eventually(lambda: connecting_to(port) == before, 1.0)
            await self.gone()

    async def test_while_tls_shakes_hands(self):
        """A TCP server that never says a word of TLS."""
        for how, junk in WAYS:
            deaf = Deaf(self)
            self.upstream = deaf
            self.running = self.serve()
            self.mount("/x", allowed_schemes=["https"], connect_timeout=20.0)
            client = await self.client(junk)
            await eventually(lambda deaf=deaf: deaf.heard, 1.0)
            await self.leave(client, how)
            await eventually(lambda deaf=deaf: deaf.lost, 1.0)
            await self.gone()


class Deaf:
    """Accepts, reads, says nothing."""

    def __init__(self, test):
        self.heard, self.lost = b"", False
        outer = self

        class Wire(Protocol):
            def dataReceived(self, data):
                outer.heard += data

            def connectionLost(self, reason):
                outer.lost = True

        factory = Factory.forProtocol(Wire)
        factory.noisy = False
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        test.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.origin = f"https://127.0.0.1:{self.port}"


class DuringExchangeTests(LeavingTestCase):
    """The upstream is at work: it is told by a closed connection."""

    TEXT = {"Content_Type": "text/plain", "Content_Length": "2000"}

    async def each_way(self, when, *steps, eager=False, body=b"{}", route=None, **headers):
        for how, junk in WAYS:
            self.start(*steps, eager=eager, **(route or {}))
            client = await self.client(junk, body=body, **headers)
            await when(self.upstream, client)
            await self.leave(client, how)
            await self.gone(self.upstream)
            self.assertEqual(len(self.upstream.requests), 1)

    async def asked(self, upstream, client):
        await upstream.until(lambda: upstream.requests and upstream.requests[0].complete)

    async def test_before_the_head(self):
        await self.each_way(self.asked, PAUSE)

    async def test_after_an_interim_head(self):
        await self.each_way(self.asked, b"HTTP/1.1 103 Early Hints\r\n\r\n", PAUSE)

    async def test_inside_the_upstreams_head(self):
        await self.each_way(self.asked, b"HTTP/1.1 200 OK\r\nContent-Ty", PAUSE)

    async def test_inside_an_error_body(self):
        """Of an enveloped error nothing has gone to the browser yet."""
        head = b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\nContent-Length: 500\r\n\r\nso"
        await self.each_way(self.asked, head, PAUSE)

    async def test_inside_the_body(self):
        async def reading(upstream, client):
            await client.until(lambda: b"0123456789" in client.buffer)

        await self.each_way(reading, _HEAD + b"0123456789", PAUSE)

    async def test_between_two_events(self):
        async def reading(upstream, client):
            await client.until(lambda: b"data: 1" in client.buffer)

        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        await self.each_way(reading, head + b"data: 1\n\n", PAUSE)

    async def test_inside_the_upload(self):
        """A streamed body, half of it sent."""

        async def uploading(upstream, client):
            await upstream.until(lambda: upstream.requests and len(upstream.requests[0].body) > 999)

        for how in (FIN, RST):
            self.start(PAUSE, content_type="*/*")
            client = await self.client(body=b"x" * 1000, **self.TEXT)
            await uploading(self.upstream, client)
            await self.leave(client, how)
            await self.gone(self.upstream)

    async def test_while_nobody_reads(self):
        """Neither the browser nor the upstream reads: both directions are stuck."""
        for how in (FIN, RST):
            big = b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"y" * 20_000_000
            self.start(big, PAUSE, eager=True, content_type="*/*")
            client = await self.client(body=b"x" * 1000, **self.TEXT)
            client.pause()
            await self.upstream.until(lambda: self.upstream.requests)
            await eventually(lambda: any(c._blocked for c in self.running.server.site().open), 5.0)
            client.resume() if how == FIN else None
            await self.leave(client, how)
            await self.gone(self.upstream)
