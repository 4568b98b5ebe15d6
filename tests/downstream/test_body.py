"""A request body as a stream: delivered when asked for, once, and never completed by accident."""

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from naap_twisted.downstream.body import UNCOUNTED, BrowserGone, RequestBody, StreamedBody
from naap_twisted.downstream.held import HeldBytes, Hold
from naap_twisted.errors import BodyTooLarge, Unavailable

from .support import Sink


class Tap:
    """The channel's handle on reading, as a list of what was asked of it."""

    def __init__(self, most=1000):
        self.asked = []
        self.account = HeldBytes(most, most)

    def want_body(self, body):
        self.asked.append("want")

    def pause_body(self, body):
        self.asked.append("pause")

    def open_hold(self):
        return Hold(self.account, "a")


class Delivery(SynchronousTestCase):
    def setUp(self):
        self.tap, self.sink = Tap(), Sink()
        self.body = RequestBody(self.tap, 6)

    def test_nothing_announced(self):
        """A body of length 0 is complete before a byte came, and ends when started."""
        body = RequestBody(self.tap, 0)
        self.assertTrue(body.complete)
        body.start(self.sink)
        self.assertEqual((self.sink.data, self.sink.ended, self.tap.asked), (b"", 1, []))

    def test_waits_for_its_reader(self):
        """What comes early is held and reading stops; starting delivers it and reads on."""
        self.body.feed(b"abc")
        self.assertEqual(self.tap.asked, ["pause"])
        self.body.start(self.sink)
        self.assertEqual((self.sink.data, self.tap.asked), (b"abc", ["pause", "want"]))
        self.body.feed(b"def")
        self.body.end()
        self.assertEqual((self.sink.data, self.sink.ended), (b"abcdef", 1))
        self.assertEqual((self.body.received, self.body.complete), (6, True))

    def test_paused(self):
        """A paused reader gets neither bytes nor the end."""
        self.body.start(self.sink)
        self.body.pause()
        self.body.feed(b"abcdef")
        self.body.end()
        self.assertEqual((self.sink.data, self.sink.ended), (b"", 0))
        for _ in range(2):
            self.body.resume()
            self.assertEqual((self.sink.data, self.sink.ended), (b"abcdef", 1))

    def test_paused_while_delivering(self):
        """A reader may pause at any piece."""
        for piece in (b"ab", b"cd", b"ef"):
            self.body.feed(piece)
        self.body.end()
        deliver = self.sink.dataReceived

        def one_and_pause(data):
            deliver(data)
            self.body.pause()

        self.sink.dataReceived = one_and_pause
        self.body.start(self.sink)
        self.assertEqual((self.sink.data, self.sink.ended), (b"ab", 0))
        self.body.resume()
        self.body.resume()
        self.assertEqual((self.sink.data, self.sink.ended), (b"abcdef", 0))
        self.body.resume()
        self.assertEqual(self.sink.ended, 1)

    def test_read_once(self):
        """A second reader is a mistake, not an empty body."""
        self.body.start(self.sink)
        self.assertRaises(RuntimeError, self.body.start, Sink())

    def test_failure(self):
        """A failure is told once, and the end never after it."""
        self.body.start(self.sink)
        error = BrowserGone()
        self.body.fail(error)
        self.body.fail(ValueError())
        self.body.end()
        self.assertIs(self.sink.error, error)
        self.assertEqual(self.sink.ended, 0)

    def test_failure_before_the_reader(self):
        """Who starts late is told too, and gets no piece that looks like progress to the end."""
        self.body.fail(BrowserGone())
        self.body.start(self.sink)
        self.assertIsInstance(self.sink.error, BrowserGone)

    def test_no_failure_after_the_end(self):
        """A browser that leaves after its body did not cut it."""
        self.body.feed(b"abcdef")
        self.body.end()
        self.body.fail(BrowserGone())
        self.body.start(self.sink)
        self.assertEqual((self.sink.data, self.sink.ended, self.sink.error), (b"abcdef", 1, None))

    def test_discarded(self):
        """Nobody is told of what is dropped."""
        self.body.start(self.sink)
        self.body.discard()
        self.body.feed(b"abcdef")
        self.body.end()
        self.assertEqual((self.sink.data, self.sink.ended), (b"", 0))


class Collect(SynchronousTestCase):
    def test_whole(self):
        """All bytes, when the last is in."""
        body = RequestBody(None, None)
        done = body.collect(6)
        body.feed(b"abc")
        self.assertNoResult(done)
        body.feed(b"def")
        body.end()
        self.assertEqual(self.successResultOf(done), b"abcdef")

    def test_declared_over_the_limit(self):
        """Refused at once, and not a byte is asked for."""
        tap = Tap()
        error = self.failureResultOf(RequestBody(tap, 7).collect(6), BodyTooLarge).value
        self.assertIn("6 bytes", error.message)
        self.assertEqual(tap.asked, [])

    def test_over_the_limit(self):
        """An undeclared length is refused at the first byte over."""
        body = RequestBody(None, None)
        done = body.collect(6)
        body.feed(b"abcdef")
        self.assertNoResult(done)
        body.feed(b"g")
        self.failureResultOf(done, BodyTooLarge)
        body.feed(b"more")
        body.end()

    def test_cut(self):
        """A cut body is a failure."""
        body = RequestBody(None, 6)
        done = body.collect(6)
        body.feed(b"abc")
        body.fail(BrowserGone())
        self.failureResultOf(done, BrowserGone)


class Held(SynchronousTestCase):
    """What a reader keeps is counted from its first byte to the end of the exchange."""

    def test_counted_as_it_comes(self):
        """An announcement takes no room; bytes do, until the exchange is over."""
        tap = Tap()
        body = RequestBody(tap, 6)
        done = body.collect(6)
        self.assertEqual(tap.account.total, 0)
        body.feed(b"abc")
        self.assertEqual(tap.account.total, 3)
        body.feed(b"def")
        body.end()
        self.assertEqual(self.successResultOf(done), b"abcdef")
        self.assertEqual(tap.account.total, 6)
        body.release()
        self.assertEqual(tap.account.total, 0)

    def test_no_room_for_what_is_announced(self):
        """Refused before a byte is asked for."""
        tap = Tap(most=10)
        Hold(tap.account, "b").take(5)
        self.failureResultOf(RequestBody(tap, 6).collect(6), Unavailable)
        self.assertEqual((tap.asked, tap.account.refused), ([], 1))

    def test_no_room_on_the_way(self):
        """What did not say how long it is is refused in the middle."""
        tap = Tap(most=10)
        Hold(tap.account, "b").take(5)
        body = RequestBody(tap, None)
        done = body.collect(100)
        body.feed(b"abcde")
        self.assertNoResult(done)
        body.feed(b"f")
        self.failureResultOf(done, Unavailable)
        body.feed(b"g")
        body.release()
        self.assertEqual(tap.account.total, 5)

    def test_nothing_after_the_end(self):
        """A handler that reads a body whose exchange is over can keep nothing of it."""
        tap = Tap()
        body = RequestBody(tap, 6)
        body.feed(b"abcdef")
        body.end()
        body.release()
        self.failureResultOf(body.collect(6), BrowserGone)
        self.assertEqual(tap.account.total, 0)

    def test_small_ones_are_not_counted(self):
        """A small body that is here already is no more than its connection costs."""
        for size, counted in ((UNCOUNTED, False), (UNCOUNTED + 1, True)):
            tap = Tap(most=100_000)
            body = RequestBody(tap, size)
            body.feed(b"a" * size)
            body.end()
            self.assertEqual(body.read_all(size), b"a" * size)
            self.assertEqual(tap.account.total, size if counted else 0)
            Hold(tap.account, "b").take(100_000 - tap.account.total)
            other = RequestBody(tap, None)
            other.feed(b"a" * size)
            other.end()
            if counted:
                self.assertRaises(Unavailable, other.read_all, size)
            else:
                self.assertEqual(len(other.read_all(size)), size)

    def test_streamed_ones_are_not_held(self):
        """What goes on as it comes takes no room."""
        tap = Tap()
        body = RequestBody(tap, 3)
        StreamedBody(body, 3).startProducing(StringTransport())
        body.feed(b"abc")
        self.assertEqual(tap.account.total, 0)


class Streamed(SynchronousTestCase):
    def setUp(self):
        self.consumer = StringTransport()
        self.tap = Tap()

    def test_lengths(self):
        """A declared length is passed on; a declared excess refused before anything is sent."""
        self.assertEqual(StreamedBody(RequestBody(None, 5), 5).length, 5)
        self.assertIs(StreamedBody(RequestBody(None, None), 5).length, UNKNOWN_LENGTH)
        self.assertRaises(BodyTooLarge, StreamedBody, RequestBody(None, 6), 5)

    def test_produces(self):
        """Pieces go to the consumer as they come; the end fires."""
        body = RequestBody(self.tap, None)
        done = StreamedBody(body, 100).startProducing(self.consumer)
        body.feed(b"ab")
        self.assertEqual(self.consumer.value(), b"ab")
        self.assertNoResult(done)
        body.end()
        self.assertIsNone(self.successResultOf(done))

    def test_back_pressure(self):
        """The consumer's pause reaches the browser's socket."""
        body = RequestBody(self.tap, None)
        stream = StreamedBody(body, 100)
        stream.startProducing(self.consumer)
        stream.pauseProducing()
        self.assertEqual(self.tap.asked, ["want", "pause"])
        body.feed(b"ab")
        self.assertEqual(self.consumer.value(), b"")
        stream.resumeProducing()
        self.assertEqual(self.consumer.value(), b"ab")
        self.assertEqual(self.tap.asked[-1], "want")

    def test_over_the_limit(self):
        """The excess is never sent, and the exchange fails."""
        body = RequestBody(None, None)
        done = StreamedBody(body, 3).startProducing(self.consumer)
        body.feed(b"abc")
        body.feed(b"d")
        self.failureResultOf(done, BodyTooLarge)
        body.end()
        self.assertEqual(self.consumer.value(), b"abc")

    def test_cut(self):
        """A browser that left fails it with that."""
        body = RequestBody(None, 5)
        done = StreamedBody(body, 5).startProducing(self.consumer)
        body.fail(BrowserGone())
        self.failureResultOf(done, BrowserGone)

    def test_stopped(self):
        """A consumer that is gone gets nothing more."""
        body = RequestBody(None, None)
        stream = StreamedBody(body, 5)
        stream.startProducing(self.consumer)
        stream.stopProducing()
        body.feed(b"abc")
        self.assertEqual(self.consumer.value(), b"")
