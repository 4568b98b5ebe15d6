"""The scripted upstream does what its script says and nothing else."""

from twisted.trial.unittest import TestCase

from naap_twisted.testing import ABORT, CLOSE, PAUSE, RawClient, ScriptedUpstream, request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ScriptedUpstreamTests(TestCase):
    timeout = 10

    async def _meet(self, *steps, **options):
        upstream = ScriptedUpstream(self, *steps, **options)
        return upstream, await RawClient.connect(self, upstream.port)

    async def test_records_the_raw_bytes_of_each_request(self):
        """Pipelined requests are told apart by their framing; no byte is lost or counted twice."""
        upstream, client = await self._meet(OK)
        first = request_bytes("POST", "/one", {"A": "1"}, b"hello")
        second = request_bytes("GET", "/two")
        client.send(first + second)
        await client.answer()
        await client.answer()
        self.assertEqual([each.raw for each in upstream.requests], [first, second])
        self.assertEqual(upstream.requests[0].body, b"hello")
        self.assertEqual(upstream.requests[0].line, b"POST /one HTTP/1.1")
        self.assertEqual(upstream.requests[0].values("a"), [b"1"])
        self.assertEqual(upstream.connections, 1)

    async def test_answers_after_the_whole_request_unless_eager(self):
        upstream, client = await self._meet(OK)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
        await upstream.until(lambda: upstream.requests and upstream.requests[0].body == b"hel")
        self.assertFalse(upstream.requests[0].complete)
        client.send(b"lo")
        await client.answer()
        self.assertTrue(upstream.requests[0].complete)

    async def test_eager_answers_at_the_end_of_the_head(self):
        upstream, client = await self._meet(OK, eager=True)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual((await client.answer()).body, b"ok")
        self.assertFalse(upstream.requests[0].complete)

    async def test_chunked_bodies_are_decoded_and_kept_raw(self):
        upstream, client = await self._meet(OK)
        raw = (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        )
        client.send(raw)
        await client.answer()
        self.assertEqual((upstream.requests[0].body, upstream.requests[0].raw), (b"hi", raw))

    async def test_pauses_until_it_is_released(self):
        upstream, client = await self._meet(b"one", PAUSE, b"two", CLOSE)
        client.request("GET", "/")
        self.assertEqual(await client.read(3), b"one")
        self.assertFalse(client.closed)
        upstream.release()
        self.assertEqual(await client.read_to_end(), b"two")
        self.assertTrue(client.clean)

    async def test_aborts(self):
        _, client = await self._meet(ABORT)
        client.request("GET", "/")
        await client.read_to_end()
        self.assertFalse(client.clean)

    async def test_notes_when_the_peer_is_gone(self):
        upstream, client = await self._meet(PAUSE)
        client.request("GET", "/")
        await upstream.until(lambda: upstream.requests)
        self.assertFalse(upstream.requests[0].lost)
        client.abort()
        await upstream.until(lambda: upstream.requests[0].lost)

    async def test_reads_nothing_until_it_may(self):
        upstream, client = await self._meet(OK)
        await upstream.until(lambda: upstream.connections)
        upstream.read(False)
        client.request("GET", "/")
        other = await RawClient.connect(self, upstream.port)
        other.request("GET", "/other")
        await other.answer()
        self.assertEqual([each.line for each in upstream.requests], [b"GET /other HTTP/1.1"])
        upstream.read(True)
        self.assertEqual((await client.answer()).body, b"ok")
