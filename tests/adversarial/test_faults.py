"""Upstreams that die at every byte of a reply: what was cut is never delivered as complete."""

import os

from naap_twisted.testing import request_bytes
from tests.integration.support import PATH, IntegrationTestCase

from .faults import BARE_FIN, FIN, RST, Killer, certificate

_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
_EVENTS = b'data: {"n": 1}\n\ndata: {"n": 2}\n\ndata: [DONE]\n\n'


def chunked(body, size):
    """*body* in chunks of *size*, trailer included."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nX-Sum: 1\r\n\r\n"


class Reply:
    """An upstream's reply and what it means: *head* bytes, then *wire* for *body*."""

    def __init__(self, head, wire, body, until_close=False):
        self.head, self.body, self.until_close = len(head), body, until_close
        self.raw = head + wire

    def complete(self, offset, how):
        """Whether the first *offset* bytes and then *how* are this whole reply."""
        if self.until_close:
            return how == FIN and offset >= self.head
        return offset == len(self.raw)


_BODY = b"0123456789" * 4
LENGTH = Reply(_PLAIN + b"Content-Length: 40\r\n\r\n", _BODY, _BODY)
CHUNKED = Reply(_PLAIN + _CHUNKS, chunked(_BODY, 13), _BODY)
CLOSED = Reply(_PLAIN + b"\r\n", _BODY, _BODY, until_close=True)
SSE = Reply(_SSE + _CHUNKS, chunked(_EVENTS, 15), _EVENTS)
SSE_CLOSED = Reply(_SSE + b"\r\n", _EVENTS, _EVENTS, until_close=True)


class FaultTestCase(IntegrationTestCase):
    timeout = 60

    async def exchange(self):
        """One request on a fresh connection: ``(client, answer or None)``; ``None``: no head."""
        client = await self.running.client()
        client.send(request_bytes("POST", PATH, self.headers(), b"{}"))
        try:
            return client, await client.answer("POST")
        except EOFError:
            return client, None


class CutTests(FaultTestCase):
    """The upstream is killed at every byte offset of its reply."""

    async def kill_everywhere(self, reply, how, tls=None, ca_file=None):
        killer = Killer(self, reply.raw, how, tls)
        self.running = self.serve(ca_file=ca_file)
        self.upstream = killer
        schemes = ["https" if tls else "http"]
        self.mount("/x", allowed_ports=[killer.port], allowed_schemes=schemes)
        for offset in range(len(reply.raw) + 1):
            killer.offset = offset
            client, answer = await self.exchange()
            self.judge(reply, how, offset, client, answer)
            await client.stop()
        # Once each: a cut answer to a POST is not asked for again.
        self.assertEqual(killer.connections, len(reply.raw) + 1)

    def mount(self, path, **route):
        super().mount(path, **{"allowed_hosts": ["127.0.0.1"], **route})

    def judge(self, reply, how, offset, client, answer):
        told = f"{how} after {offset} of {len(reply.raw)} bytes: {answer}"
        if offset < reply.head:
            self.assertIsNotNone(answer, told)
            self.assert_refused(answer, 502, "BAD_GATEWAY", "External proxy failed")
        elif reply.complete(offset, how):
            self.assertTrue(answer is not None and answer.complete, told)
            whole = reply.raw[reply.head : offset] if reply.until_close else reply.body
            self.assertEqual((answer.status, answer.body), (200, whole), told)
        else:
            # Aborted: possibly so early that not even the head arrived, but never in order.
            self.assertFalse(client.clean, told)
            if answer is not None:
                self.assertFalse(answer.complete, told)
                self.assertTrue(reply.body.startswith(answer.body), told)

    async def test_length_fin(self):
        await self.kill_everywhere(LENGTH, FIN)

    async def test_length_rst(self):
        await self.kill_everywhere(LENGTH, RST)

    async def test_chunked_fin(self):
        await self.kill_everywhere(CHUNKED, FIN)

    async def test_chunked_rst(self):
        await self.kill_everywhere(CHUNKED, RST)

    async def test_until_close_fin(self):
        """FIN is HTTP's own end of such a body: whatever came is the whole."""
        await self.kill_everywhere(CLOSED, FIN)

    async def test_until_close_rst(self):
        await self.kill_everywhere(CLOSED, RST)

    async def test_sse_fin(self):
        await self.kill_everywhere(SSE, FIN)

    async def test_sse_rst(self):
        await self.kill_everywhere(SSE, RST)

    async def test_sse_until_close_rst(self):
        await self.kill_everywhere(SSE_CLOSED, RST)

    async def over_tls(self, reply, how):
        directory = self.mktemp()
        os.mkdir(directory)
        tls, path = certificate(directory)
        await self.kill_everywhere(reply, how, tls, path)

    async def test_tls_until_close_without_notify(self):
        """Over TLS a FIN that no close_notify came before is a cut: anybody could have sent it."""
        await self.over_tls(CLOSED, BARE_FIN)

    async def test_tls_until_close_with_notify(self):
        await self.over_tls(CLOSED, FIN)

    async def test_tls_length_without_notify(self):
        """A body that says its own end needs no goodbye."""
        await self.over_tls(LENGTH, BARE_FIN)


class OldBrowserTests(FaultTestCase):
    """To HTTP/1.0 the end of the connection is the end of the body: a cut must be a reset."""

    _REQUEST = (
        b"POST /api/v1/x HTTP/1.0\r\nContent-Type: application/json\r\n"
        b"X-Target-URL: %s/v1\r\nContent-Length: 2\r\n\r\n{}"
    )

    async def test_cut(self):
        for how in (FIN, RST):
            self.upstream = killer = Killer(self, CHUNKED.raw, how)
            self.running = self.serve()
            self.mount("/x")
            for offset in range(CHUNKED.head, len(CHUNKED.raw) + 1):
                killer.offset = offset
                client = await self.running.client()
                client.send(self._REQUEST % killer.origin.encode())
                raw = await client.read_to_end()
                self.assertEqual(client.clean, offset == len(CHUNKED.raw), (how, offset, raw))
                self.assertNotIn(b"chunked", raw.lower())
