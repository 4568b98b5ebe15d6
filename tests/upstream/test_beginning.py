"""The beginning of a body, and no body at all."""

import gzip

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from naap_twisted.framing.codings import Inflater, Unreadable
from naap_twisted.upstream.beginning import Beginning, discard
from tests.route.test_relay import Response


class Beginnings(SynchronousTestCase):
    def begin(self, most, inflater=None):
        self.response = Response()
        taker = Beginning(most, inflater)
        self.response.deliverBody(taker)
        return taker

    def test_whole(self):
        """A body within the bound is told from one that was cut."""
        for end, complete in ((ResponseDone(), True), (ConnectionLost(), False)):
            taker = self.begin(5)
            taker.dataReceived(b"ab")
            taker.dataReceived(b"cd")
            self.response.end(end)
            self.assertEqual(self.successResultOf(taker.done), b"abcd")
            self.assertEqual(taker.complete, complete)

    def test_too_long(self):
        """No more is waited for, nor kept."""
        taker = self.begin(5)
        taker.dataReceived(b"abcdefg")
        self.assertEqual(self.successResultOf(taker.done), b"abcde")
        self.assertEqual(self.response.said, ["lose"])
        taker.dataReceived(b"late")
        self.assertFalse(taker.complete)

    def test_inflated(self):
        """The bound counts bytes without the coding, and no more of a bomb is inflated."""
        for size in (1, 1000):
            taker = self.begin(5, Inflater(b"gzip"))
            body = gzip.compress(b"abcde" + bytes(10_000_000))[:2000]
            for at in range(0, len(body), size):
                taker.dataReceived(body[at : at + size])
            self.assertEqual(self.successResultOf(taker.done), b"abcde")

    def test_unreadable(self):
        """Told as such, and the rest is not waited for."""
        taker = self.begin(5, Inflater(b"gzip"))
        taker.dataReceived(b"evil")
        self.failureResultOf(taker.done, Unreadable)
        self.assertEqual(self.response.said, ["lose"])
        taker.dataReceived(b"more")
        self.response.end(ConnectionLost())

    def test_late(self):
        """What has come by then is given; nothing is cut that ended before, and no timer stays."""
        for wait, given, said in ((3, b"ab", ["lose"]), (1, b"abcd", [])):
            clock, taker = Clock(), self.begin(5)
            done = taker.within(2.0, clock)
            taker.dataReceived(b"ab")
            clock.advance(wait)
            taker.dataReceived(b"cd")
            self.response.end(ResponseDone())
            self.assertEqual(self.successResultOf(done), given)
            self.assertEqual((self.response.said, taker.complete), (said, given == b"abcd"))
            self.assertEqual(clock.getDelayedCalls(), [])

    def test_here_already(self):
        """Nothing is waited for."""
        clock, taker = Clock(), self.begin(2)
        taker.dataReceived(b"abc")
        self.assertEqual(self.successResultOf(taker.within(2.0, clock)), b"ab")
        self.assertEqual(clock.getDelayedCalls(), [])


class Discarded(SynchronousTestCase):
    def test_discard(self):
        """The exchange ends; what still comes goes nowhere."""
        response = Response()
        discard(response)
        self.assertEqual(response.said, ["lose"])
        response.body.dataReceived(b"late")
