"""Streams behind other people's proxies as they come: each event is there when it is sent."""

from types import SimpleNamespace
from zlib import MAX_WBITS, decompressobj

from twisted.trial.unittest import SkipTest

from naap_twisted.testing import PAUSE, RawClient
from tests.adversarial import peers

from .support import CHUNKED, PATH, IntegrationTestCase, chunk, response

_GZIP = "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 1;"
_COMPRESSION = "compression algo gzip\n    compression type text/event-stream"
STREAMS = (
    "text/event-stream",
    "text/event-stream; charset=utf-8",
    "application/x-ndjson",
    "application/jsonl",
    "application/stream+json",
)
FIRST, PING, SECOND = b"data: first\n\n", b": ping\n\n", b"data: second\n\n"


class StreamTestCase(IntegrationTestCase):
    async def begin(self, kind, front, more="", *lines, **route):
        """A client of *front* with the head of a stream whose further events wait for releases."""
        head = response(200, b"", f"Content-Type: {kind}", CHUNKED, *lines, length=False)
        self.start(
            *(head, chunk(FIRST), PAUSE, chunk(PING), PAUSE, chunk(SECOND) + chunk(b"")), **route
        )
        port = await front(self, SimpleNamespace(port=self.running.port), more)
        if port is None:
            raise SkipTest("it is not installed (Debian: nginx-light, haproxy)")
        client = await RawClient.connect(self, port)
        client.request("POST", PATH, self.headers(Accept_Encoding="gzip"), b"{}")
        self.head = (await client.read_until(b"\r\n\r\n")).lower()
        return client

    async def piece(self, client):
        """The next chunk."""
        size = int(await client.read_until(b"\r\n"), 16)
        return (await client.read(size + 2))[:-2]

    async def one_by_one(self, client):
        """Each piece, the upstream's comments too, before the next one is sent; none is ours."""
        for piece in (FIRST, PING, SECOND):
            self.assertEqual(await self.piece(client), piece)
            self.upstream.release()
        self.assertEqual(await self.piece(client), b"")


class NginxTests(StreamTestCase):
    async def test_unbuffered(self):
        """proxy_pass alone."""
        for kind in STREAMS:
            await self.one_by_one(await self.begin(kind, peers.nginx))

    async def test_gzip(self):
        """The same where nginx is told to compress event streams."""
        client = await self.begin("text/event-stream", peers.nginx, _GZIP)
        inflate, text = decompressobj(16 + MAX_WBITS), b""
        for piece in (FIRST, PING, SECOND):
            while not text.endswith(piece):
                text += inflate.decompress(await self.piece(client))
            self.upstream.release()


class HaproxyTests(StreamTestCase):
    async def test_unbuffered(self):
        """Out of the box."""
        for kind in STREAMS:
            await self.one_by_one(await self.begin(kind, peers.haproxy))

    async def test_compression(self):
        """It leaves alone what says no-transform."""
        client = await self.begin("text/event-stream", peers.haproxy, _COMPRESSION)
        self.assertNotIn(b"content-encoding", self.head)
        await self.one_by_one(client)

    async def test_the_cache_control_of_the_upstream(self):
        """It stands beside ours, once; where it is not relayed, nothing is stored."""
        named = {"response_headers": ["Cache-Control"]}
        for route, said, merged in (
            (named, "max-age=5, no-cache", b"max-age=5, no-cache, no-transform"),
            (named, "No-Transform, no-cache", b"no-transform, no-cache"),
            ({}, "max-age=5, no-cache", b"private, no-store, no-transform"),
        ):
            for kind in STREAMS:
                line = f"Cache-Control: {said}"
                client = await self.begin(kind, peers.haproxy, "", line, **route)
                self.assertIn(b"\r\ncache-control: %s\r\n" % merged, self.head)
                self.assertEqual(self.head.count(b"\r\ncache-control:"), 1)
                self.assertIn(b"\r\nx-accel-buffering: no\r\n", self.head)
                await client.stop()
