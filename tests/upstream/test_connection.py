"""One upstream connection: how an answer ends, and how it must not seem to.

(More than 300 lines. One test module mirrors one module: this one has every ending of an answer.)
"""

from attrs import evolve
from twisted.internet.defer import CancelledError

from naap_twisted.errors import BadGateway, UpstreamCut, UpstreamTimeout
from naap_twisted.model import Timeouts
from naap_twisted.upstream.connection import StaleConnection

from .support import LENGTH, TIMEOUTS, Body, Case, Producer, Upstream, outbound

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: 1\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class CompleteAnswers(Case):
    def test_in_any_pieces(self):
        """A complete answer is delivered, told complete once, and the connection kept."""
        for wire in (LENGTH, CHUNKED):
            for step in (1, 7, len(wire)):
                self.up = up = Upstream()
                up.exchange()
                up.reply(*(wire[at : at + step] for at in range(0, len(wire), step)))
                self.assertEqual(self.successResultOf(up.answer).code, 200)
                self.assertEqual((up.body.data, up.body.complete), (b"hello", True))
                self.assertReleased()

    def test_until_close(self):
        """A close ends what has no length, but only a clean one (RFC 9112 section 8)."""
        for clean in (True, False):
            up = Upstream()
            up.exchange()
            up.reply(UNTIL_CLOSE)
            self.assertIsNone(up.body.ended)
            up.close(clean)
            self.assertEqual(up.body.data, b"hello")
            self.assertEqual(up.body.complete, clean)
            self.assertEqual(up.keeper.released_ones, [])

    def test_without_body(self):
        """HEAD, 204, 304 and length 0 are complete at the end of the head."""
        for method, wire in [
            (b"GET", EMPTY),
            (b"GET", b"HTTP/1.1 204 No\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ]:
            self.up = up = Upstream()
            up.exchange(outbound(method))
            up.reply(wire)
            self.successResultOf(up.answer)
            self.assertTrue(up.body.complete)
            self.assertReleased()

    def test_whole(self):
        """An answer that came in one piece is over, and its connection free, when it is told."""
        seen = []
        self.up.exchange(deliver=False)
        self.up.answer.addCallback(
            lambda response: seen.append(
                (response.complete_body, list(self.up.keeper.released_ones))
            )
        )
        self.up.reply(LENGTH)
        self.assertEqual(seen, [(b"hello", [self.up.connection])])
        self.assertNothingLeft()

    def test_whole_is_delivered_as_any_other(self):
        """Whoever asks for the body later gets it, and its end."""
        self.up.exchange(deliver=False)
        self.up.reply(LENGTH)
        body = Body()
        self.successResultOf(self.up.answer).deliverBody(body)
        self.assertEqual((body.data, body.complete), (b"hello", True))

    def test_close_asked(self):
        """``Connection: close`` and HTTP/1.0 are complete and not reused."""
        for line in (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"):
            self.up = up = Upstream()
            up.exchange()
            up.reply(line + b"Content-Length: 5\r\n\r\nhello")
            self.assertTrue(up.body.complete)
            self.assertClosed()

    def test_surplus(self):
        """A byte behind the answer closes the connection; what was complete stays so."""
        for wire in (LENGTH, CHUNKED, EMPTY):
            self.up = up = Upstream()
            up.exchange()
            up.reply(wire + b"H")
            self.assertTrue(up.body.complete)
            self.assertClosed()

    def test_reused(self):
        """The next exchange on it stands alone."""
        up = self.up
        for _ in range(3):
            up.exchange()
            up.reply(LENGTH)
            self.assertTrue(up.body.complete)
        self.assertReleased(3)
        self.assertTrue(up.connection.reused)

    def test_bytes_without_a_request(self):
        """An idle connection that speaks is closed."""
        self.up.exchange()
        self.up.reply(LENGTH)
        self.up.keeper.released_ones.clear()
        self.up.reply(b"HTTP/1.1 200 OK\r\n")
        self.assertClosed()

    def test_interim(self):
        """A few 1xx are passed over (RFC 9110 section 15.2)."""
        self.up.exchange()
        self.up.reply(
            b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + LENGTH
        )
        self.assertEqual(self.successResultOf(self.up.answer).code, 200)
        self.assertTrue(self.up.body.complete)

    def test_many_interim(self):
        """A 102 a second while a document is converted, and then the answer."""
        self.up.exchange()
        self.up.reply(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 100, LENGTH)
        self.assertTrue(self.up.body.complete)
        self.assertReleased(1)
        self.up.exchange()  # the count is each exchange's own
        self.up.reply(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 100, LENGTH)
        self.assertTrue(self.up.body.complete)

    def test_odd_is_the_last(self):
        """An answer that is not quite HTTP is read, and its connection is not reused."""
        for wire, body in (
            (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
            (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
            (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", b""),
            (b"HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
            (b"HTTP/1.1 102 P\r\nContent-Length: 2\r\n\r\n" + LENGTH, b"hello"),
            (CHUNKED.replace(b"3\r\nhel", b"3 \r\nhel"), b"hello"),
            (CHUNKED.replace(b"\r\n0\r\n", b"\r\n0\t\r\n"), b"hello"),
        ):
            self.up = up = Upstream()
            up.exchange()
            up.reply(wire)
            self.assertTrue(up.body.complete, wire)
            self.assertEqual(up.body.data, body)
            self.assertClosed()


class Unfit(Case):
    """What may not take a request does not."""

    def test_busy_or_closed(self):
        """A request on anything but an idle connection is refused, and nothing is written."""
        self.up.exchange()
        sent = self.up.transport.value()
        self.failureResultOf(self.up.connection.exchange(outbound(), float("inf")), BadGateway)
        self.up.close()
        self.failureResultOf(self.up.answer, BadGateway)
        self.failureResultOf(self.up.connection.exchange(outbound(), float("inf")), BadGateway)
        self.assertEqual(self.up.transport.value(), sent)

    def test_usable(self):
        """An idle connection is; one that has a request, or has closed, is not, and is closed."""
        self.assertTrue(self.up.connection.usable())
        self.up.exchange()
        self.assertFalse(self.up.connection.usable())
        self.assertTrue(self.up.aborted)
        self.assertFalse(self.up.connection.usable())


class BrokenAnswers(Case):
    def test_cut_at_every_byte(self):
        """Cut anywhere: BadGateway before the head, UpstreamCut after it, never complete."""
        for wire in (LENGTH, CHUNKED):
            head = wire.index(b"\r\n\r\n") + 4
            for clean in (True, False):
                for stop in range(len(wire)):
                    self.up = up = Upstream()
                    up.exchange()
                    up.reply(wire[:stop])
                    up.close(clean)
                    if stop < head:
                        self.failureResultOf(up.answer, BadGateway)
                        self.assertIsNone(up.body.ended)
                    else:
                        self.successResultOf(up.answer)
                        self.assertIs(up.body.ended, UpstreamCut)
                    self.assertNothingLeft()
                    self.assertEqual(up.keeper.released_ones, [])

    def test_bad_heads(self):
        """What is no answer is a bad gateway, at once."""
        for wire in (
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 1000 X\r\n\r\n",
            b"220 mail.example ESMTP\r\n",
            b"HTTP/1.1 200 OK\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\rX",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 101,
            (b"HTTP/1.1 103 Hints\r\nLink: " + b"a" * 60_000 + b"\r\n\r\n") * 5,
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
            b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 201 + b"\r\n",
        ):
            self.up = up = Upstream()
            up.exchange()
            up.reply(wire)
            self.failureResultOf(up.answer, BadGateway)
            self.assertClosed()

    def test_bad_body(self):
        """Broken framing after the head is a cut."""
        self.up.exchange()
        self.up.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
        self.assertIs(self.up.body.ended, UpstreamCut)
        self.assertClosed()

    def test_stale(self):
        """Only a reused connection that closed before a byte may have missed the request."""
        up = self.up
        up.exchange()
        up.close()
        self.assertIs(self.failureResultOf(up.answer).type, BadGateway)
        for said, kind in ((b"", StaleConnection), (b"H", BadGateway)):
            up = Upstream()
            up.exchange()
            up.reply(LENGTH)
            up.exchange()
            up.reply(*([said] if said else []))
            up.close()
            self.assertIs(self.failureResultOf(up.answer).type, kind)


class Flow(Case):
    def test_nobody_takes_it(self):
        """Until the body is taken, and while its taker pauses, the upstream is not read."""
        up = self.up
        answer = up.connection.exchange(outbound(), float("inf"))
        up.reply(LENGTH[:-5])
        self.assertEqual(up.transport.producerState, "paused")
        response, body = self.successResultOf(answer), Body()
        response.deliverBody(body)
        self.assertEqual(up.transport.producerState, "producing")
        response.pauseProducing()
        self.assertEqual(up.transport.producerState, "paused")
        response.resumeProducing()
        up.reply(b"hello")
        self.assertTrue(body.complete)
        self.assertReleased()

    def test_released_reading(self):
        """A connection goes back to the pool listening: a close must be noticed."""
        up = self.up
        answer = up.connection.exchange(outbound(), float("inf"))
        up.reply(LENGTH)
        self.assertEqual(up.transport.producerState, "producing")
        body = Body()
        self.successResultOf(answer).deliverBody(body)
        self.assertEqual((body.data, body.complete), (b"hello", True))


class Deadlines(Case):
    def fails_at(self, seconds):
        self.up.later(seconds - 0.5)
        self.assertFalse(self.up.aborted)
        self.up.later(1)
        self.assertClosed()

    def test_head(self):
        """Counted from the request's last byte, not pushed by a trickle or 1xx."""
        self.up.exchange()
        self.up.later(6)
        self.up.reply(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200")
        self.fails_at(TIMEOUTS.head - 6)
        failure = self.failureResultOf(self.up.answer, UpstreamTimeout)
        self.assertTrue(failure.value.reason.startswith("timeout "), failure.value.reason)

    def test_idle(self):
        """Counted from the last piece of the body."""
        self.up.exchange()
        self.up.reply(LENGTH[:-4])
        self.up.later(TIMEOUTS.idle - 2)
        self.up.reply(LENGTH[-4:-2])
        self.fails_at(TIMEOUTS.idle)
        self.assertIs(self.up.body.ended, UpstreamCut)

    def test_idle_does_not_run_while_paused(self):
        """The browser's slowness is not the upstream's."""
        self.up.exchange()
        self.up.reply(LENGTH[:-4])
        response = self.successResultOf(self.up.answer)
        response.pauseProducing()
        self.up.later(100)
        self.assertFalse(self.up.aborted)
        response.resumeProducing()
        self.fails_at(TIMEOUTS.idle)

    def test_request_body(self):
        """A body that stops coming is idle too, and the reason names that option."""
        self.up.exchange(outbound(b"POST", body=Producer()))
        self.fails_at(TIMEOUTS.idle)
        failure = self.failureResultOf(self.up.answer, UpstreamTimeout)
        self.assertTrue(failure.value.reason.startswith("idle_timeout "), failure.value.reason)

    def test_total(self):
        """The whole exchange has an end, in every phase and while paused."""
        for replied in (b"", LENGTH[:-1]):
            self.up = Upstream()
            request = outbound(timeouts=Timeouts(head=50.0, idle=50.0, total=7.0))
            self.up.exchange(request, self.up.ticker.now() + 7.0)
            if replied:
                self.up.reply(replied)
                self.successResultOf(self.up.answer).pauseProducing()
            self.fails_at(7)
            if not replied:
                failure = self.failureResultOf(self.up.answer, UpstreamTimeout)
                self.assertEqual(failure.value.reason, "total_timeout passed")

    def test_given_more_time(self):
        """Whoever still waits for the answer may give it more time, and is told what has passed."""
        asked, more = [], [20.0, 5.0, 0.0]
        request = evolve(
            outbound(timeouts=Timeouts(head=10.0, idle=10.0, total=10.0)),
            late=lambda reason: asked.append(reason) or more.pop(0),
        )
        self.up.exchange(request, self.up.ticker.now() + 10.0)
        self.up.later(10.5)
        self.assertNoResult(self.up.answer)
        self.up.reply(LENGTH[:-4])
        self.up.later(10.5)
        self.up.later(4)
        self.assertFalse(self.up.aborted)
        self.up.later(2)
        self.assertClosed()
        self.assertEqual(
            [reason.split()[0] for reason in asked],
            ["total_timeout", "idle_timeout", "total_timeout"],
        )

    def test_pooled(self):
        """An idle connection closes by itself."""
        self.up.exchange()
        self.up.reply(LENGTH)
        self.up.keeper.released_ones.clear()
        self.up.connection.wait_idle(4.0)
        self.fails_at(4)


class Cancel(Case):
    def test_before_the_head(self):
        """Cancelling the answer resets the connection."""
        self.up.exchange()
        self.up.answer.cancel()
        self.failureResultOf(self.up.answer, CancelledError)
        self.assertClosed()
        self.up.close(clean=False)
        self.assertEqual(self.up.keeper.lost_ones, [self.up.connection])

    def test_after_the_head(self):
        """So does the taker's abort, and it never looks complete."""
        self.up.exchange()
        self.up.reply(LENGTH[:-2])
        self.successResultOf(self.up.answer).abortConnection()
        self.assertClosed()
        self.up.close()
        self.assertIs(self.up.body.ended, UpstreamCut)

    def test_with_a_request_body(self):
        """The producer is stopped as well."""
        producer = Producer()
        self.up.exchange(outbound(b"POST", body=producer))
        self.up.answer.cancel()
        self.up.close(clean=False)
        self.failureResultOf(self.up.answer, CancelledError)
        self.assertIn("stop", producer.calls)

    def test_before_it_is_up(self):
        """Waiting for a handshake can be cancelled; a close in it is a bad gateway."""
        self.assertIs(self.successResultOf(self.up.connection.ready), self.up.connection)
