"""Bytes that are no request, and who pays for reading them."""

import socket

from naap_twisted import RateLimit
from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.testing import RawClient

from ..servers import NO_REDIS, Redis
from .oracle import OK, Stage


class GarbageTests(Stage):
    """Bytes that are no request count like requests."""

    JUNK = (
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    )

    async def junk(self, raw):
        client = await RawClient.connect(self, self.running.port)
        client.send(raw)
        answer = await client.answer()
        await client.stop()
        return answer

    def limited(self, **server):
        self.start(server={"rate_limit": RateLimit(len(self.JUNK), 60.0), **server})

    async def test_counted(self):
        """As many as the limit allows are told what is wrong; then nothing is served any more."""
        self.limited()
        for raw, status in self.JUNK:
            answer = await self.junk(raw)
            self.assertEqual(answer.status, status)
        for raw, _ in self.JUNK:
            answer = await self.junk(raw)
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.header("Connection"), "close")
            self.assertTrue(0 < int(answer.header("Retry-After")) <= 60)
            self.assertEqual(answer.json()["error"]["code"], "RATE_LIMITED")
        replies = await self.converse(self.request())
        self.assert_error(replies, 429, "RATE_LIMITED")
        self.assertEqual(self.upstream.requests, [])

    async def test_broken_off(self):
        """A head that its sender leaves unfinished counts, be it one or not; silence does not."""
        self.limited()
        site = self.running.server.site()
        heads = (b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHo", b"A" * 7000, b"GET")
        for raw in (b"", *heads, b""):
            with socket.create_connection(("127.0.0.1", self.running.port)) as connection:
                await self.until(lambda: site.open, "a connection")
                connection.sendall(raw)
            await self.until(lambda: not site.open, "its end")
        self.assertEqual((await self.junk(self.JUNK[0][0])).status, 429)

    async def test_counted_together(self):
        """Good requests and bad ones share the count."""
        self.limited()
        for _ in self.JUNK:
            replies = await self.converse(self.request())
            self.assertEqual([reply.status for reply in replies], [200])
        self.assertEqual((await self.junk(self.JUNK[0][0])).status, 429)

    async def test_a_trusted_proxy_is_not_charged(self):
        """Its address is everybody's."""
        self.limited(trusted_proxies=["127.0.0.1"])
        for _ in range(3):
            for raw, status in self.JUNK:
                self.assertEqual((await self.junk(raw)).status, status)
        replies = await self.converse(self.request(b"X-Forwarded-For: 192.0.2.9"))
        self.assertEqual([reply.status for reply in replies], [200])

    async def test_slow_heads(self):
        """A head that never ends is an attempt too."""
        self.limited(limits=DownstreamLimits(head_timeout=0.2))
        for _ in self.JUNK:
            self.assertEqual((await self.junk(b"GET / HTTP/1.1\r\nHos")).status, 408)
        self.assertEqual((await self.junk(b"GET / HTTP/1.1\r\nHos")).status, 429)

    async def test_in_redis(self):
        """Shared counts are asked, but not waited for: what they say counts for the next one."""
        if NO_REDIS:
            self.skipTest(NO_REDIS)
        self.limited(redis_url=Redis(self).url)
        link = self.running.server.parts.state.redis
        await self.until(lambda: link.up, "the link to Redis")
        for raw, status in self.JUNK:
            self.assertEqual((await self.junk(raw)).status, status)
        replies = await self.converse(self.request())
        self.assert_error(replies, 429, "RATE_LIMITED")
        self.assertEqual((await self.junk(self.JUNK[0][0])).status, 429)

    async def test_without_a_limit(self):
        """Nothing is counted where nothing is limited."""
        self.start(OK)
        for raw, status in self.JUNK * 2:
            self.assertEqual((await self.junk(raw)).status, status)
