"""Bytes as they come, both ways; the end of one side ends the other."""

import socket
import struct

from twisted.internet import reactor
from twisted.internet.task import deferLater

from naap_twisted.testing import PAUSE, request_bytes

from .support import CHUNKED, PATH, IntegrationTestCase, chunk, response, until

SSE = response(200, b"", "Content-Type: text/event-stream", CHUNKED, length=False)
JUNK = b"x" * 64 * 1024
_ANY = {"content_type": "*/*", "body_limit": "64mb"}


class EventTests(IntegrationTestCase):
    async def test_each_event_arrives_before_the_next_is_sent(self):
        """The script does not go on before the page has read what there is."""
        events = [b"data: %d\n\n" % number for number in range(5)]
        steps = [SSE]
        for event in events:
            steps += [PAUSE, chunk(event)]
        self.start(*steps, PAUSE, b"0\r\n\r\n")
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b'{"stream": true}')
        head = await client.head()
        self.assertEqual(head.status, 200)
        self.assertIn((b"content-type", b"text/event-stream"), head.fields)
        for event in events:
            self.assertEqual(bytes(client.buffer), b"")
            self.upstream.release()
            self.assertEqual(await client.read(len(chunk(event))), chunk(event))
        self.upstream.release()
        self.assertEqual(await client.read(5), b"0\r\n\r\n")

    async def test_the_next_request_on_the_connection_is_served(self):
        self.start(SSE, chunk(b"data: 1\n\n"), b"0\r\n\r\n")
        client = await self.running.client()
        for _ in range(3):
            client.request("POST", PATH, self.headers(), b"{}")
            answer = await client.answer("POST")
            self.assertEqual((answer.body, answer.complete), (b"data: 1\n\n", True))


class LongAnswers(IntegrationTestCase):
    """``max_response``: what is too long is refused, or cut, and never looks whole."""

    async def test_told_beforehand(self):
        """The length is known: 502, and not a byte of it. The caller's connection lives on."""
        for step, status in ((response(200, b"x" * 10), 200), (response(200, b"x" * 11), 502)):
            self.start(step, max_response=10)
            answer = await self.post()
            self.assertEqual(answer.status, status)
        self.assert_refused(answer, 502, "BAD_GATEWAY", "The external API's answer is too large")
        self.assertEqual(answer.header("X-Should-Retry"), "false")

    async def test_not_read(self):
        """Of an announced gigabyte nothing is read: the upstream's connection is closed."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
        self.start(head, JUNK, max_response="1mb")
        answer = await self.post()
        self.assert_refused(answer, 502, "BAD_GATEWAY")
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_a_head_is_told_of_its_length(self):
        """HEAD carries no body, so there is nothing to bound."""
        self.start(
            b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", methods=["GET"], max_response=9
        )
        answer = await self.post(None, "HEAD")
        self.assertEqual((answer.status, answer.header("Content-Length")), (200, "11"))

    async def test_cut(self):
        """A length that nobody told: what fits goes out, and then a reset, with no last chunk."""
        for framing, frame in ((CHUNKED, chunk), ("Connection: close", bytes)):
            head = response(200, b"", framing, length=False)
            self.start(
                head,
                frame(b"12345"),
                PAUSE,
                frame(b"67890"),
                PAUSE,
                frame(b"1"),
                PAUSE,
                max_response=10,
            )
            client = await self.running.client()
            client.request("POST", PATH, self.headers(), b"{}")
            self.assertEqual((await client.head()).status, 200)
            self.assertEqual(await client.read(10), chunk(b"12345"))
            self.upstream.release()
            self.assertEqual(await client.read(10), chunk(b"67890"))
            self.upstream.release()
            self.assertEqual((await client.read_to_end(), client.clean), (b"", False))
            await self.upstream.until(lambda: self.upstream.requests[-1].lost)

    async def test_all_of_it_at_once(self):
        """Chunks that come with their head, the last one among them."""
        whole = chunk(b"x" * 11) + b"0\r\n\r\n"
        self.start(response(200, b"", CHUNKED, length=False) + whole, max_response=10)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        self.assertNotIn(b"0\r\n\r\n", await client.read_to_end())
        self.assertFalse(client.clean)

    async def test_the_log_tells_which_rule(self):
        """And the metrics count it by the option."""
        records = []
        self.start(SSE, chunk(b"x" * 11), PAUSE, max_response=10)
        observers = self.running.server.site().regime.observers
        observers.append(lambda request: records.append(request.record))
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await client.read_to_end()
        (record,) = records
        self.assertEqual((record.outcome, record.rule), ("upstream_cut", "max_response"))
        self.assertEqual(record.reason, "the answer is over 10 bytes")


class UploadTests(IntegrationTestCase):
    async def test_the_upstream_sees_the_head_before_the_body_is_complete(self):
        """And each piece before the next is sent; by length and chunked."""
        for framing, frame, end in (
            ({"Content-Length": "9"}, lambda piece: piece, b""),
            ({"Transfer-Encoding": "chunked"}, chunk, b"0\r\n\r\n"),
        ):
            self.start(response(201, b"made"), **_ANY)
            client = await self.running.client()
            headers = {**self.headers(Content_Type="text/plain"), **framing}
            client.request("POST", PATH, headers)
            upstream, sent = self.upstream, b""
            await upstream.until(lambda upstream=upstream: upstream.requests)
            for piece in (b"one", b"two", b"six"):
                sent += piece
                client.send(frame(piece))
                await upstream.until(
                    lambda upstream=upstream, sent=sent: upstream.requests[0].body == sent
                )
            client.send(end)
            answer = await client.answer("POST")
            self.assertEqual((answer.status, answer.body), (201, b"made"))
            self.assertTrue(upstream.requests[0].complete)

    async def test_the_answer_may_come_before_the_body_is_complete(self):
        self.start(response(200, b"early"), eager=True, **_ANY)
        client = await self.running.client()
        client.request(
            "POST", PATH, {**self.headers(), "Content-Type": "a/b", "Content-Length": "9"}
        )
        self.assertEqual((await client.answer("POST")).body, b"early")

    async def test_expect_100_is_answered_when_the_body_is_wanted(self):
        self.start(response(200, b"ok"), **_ANY)
        client = await self.running.client()
        more = {"Content-Type": "a/b", "Content-Length": "4", "Expect": "100-continue"}
        client.request("POST", PATH, {**self.headers(), **more})
        self.assertEqual(await client.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"body")
        self.assertEqual((await client.answer("POST")).body, b"ok")

    async def test_no_100_for_a_body_that_is_refused(self):
        self.start()
        client = await self.running.client()
        more = {"Content-Type": "a/b", "Content-Length": "4", "Expect": "100-continue"}
        client.request("POST", PATH, {**self.headers(), **more})
        self.assertTrue((await client.read_until(b"\r\n")).startswith(b"HTTP/1.1 415"))

    async def test_an_upload_that_breaks_off_is_not_a_complete_request(self):
        for framing in ({"Content-Length": "9"}, {"Transfer-Encoding": "chunked"}):
            self.start(response(200, b"ok"), **_ANY)
            client = await self.running.client()
            client.request("POST", PATH, {**self.headers(Content_Type="a/b"), **framing})
            client.send(b"3\r\none\r\n")
            upstream = self.upstream
            await upstream.until(lambda upstream=upstream: upstream.requests)
            client.abort()
            await upstream.until(lambda upstream=upstream: upstream.requests[0].lost)
            self.assertFalse(upstream.requests[0].complete)


class LeavingTests(IntegrationTestCase):
    """A browser that leaves ends the upstream's work within a second, in every phase."""

    async def _upstream_ends(self):
        gone = self.upstream.until(lambda: self.upstream.requests[0].lost)
        await gone.addTimeout(1.0, reactor)

    async def _leaves(self, client, how):
        if how == "reset":
            client.abort()
        elif how == "close":
            client.transport.loseConnection()
        else:
            client.half_close()

    async def test_while_uploading(self):
        for how in ("reset", "close", "half"):
            self.start(response(200, b"ok"), **_ANY)
            client = await self.running.client()
            more = {"Content-Type": "a/b", "Content-Length": "1000000"}
            client.request("POST", PATH, {**self.headers(), **more})
            client.send(JUNK)
            await self.upstream.until(lambda: self.upstream.requests)
            await self._leaves(client, how)
            await self._upstream_ends()

    async def test_while_the_upstream_takes_nothing(self):
        """Reading from the browser has stopped then, and with it Twisted's sense of a close."""
        for how in ("reset", "close"):
            self.start(response(200, b"ok"), **_ANY)
            sock = socket.create_connection(("127.0.0.1", self.running.port))
            self.addCleanup(sock.close)
            more = {"Content-Type": "a/b", "Content-Length": "64000000"}
            sock.sendall(request_bytes("POST", PATH, {**self.headers(), **more}))
            sock.setblocking(False)
            await self.upstream.until(lambda: self.upstream.requests)
            self.upstream.read(False)
            (channel,) = self.running.server.site().open
            # Piece by piece: a FIN that is stuck behind full buffers can be seen by nobody.
            while channel._reading:
                sock.send(JUNK[:16384])
                await deferLater(reactor, 0)
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            await until(lambda: not self.running.server.site().open, 1.5)
            self.upstream.read(True)
            await self._upstream_ends()

    async def test_before_the_head(self):
        for junk in (b"", JUNK):
            for how in ("reset", "close", "half"):
                self.start(PAUSE)
                client = await self.running.client()
                client.request("POST", PATH, self.headers(), b"{}")
                client.send(junk)
                await self.upstream.until(lambda: self.upstream.requests)
                await self._leaves(client, how)
                await self._upstream_ends()

    async def test_mid_body(self):
        for junk in (b"", JUNK):
            for how in ("reset", "close", "half"):
                self.start(SSE, chunk(b"one"), PAUSE)
                client = await self.running.client()
                client.request("POST", PATH, self.headers(), b"{}")
                client.send(junk)
                await client.until(lambda client=client: b"one" in client.buffer)
                await self._leaves(client, how)
                await self._upstream_ends()

    async def test_junk_alone_does_not_grow_without_bound(self):
        """A browser that pipelines more than may wait is cut off, and the upstream with it."""
        self.start(PAUSE)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await self.upstream.until(lambda: self.upstream.requests)
        client.send(JUNK * 4)
        await self._upstream_ends()
        await client.until(lambda: client.closed)
