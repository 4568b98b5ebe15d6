"""A response whose body is still coming."""

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface.verify import verifyObject

from naap_twisted.errors import UpstreamCut
from naap_twisted.framing.head import CHUNKED, UNTIL_CLOSE, ResponseHead
from naap_twisted.upstream.response import UpstreamResponse

from .support import Body

FIELDS = [(b"link", b"1"), (b"content-type", b"a/b"), (b"link", b"2")]


class Response(SynchronousTestCase):
    def setUp(self):
        self.flow, self.aborts, self.body = [], [], Body()
        self.response = self.make(5)

    def make(self, announced):
        head = ResponseHead(status=201, fields=FIELDS, body_length=announced, keep_alive=True)
        return UpstreamResponse(head, self.flow.append, lambda: self.aborts.append(1))

    def test_interfaces(self):
        """It is what Twisted's and treq's users know."""
        verifyObject(IResponse, self.response)
        verifyObject(IPushProducer, self.response)
        self.assertRaises(NotImplementedError, self.response.setPreviousResponse, None)

    def test_head(self):
        """Status, fields in order, length where it is known."""
        self.assertEqual((self.response.code, self.response.length), (201, 5))
        self.assertEqual(self.response.headers.getRawHeaders(b"Link"), [b"1", b"2"])
        for announced in (CHUNKED, UNTIL_CLOSE):
            self.assertIs(self.make(announced).length, UNKNOWN_LENGTH)

    def test_early_bytes(self):
        """What came before the taker is delivered first, then reading goes on."""
        self.response.feed(b"ab")
        self.assertFalse(self.response.taken)
        self.response.deliverBody(self.body)
        self.assertEqual((self.body.data, self.flow), (b"ab", [True]))
        self.response.feed(b"c")
        self.response.end()
        self.assertEqual((self.body.data, self.body.complete), (b"abc", True))

    def test_ended_before_taken(self):
        """A body that is over already is delivered with its end, good or bad."""
        for end, complete in (((), True), ((Failure(UpstreamCut()),), False)):
            response, body = self.make(5), Body()
            response.feed(b"ab")
            response.end(*end)
            response.deliverBody(body)
            self.assertEqual((body.data, body.complete), (b"ab", complete))
        self.assertEqual(self.flow, [])

    def test_one_end(self):
        """The first end counts."""
        self.response.deliverBody(self.body)
        self.response.end(Failure(UpstreamCut()))
        self.response.end()
        self.assertIs(self.body.ended, UpstreamCut)

    def test_transport(self):
        """To its taker it is a transport: pause, resume, and every close is an abort."""
        self.response.deliverBody(self.body)
        self.response.pauseProducing()
        self.response.resumeProducing()
        self.assertEqual(self.flow, [True, False, True])
        for stop in ("abortConnection", "loseConnection", "stopProducing"):
            getattr(self.response, stop)()
        self.assertEqual(len(self.aborts), 3)

    def test_after_the_end(self):
        """The connection serves somebody else by then: nothing reaches it."""
        self.response.deliverBody(self.body)
        self.response.end()
        self.response.pauseProducing()
        self.response.resumeProducing()
        self.response.abortConnection()
        self.assertEqual((self.flow, self.aborts), ([True], []))
