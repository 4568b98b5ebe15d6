"""A request's bytes on an upstream connection."""

from twisted.web.iweb import UNKNOWN_LENGTH

from naap_twisted.errors import InternalError, UpstreamCut

from .support import LENGTH, Case, Producer, Upstream, outbound


class Sending(Case):
    def test_bytes(self):
        """Head and body in one write."""
        self.up.exchange(outbound(b"POST", body=b"abc"))
        wire = self.up.transport.value()
        self.assertTrue(wire.endswith(b"Content-Length: 3\r\n\r\nabc"), wire)

    def test_streamed(self):
        """A producer of unknown length is chunked; one of known length is not."""
        for length, expected in (
            (UNKNOWN_LENGTH, b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
            (3, b"Content-Length: 3\r\n\r\nabc"),
        ):
            self.up = up = Upstream()
            producer = Producer(length)
            up.exchange(outbound(b"POST", body=producer))
            for piece in (b"ab", b"", b"c"):
                producer.consumer.write(piece)
            producer.done.callback(None)
            self.assertTrue(up.transport.value().endswith(expected))
            up.reply(LENGTH)
            self.assertReleased()

    def test_back_pressure(self):
        """The transport pauses the producer itself."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        self.assertIs(self.up.transport.producer, producer)
        self.assertTrue(self.up.transport.streaming)
        producer.done.callback(None)
        self.assertIsNone(self.up.transport.producer)

    def test_early_answer(self):
        """An answer before the body is out is delivered whole; then both end, unpooled."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        producer.consumer.write(b"ab")
        self.up.reply(LENGTH)
        self.assertTrue(self.up.body.complete)
        self.assertIn("stop", producer.calls)
        self.assertClosed()

    def test_failing_body(self):
        """The body's own failure passes through unchanged; no end is ever written."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        producer.consumer.write(b"ab")
        producer.done.errback(ValueError("gone"))
        self.failureResultOf(self.up.answer, ValueError)
        self.assertFalse(self.up.transport.value().endswith(b"0\r\n\r\n"))
        self.assertClosed()

    def test_refused_early(self):
        """An error before the body is out: no more of it is asked for, and the error is read."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        producer.consumer.write(b"ab")
        sent = self.up.transport.value()
        self.up.reply(b"HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\n", b"hel")
        self.assertIn("stop", producer.calls)
        producer.consumer.write(b"cd")
        self.assertEqual(self.up.transport.value(), sent)
        self.up.reply(b"lo")
        self.assertTrue(self.up.body.complete)
        self.assertClosed()

    def test_not_as_long_as_it_says(self):
        """The surplus of a long body is never written; a short one ends the connection."""
        for pieces in ((b"ab",), (b"ab", b"cd"), (b"abcd",)):
            self.up = up = Upstream()
            producer = Producer(3)
            up.exchange(outbound(b"POST", body=producer))
            for piece in pieces:
                producer.consumer.write(piece)
            producer.done.callback(None)
            self.failureResultOf(up.answer, InternalError)
            self.assertTrue(up.transport.value().endswith((b"\r\n\r\nab", b"\r\n\r\n")))
            self.assertClosed()

    def test_a_piece_after_the_end(self):
        """What a producer writes after its end is not in the next request's body."""
        first, second = Producer(3), Producer(3)
        self.up.exchange(outbound(b"POST", body=first))
        first.consumer.write(b"abc")
        first.done.callback(None)
        self.up.reply(LENGTH)
        self.up.exchange(outbound(b"POST", body=second))
        first.consumer.write(b"xyz")
        second.consumer.write(b"abc")
        self.assertNotIn(b"xyz", self.up.transport.value())
        self.assertTrue(self.up.transport.value().endswith(b"abc"))

    def test_failing_body_after_the_head(self):
        """After the head it cuts the answer."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        self.up.reply(LENGTH[:-2])
        producer.done.errback(ValueError("gone"))
        self.assertIs(self.up.body.ended, UpstreamCut)
        self.assertClosed()
