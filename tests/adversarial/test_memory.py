"""Memory of a server process under peers that send too much or take too little.

Bounds are on the growth of resident memory, its peak included, over what the process had after a
few normal requests. What a proxy may hold of one exchange is small: a socket buffer's worth each
way, and a body that it was told to collect.
"""

import zlib
from time import monotonic

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from naap_twisted.testing import RawClient, ScriptedUpstream, request_bytes
from tests.integration.support import OK

from .faults import eventually
from .process import NO_PROCESS, ProxyProcess, pinned

MB = 1024 * 1024
_JSON = {"Content-Type": "application/json"}


def headers_of(document):
    """What announces *document*, however much of it is sent."""
    return {**_JSON, "Content-Length": str(len(document))}


def gzip_bomb(megabytes):
    """About *megabytes* of gzip that inflate to a thousand times as much zeros.

    A full flush ends on a byte and forgets: the piece after it can stand any number of times.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(bytes(16 * MB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    count = megabytes * MB // len(block) + 1
    return head + block * count + b"\x03\x00" + bytes(8), count * 16 * MB


class Endless(Factory):
    """Answers with a body that never ends, as fast as it is taken; *head* announces none.

    :ivar sent: body bytes given to sockets.
    """

    noisy = False
    piece = b"e" * 65536

    def __init__(self, test, head):
        self.head, self.sent, self.lost = head, 0, 0
        port = reactor.listenTCP(0, self, interface="127.0.0.1")
        test.addCleanup(port.stopListening)
        self.origin = f"http://127.0.0.1:{port.getHost().port}"

    def buildProtocol(self, address):
        return _Endless(self)


class _Endless(Protocol):
    def __init__(self, factory):
        self._factory, self._begun = factory, False

    def dataReceived(self, data):
        if not self._begun:
            self._begun = True
            self.transport.write(self._factory.head)
            self.transport.registerProducer(self, False)

    def resumeProducing(self):
        self._factory.sent += len(self._factory.piece)
        self.transport.write(self._factory.piece)

    def stopProducing(self):
        pass

    def connectionLost(self, reason):
        self._factory.lost += 1


class Unread(Endless):
    """Reads nothing and says nothing."""

    def __init__(self, test):
        super().__init__(test, b"")

    def buildProtocol(self, address):
        wire = _Endless(self)
        wire.connectionMade = lambda: wire.transport.pauseProducing()
        return wire


class MemoryTests(TestCase):
    timeout = 90
    skip = NO_PROCESS

    async def start(self, upstream, *lines):
        """The proxy, warm; :attr:`base` is its memory."""
        normal = ScriptedUpstream(self, OK)
        routes = pinned("/x", upstream, *lines) + pinned("/normal", normal)
        self.proxy = await ProxyProcess(self, routes).started()
        for _ in range(20):
            await self.ask_normally()
        self.proxy.forget_peak()
        self.base = self.proxy.memory()

    async def client(self, path="/api/v1/x/v1", body=b"{}", headers=_JSON):
        client = await RawClient.connect(self, self.proxy.port)
        client.send(request_bytes("POST", path, headers, body))
        return client

    async def ask_normally(self):
        client = await self.client("/api/v1/normal/v1")
        answer = await client.answer("POST")
        self.assertEqual((answer.status, answer.complete), (200, True))
        await client.stop()

    async def assert_grew_less(self, megabytes):
        """And it serves on."""
        grown = (self.proxy.peak() - self.base) / MB
        print(f"\n  peak {grown:.1f} MB over {self.base / MB:.0f} MB ", end="")
        self.assertLess(grown, megabytes)
        await self.ask_normally()
        self.assertNotIn(b"Traceback", self.proxy.output)

    async def test_gzip_bomb(self):
        """10 MB that inflate to 10 GB are relayed as the 10 MB they are: under 8 MB of growth."""
        bomb, inflated = gzip_bomb(10)
        self.assertGreater(inflated, 10_000 * MB)
        self.assertLess(len(bomb), 11 * MB)
        for errors, status in (("passthrough", 200), ("envelope", 500)):
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
                f"Content-Length: {len(bomb)}\r\n\r\n"
            )
            upstream = ScriptedUpstream(self, head.encode() + bomb)
            await self.start(upstream, f'errors = "{errors}"')
            client = await self.client(headers={**_JSON, "Accept-Encoding": "gzip"})
            answer = await client.answer("POST")
            self.assertEqual((answer.status, answer.complete), (status, True))
            if status == 200:
                self.assertEqual(answer.header("Content-Encoding"), "gzip")
                self.assertEqual(len(answer.body), len(bomb))
                self.assertEqual(hash(answer.body), hash(bomb))
            else:
                self.assertLess(len(answer.body), 20_000)
            await self.assert_grew_less(8)

    async def test_eight_megabytes_of_headers(self):
        """In many lines, in one, in trailers and in interim heads: refused, under 8 MB."""
        start = b"HTTP/1.1 200 OK\r\n"
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"h" * 1000) for n in range(8 * MB // 1010))
        chunked = start + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        for reply, status in (
            (start + lines + b"\r\n", 502),
            (start + b"X: " + b"h" * (8 * MB) + b"\r\n\r\n", 502),
            (b"HTTP/1.1 200 " + b"O" * (8 * MB) + b"\r\n\r\n", 502),
            (b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" * (8 * MB // 35), 502),
            (chunked + lines + b"\r\n", None),
        ):
            await self.start(ScriptedUpstream(self, reply))
            clients = [await self.client() for _ in range(5)]
            for client in clients:
                if status is None:
                    try:
                        self.assertFalse((await client.answer("POST")).complete)
                    except EOFError:
                        self.assertFalse(client.clean)
                else:
                    self.assertEqual((await client.answer("POST")).status, status)
            await self.assert_grew_less(8)
            await self.proxy.kill()

    async def test_endless_body_and_stalled_readers(self):
        """20 readers that take nothing stop 20 upstreams: under 16 MB, and no more with time."""
        for head in (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        ):
            upstream = Endless(self, head)
            await self.start(upstream)
            clients = []
            for _ in range(20):
                client = await self.client()
                await client.until(lambda client=client: client.buffer)
                client.pause()
                clients.append(client)
            await self.stands_still(upstream)
            await self.assert_grew_less(16)
            for client in clients:
                await client.stop()
            await eventually(lambda upstream=upstream: upstream.lost == 20, 2.0)
            await self.proxy.kill()

    async def stands_still(self, upstream):
        """Until the upstream could send nothing for half a second."""
        while True:
            before = upstream.sent
            await deferLater(reactor, 0.5)
            if upstream.sent == before:
                return

    async def test_stalled_upstream_and_endless_uploads(self):
        """20 browsers that send without end to an upstream that reads nothing: under 16 MB."""
        upstream = Unread(self)
        await self.start(upstream, 'body_limit = "1gb"')
        clients = []
        for _ in range(20):
            headers = {"Content-Type": "text/plain", "Content-Length": "900000000"}
            client = await self.client(headers=headers, body=b"u")
            client.send(b"u" * (8 * MB))
            clients.append(client)
        await self.proxy.at_rest()
        await self.assert_grew_less(16)
        for client in clients:
            await client.stop()

    async def test_bodies_without_their_last_byte(self):
        """300 MB of JSON that is read whole, from one address: the 64 MB it may hold, under 120."""
        await self.start(ScriptedUpstream(self, OK))
        document = b'"' + b"j" * (MB - 10) + b'"'
        clients = [
            await self.client(body=document[:-1], headers=headers_of(document)) for _ in range(300)
        ]
        await self.proxy.at_rest()
        await self.assert_grew_less(120)
        refused = [client for client in clients if client.buffer]
        self.assertEqual(len(clients) - len(refused), 64)
        for client in refused:
            self.assertEqual((await client.answer("POST")).status, 503)

    async def test_a_body_in_tiny_chunks(self):
        """1 MB of JSON in chunks of nine bytes costs its size, not its pieces: 8 under 30 MB."""
        upstream = ScriptedUpstream(self, OK)
        await self.start(upstream)
        document = b'"' + b"j" * (900_000) + b'"'
        pieces = [document[at : at + 9] for at in range(0, len(document), 9)]
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        clients = []
        for _ in range(8):
            headers = {**_JSON, "Transfer-Encoding": "chunked"}
            client = await self.client(headers=headers, body=wire)
            clients.append(client)
        await self.proxy.at_rest()
        await self.assert_grew_less(30)
        for client in clients:
            client.send(b"0\r\n\r\n")
            self.assertEqual((await client.answer("POST")).status, 200)

    async def test_a_reply_in_tiny_chunks(self):
        """5 MB of event stream, one byte a chunk: under 16 MB, and the proxy answers beside it."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self.start(ScriptedUpstream(self, head + b"1\r\nt\r\n" * (MB) + b"0\r\n\r\n"))
        client = await self.client()
        await client.until(lambda: client.buffer)
        client.pause()
        await deferLater(reactor, 0.3)
        await self.ask_normally()
        client.resume()
        answer = await client.answer("POST")
        self.assertEqual((answer.complete, len(answer.body)), (True, MB))
        await self.assert_grew_less(16)

    async def test_names_and_paths_never_seen_again(self):
        """What is remembered of requests is bounded in bytes, not only in number: under 24 MB."""
        await self.start(ScriptedUpstream(self, OK))
        path = "/api/v1/%d/" + "p" * 7_000
        for length, lines, status in ((24_000, 1, 431), (256, 90, 404)):
            for batch in range(60):
                client = await RawClient.connect(self, self.proxy.port)
                for number in range(25):
                    names = [f"X-{length}-{batch}-{number}-{n}-" for n in range(lines)]
                    headers = {name.ljust(length, "N"): "1" for name in names}
                    client.request("GET", path % (batch * 25 + number), headers)
                    self.assertEqual((await client.answer()).status, status)
                    if client.closed or status == 431:
                        break
                await client.stop()
        await self.assert_grew_less(24)

    async def test_pipelined_requests_behind_a_stalled_reader(self):
        """Answers that nobody takes are not piled up, and nobody else waits behind them."""
        await self.start(ScriptedUpstream(self, OK))
        one = request_bytes("GET", "/healthz")
        clients = []
        for _ in range(50):
            client = await RawClient.connect(self, self.proxy.port)
            client.pause()
            client.send(one * 20_000)
            clients.append(client)
        for _ in range(10):
            started = monotonic()
            await self.ask_normally()
            self.assertLess(monotonic() - started, 1.0)
        await self.assert_grew_less(16)
