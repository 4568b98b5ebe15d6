"""Who takes a body: flow control and endings where its coding is undone on the way."""

import gzip

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from naap_twisted.errors import UpstreamCut
from naap_twisted.framing.codings import Inflater
from naap_twisted.route.passage import Passage
from naap_twisted.route.scrub import Guard, Scrubber
from naap_twisted.secret import Secret
from tests.route.test_relay import Browser, Response

SLICE = 64 * 1024
LONG = b"".join(b"%d," % number for number in range(100_000))


class SlowBrowser(Browser):
    """It asks for a pause after every piece."""

    def write(self, data):
        super().write(data)
        if self.producer is not None:
            self.producer.pauseProducing()


class Inflating(SynchronousTestCase):
    def begin(self, browser=None, scrubber=None):
        self.browser = browser or Browser()
        self.response = Response()
        passage = Passage(self.browser, [scrubber] if scrubber else [], None, Inflater(b"gzip"))
        self.response.deliverBody(passage)
        return passage.done

    @property
    def written(self):
        return b"".join(self.browser.written)

    def test_whole(self):
        """Inflated and redacted as it comes."""
        key = b"sk-0123456789"
        done = self.begin(scrubber=Scrubber(Guard([], Secret(key))))
        packed = gzip.compress(b"<" + key + b">" + LONG)
        for at in range(0, len(packed), 1000):
            self.response.body.dataReceived(packed[at : at + 1000])
        self.assertNoResult(done)
        self.response.end(ResponseDone())
        self.successResultOf(done)
        self.assertEqual(self.written, b"<[redacted]>" + LONG)
        self.assertEqual(self.browser.finished, 1)
        self.assertIsNone(self.browser.producer)

    def test_slices(self):
        """A browser that does not read gets one slice of it; the rest stays small."""
        done = self.begin(SlowBrowser())
        producer = self.browser.producer
        self.response.body.dataReceived(gzip.compress(LONG))
        self.assertEqual(self.written, LONG[:SLICE])
        producer.resumeProducing()
        self.assertEqual(self.written, LONG[: 2 * SLICE])
        self.assertNotIn("resume", self.response.said)
        # All of it is here; what is not read yet still goes out.
        self.response.end(ResponseDone())
        self.assertNoResult(done)
        for _ in range(20):
            if not self.browser.finished:
                producer.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(self.written, LONG)
        self.assertEqual(self.browser.finished, 1)

    def test_flow_control(self):
        """Where nothing waits here, the upstream is paused and resumed."""
        self.begin()
        self.browser.producer.pauseProducing()
        self.browser.producer.resumeProducing()
        self.assertEqual(self.response.said, ["pause", "resume"])

    def test_broken(self):
        """Where it breaks, the browser sees a reply that is cut, and the upstream is let go."""
        for body in (b"evil", gzip.compress(LONG) + b"evil", gzip.compress(bytes(10_000_000))):
            done = self.begin()
            self.response.body.dataReceived(body)
            self.assertEqual(self.response.said, ["lose"])
            self.assertTrue(self.browser.aborted)
            self.failureResultOf(done, UpstreamCut)
            self.response.body.dataReceived(b"late")
            self.response.end(ConnectionLost())
            self.assertEqual(self.browser.finished, 0)

    def test_cut(self):
        """A body that ends before its coding does, or with its connection, is cut."""
        for end in (ResponseDone(), ConnectionLost()):
            done = self.begin()
            self.response.body.dataReceived(gzip.compress(LONG)[:-1])
            self.response.end(end)
            self.assertTrue(self.browser.aborted)
            self.assertEqual(self.browser.record.outcome, "upstream_cut")
            self.failureResultOf(done, UpstreamCut)

    def test_cut_behind_a_slow_browser(self):
        """An upstream's connection that is lost meanwhile: what waits here is not waited for."""
        done = self.begin(SlowBrowser())
        self.response.body.dataReceived(gzip.compress(LONG))
        self.response.end(ConnectionLost())
        self.assertTrue(self.browser.aborted)
        self.failureResultOf(done, UpstreamCut)

    def test_browser_leaves(self):
        """In the middle of what waits here."""
        done = self.begin(SlowBrowser())
        self.response.body.dataReceived(gzip.compress(LONG))
        self.browser.producer.stopProducing()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.response.end(ConnectionLost())
        self.assertFalse(self.browser.aborted)


class LongBodies(SynchronousTestCase):
    """``most``: what comes, and what comes out of a coding, are both held to it."""

    def begin(self, most, inflater=None):
        self.browser, self.response = Browser(), Response()
        passage = Passage(self.browser, [], None, inflater, most)
        self.response.deliverBody(passage)
        return passage.done

    def assert_cut(self, done):
        self.failureResultOf(done, UpstreamCut)
        self.assertTrue(self.browser.aborted)
        self.assertEqual(self.browser.finished, 0)
        self.assertEqual(self.browser.record.rule, "max_response")
        self.assertEqual(self.response.said[-1], "lose")

    def test_as_much_as_may_be(self):
        """The bound itself is no excess."""
        done = self.begin(10)
        for piece in (b"12345", b"67890"):
            self.response.body.dataReceived(piece)
        self.response.end(ResponseDone())
        self.successResultOf(done)

    def test_one_more(self):
        """What is past it goes nowhere, nor does what comes after."""
        done = self.begin(10)
        for piece in (b"12345", b"678901", b"2"):
            self.response.body.dataReceived(piece)
        self.response.end(ResponseDone())
        self.assert_cut(done)
        self.assertEqual(b"".join(self.browser.written), b"12345")

    def test_out_of_a_coding(self):
        """A small body that becomes a large one; at most one slice more is ever made of it."""
        done = self.begin(100_000, Inflater(b"gzip"))
        self.response.body.dataReceived(gzip.compress(LONG))
        self.assert_cut(done)
        self.assertLessEqual(sum(map(len, self.browser.written)), 100_000)
