"""A browser connection without a socket: a scripted transport and a clock."""

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.interfaces import IHeadResource

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"


class BrowserTransport(StringTransport):
    """Remembers what a socket would have done."""

    half_closed = False

    def __init__(self, *args):
        super().__init__(*args, lenient=True)

    def setTcpNoDelay(self, enabled):
        pass

    def loseWriteConnection(self):
        self.half_closed = True


@implementer(IHeadResource)
class HeadResource(Resource):
    """Keeps each request, for the test to answer.

    :ivar seen: the requests, in order.
    :ivar left: those whose browser left.
    """

    isLeaf = True

    def __init__(self, on_request=None):
        super().__init__()
        self.seen = []
        self.left = []
        self.done = []
        self.on_request = on_request

    def render(self, request):
        self.seen.append(request)
        request.notifyFinish().addCallbacks(
            lambda _: self.done.append(request), lambda _: self.left.append(request)
        )
        if self.on_request is not None:
            self.on_request(request)
        return NOT_DONE_YET


class Sink:
    """Takes a request body."""

    def __init__(self):
        self.data = b""
        self.ended = 0
        self.error = None

    def dataReceived(self, data):
        self.data += data

    def bodyEnded(self):
        self.ended += 1

    def bodyFailed(self, error):
        self.error = error


class Browser:
    """A site on a clock and one connection to it."""

    def __init__(self, resource=None, site=None, peer=None, **limits):
        self.clock = Clock()
        self.finished = []
        self.resource = resource if resource is not None else HeadResource()
        self.site = site or DownstreamSite(
            self.resource,
            limits=DownstreamLimits(**limits),
            reactor=self.clock,
            observers=[self.finished.append],
        )
        self.transport = BrowserTransport(None, peer)
        self.channel = self.site.buildProtocol(self.transport.getPeer())
        if self.channel is not None:
            self.channel.makeConnection(self.transport)

    def send(self, data):
        """Everything in *data*; pipelined requests are served one a turn of the reactor."""
        self.channel.dataReceived(data)
        self.clock.advance(0)

    def leave(self):
        self.channel.connectionLost(Failure(ConnectionLost()))

    def received(self):
        """What was written since the last call."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def later(self, seconds):
        """Let the clock go on, in ticks."""
        for _ in range(int(seconds * 10) + 1):
            self.clock.advance(0.1)

    @property
    def reading(self):
        return self.transport.producerState == "producing"

    @property
    def aborted(self):
        return self.transport.disconnected

    @property
    def closing(self):
        return self.transport.disconnecting


def answer(request, payload=b"ok"):
    """A whole answer of known length."""
    request.setHeader(b"content-length", b"%d" % len(payload))
    request.write(payload)
    request.finish()


def status(data):
    """The status code of the first answer in *data*."""
    return int(data.split(b" ", 2)[1])
