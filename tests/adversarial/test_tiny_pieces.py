"""Peers that send almost nothing, in as many pieces as they can: the work follows the payload.

Work is counted in function calls of the proxy's thread, so that neighbours of the machine decide
nothing; clients are threads of their own.
"""

import socket
import ssl

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread, deferToThread

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.framing.body import ChunkedDecoder
from naap_twisted.testing import ScriptedUpstream
from tests.integration.support import CHUNKED, OK, PATH, chunk, response
from tests.integration.test_tls import TlsTestCase
from tests.test_cost import Tally

from .echo_vectors import one_by_one

TINY = b"1\r\na\r\n"
EXTENDED = b"1;" + b"x" * 250 + b"\r\na\r\n"
LAST = b"0\r\n\r\n"


def exchange(port, wire):
    """Send *wire*, read to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(wire)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def exchange_in_records(port, whole, tiny):
    """The same over TLS: *whole* in one record, then each piece of *tiny* in one of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    with socket.create_connection(("127.0.0.1", port), 10) as connection:

        def attempt(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))

        attempt(tls.do_handshake)
        tls.write(whole)
        for piece in tiny:
            tls.write(piece)
        connection.sendall(outgoing.read())
        return attempt(lambda: tls.read(65536))


def counted(exchanged, *arguments):
    """In a thread: what *exchanged* returns, and the calls that the proxy made meanwhile."""
    tally = Tally()
    blockingCallFromThread(reactor, tally.start)
    try:
        return exchanged(*arguments), tally
    finally:
        blockingCallFromThread(reactor, tally.stop)


class TinyPiecesTests(TlsTestCase):
    timeout = 60

    def head(self, *lines):
        return "\r\n".join(
            [
                f"POST {PATH} HTTP/1.1",
                "Host: localhost",
                *(f"{name}: {value}" for name, value in self.headers().items()),
                *lines,
                "Connection: close\r\n\r\n",
            ]
        ).encode()

    async def assert_refused_cheaply(self, calls, *arguments):
        """A 400 after at most so many *calls*, and not a byte for an upstream."""
        received, tally = await deferToThread(counted, *arguments)
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received[:100])
        self.assertGreater(tally.calls, 500, "nothing was counted")
        self.assertLess(tally.calls, calls)
        self.assertEqual(self.upstream.connections, 0)

    async def test_chunks_of_one_byte(self):
        """150,000 of them are given up at 18,725, for half a dozen calls each."""
        self.start(OK)
        wire = self.head(CHUNKED) + TINY * 150_000 + LAST
        await self.assert_refused_cheaply(130_000, exchange, self.running.port, wire)

    async def test_chunks_of_one_byte_to_a_streaming_route(self):
        """The upstream's request is never completed."""
        self.start(content_type="*/*")
        wire = self.head(CHUNKED).replace(b"application/json", b"text/plain")
        wire += TINY * 150_000 + LAST
        received, tally = await deferToThread(counted, exchange, self.running.port, wire)
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received[:100])
        self.assertLess(tally.calls, 130_000)
        self.assertFalse(any(request.complete for request in self.upstream.requests))

    async def test_a_fragment_of_one_byte_chunks(self):
        """So ends the PATCH of a WebRTC session, whose route reads no whole bodies either."""
        self.start(
            response(204, b"", length=False),
            methods=["PATCH"],
            content_type="application/trickle-ice-sdpfrag",
        )
        wire = self.head(CHUNKED).replace(b"application/json", b"application/trickle-ice-sdpfrag")
        wire = wire.replace(b"POST", b"PATCH", 1) + TINY * 150_000 + LAST
        received, tally = await deferToThread(counted, exchange, self.running.port, wire)
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received[:100])
        self.assertLess(tally.calls, 130_000)
        self.assertFalse(any(request.complete for request in self.upstream.requests))

    async def test_chunk_extensions(self):
        """What stands beside the payload counts in bytes: 250 of it a byte end after 130 kB."""
        self.start(OK)
        wire = self.head(CHUNKED) + EXTENDED * 3_000 + LAST
        await self.assert_refused_cheaply(10_000, exchange, self.running.port, wire)

    async def test_records_of_one_byte(self):
        """A body, a head, and what waits behind a request, each byte in a TLS record of its own."""
        self.serve_tls()
        self.upstream = ScriptedUpstream(self, OK)
        self.mount("/x")
        start = self.head("Content-Length: 40000")
        lines = b"X: y\r\n" * 90 + b"X: " + b"y" * 30_000
        for whole, tiny in ((start, b" " * 30_000), (start[:-2], lines)):
            await self.assert_refused_cheaply(
                600_000, exchange_in_records, self.running.port, whole, one_by_one(tiny)
            )

    async def test_a_head_byte_by_byte(self):
        """The start of a head is not read again with each byte of its rest."""
        self.serve_tls()
        self.upstream = ScriptedUpstream(self, OK)
        self.mount("/x")
        target = b"GET /" + b"a" * 7_000 + b" HTTP/1.1\r\nHost: localhost\r\n"
        tiny = b"X: y\r\n" * 50 + b"\r\n"
        received = await deferToThread(
            exchange_in_records, self.running.port, target, one_by_one(tiny)
        )
        self.assertTrue(received.startswith(b"HTTP/1.1 404 "), received[:100])

    async def test_small_chunks_that_carry_something(self):
        """A live upload of short lines, one a chunk, is no attack however long it lasts."""
        self.start(OK, content_type="*/*")
        line = b'{"n": 12}\n'
        wire = self.head(CHUNKED).replace(b"application/json", b"application/x-ndjson")
        wire += chunk(line) * 30_000 + LAST
        received = await deferToThread(exchange, self.running.port, wire)
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received[:100])
        self.assertEqual(self.upstream.requests[0].body, line * 30_000)

    async def test_chunks_in_three_records(self):
        """Size line, payload and end each by themselves, as some clients write them: a long upload
        is no attack for that."""
        self.serve_tls(limits=DownstreamLimits(crumbs=500))
        self.upstream = ScriptedUpstream(self, OK)
        self.mount("/x", content_type="*/*", body_limit="100mb")
        start = self.head(CHUNKED).replace(b"application/json", b"application/octet-stream")
        pieces = (b"800\r\n", b"a" * 0x800, b"\r\n") * 2_000
        received = await deferToThread(
            exchange_in_records, self.running.port, start, (*pieces, LAST)
        )
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received[:100])
        self.assertEqual(len(self.upstream.requests[0].body), 0x800 * 2_000)

    async def test_an_upstream_that_sends_chunks_of_one_byte(self):
        """Legal, so without a bound; but what comes in one read goes on as one piece."""
        head = response(200, b"", "Content-Type: text/event-stream", CHUNKED, length=False)
        self.start(head + TINY * 100_000 + LAST)
        wire = self.head("Content-Length: 2") + b"{}"
        received, tally = await deferToThread(counted, exchange, self.running.port, wire)
        pieces, rest = ChunkedDecoder().feed(received.partition(b"\r\n\r\n")[2])
        self.assertEqual((b"".join(pieces), rest), (b"a" * 100_000, b""))
        # One write and one chunk a read of 64 kB, some reads being shorter.
        self.assertLess(len(pieces), 100)
        self.assertLess(tally.calls, 600_000)
