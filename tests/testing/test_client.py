"""The raw client: what it sends is what it was given, what it reads is told apart exactly."""

from twisted.trial.unittest import TestCase

from naap_twisted.testing import ABORT, CLOSE, PAUSE, RawClient, ScriptedUpstream, request_bytes


class RequestBytesTests(TestCase):
    def test_table(self):
        """Host and Content-Length are added only where the caller gave none."""
        for arguments, expected in (
            (("GET", "/"), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (
                ("POST", "/a", {"host": "b"}, b"xy"),
                b"POST /a HTTP/1.1\r\nhost: b\r\nContent-Length: 2\r\n\r\nxy",
            ),
            (
                ("POST", "/", [("Host", "a"), ("Content-Length", "9")], b"xy"),
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nxy",
            ),
            (
                ("POST", "/", [("X", "1"), ("X", "2")], b""),
                b"POST / HTTP/1.1\r\nHost: localhost\r\nX: 1\r\nX: 2\r\nContent-Length: 0\r\n\r\n",
            ),
        ):
            self.assertEqual(request_bytes(*arguments), expected)


class RawClientTests(TestCase):
    timeout = 10

    async def _after(self, *steps):
        upstream = ScriptedUpstream(self, *steps)
        client = await RawClient.connect(self, upstream.port)
        client.request("GET", "/")
        return client

    async def test_reads_by_count_delimiter_and_to_the_end(self):
        client = await self._after(b"abcdef;rest", CLOSE)
        self.assertEqual(await client.read(2), b"ab")
        self.assertEqual(await client.read_until(b";"), b"cdef;")
        self.assertEqual(await client.read_to_end(), b"rest")

    async def test_reading_past_the_end_gives_what_there_is(self):
        client = await self._after(b"abc", CLOSE)
        self.assertEqual(await client.read(10), b"abc")
        self.assertEqual(await client.read_until(b";"), b"")

    async def test_whole_answers(self):
        """By length, chunked and until the close; interim answers are passed over."""
        for framed in (
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\nbody\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nbody",
        ):
            answer = await (await self._after(framed, CLOSE)).answer()
            self.assertEqual((answer.status, answer.body, answer.complete), (200, b"body", True))
            self.assertEqual(answer.header("x-a"), "1")

    async def test_an_answer_that_breaks_off_is_incomplete(self):
        for framed in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
        ):
            answer = await (await self._after(framed, CLOSE)).answer()
            self.assertEqual((answer.body, answer.complete), (b"body", False))

    async def test_a_reset_ends_no_body(self):
        """Not even one that only a close ends."""
        upstream = ScriptedUpstream(self, b"HTTP/1.1 200 OK\r\n\r\n", PAUSE, ABORT)
        client = await RawClient.connect(self, upstream.port)
        client.request("GET", "/")
        await client.until(lambda: client.buffer.endswith(b"\r\n\r\n"))
        upstream.release()
        self.assertFalse((await client.answer()).complete)

    async def test_no_answer_at_all(self):
        with self.assertRaises(EOFError):
            await (await self._after(b"HTTP/1.1 200", CLOSE)).answer()

    async def test_half_close_goes_on_reading(self):
        upstream = ScriptedUpstream(self, b"late", CLOSE)
        client = await RawClient.connect(self, upstream.port)
        client.request("GET", "/")
        client.half_close()
        self.assertEqual(await client.read_to_end(), b"late")
