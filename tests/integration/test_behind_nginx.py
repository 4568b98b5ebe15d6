"""Streams behind nginx as it comes: each event is there when it is sent."""

from types import SimpleNamespace
from zlib import MAX_WBITS, decompressobj

from twisted.trial.unittest import SkipTest

from naap_twisted.testing import PAUSE, RawClient
from tests.adversarial import peers

from .support import CHUNKED, PATH, IntegrationTestCase, chunk, response

_GZIP = "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 1;"


class NginxTests(IntegrationTestCase):
    async def begin(self, kind, more=""):
        """A client of nginx with the head of a stream whose second event waits for a release."""
        head = response(200, b"", f"Content-Type: {kind}", CHUNKED, length=False)
        first, second = chunk(b"data: first\n\n"), chunk(b"data: second\n\n") + chunk(b"")
        self.start(head, first, PAUSE, second)
        port = await peers.nginx(self, SimpleNamespace(port=self.running.port), more)
        if port is None:
            raise SkipTest("nginx is not installed (Debian: nginx-light)")
        client = await RawClient.connect(self, port)
        client.request("POST", PATH, self.headers(Accept_Encoding="gzip"), b"{}")
        await client.read_until(b"\r\n\r\n")
        return client

    async def piece(self, client):
        """The next chunk of nginx's."""
        size = int(await client.read_until(b"\r\n"), 16)
        return (await client.read(size + 2))[:-2]

    async def test_unbuffered(self):
        """proxy_pass alone."""
        for kind in ("text/event-stream", "application/x-ndjson"):
            client = await self.begin(kind)
            self.assertEqual(await self.piece(client), b"data: first\n\n")
            self.upstream.release()
            self.assertEqual(await self.piece(client), b"data: second\n\n")

    async def test_gzip(self):
        """The same where nginx is told to compress event streams."""
        client = await self.begin("text/event-stream", _GZIP)
        inflate, text = decompressobj(16 + MAX_WBITS), b""
        while not text.endswith(b"data: first\n\n"):
            text += inflate.decompress(await self.piece(client))
        self.upstream.release()
        while not text.endswith(b"data: second\n\n"):
            text += inflate.decompress(await self.piece(client))
