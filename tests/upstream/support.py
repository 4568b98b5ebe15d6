"""An upstream connection without a socket."""

from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from naap_twisted.deadlines import NEVER, Ticker
from naap_twisted.model import OutboundRequest, Target, Timeouts, VettedTarget
from naap_twisted.policy.addresses import parse_allow_network
from naap_twisted.upstream.connection import UpstreamConnection

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TIMEOUTS = Timeouts(connect=5.0, head=10.0, idle=20.0, total=None)


def vetted(url_path="/v1", scheme="https", host="api.example.com", port=443, allow=()):
    """A vetted target, as the egress policy would make it."""
    networks = tuple(parse_allow_network(text) for text in allow)
    return VettedTarget(Target(scheme, host, port, url_path), host, networks)


def outbound(method=b"GET", headers=(), body=None, timeouts=TIMEOUTS, **target):
    """An outbound request."""
    return OutboundRequest(method, vetted(**target), tuple(headers), body, timeouts)


class UpstreamTransport(StringTransport):
    """Remembers what a socket would have done."""

    def __init__(self):
        super().__init__(lenient=True)

    def setTcpNoDelay(self, enabled):
        pass


class Keeper:
    """Stands in for the pool."""

    def __init__(self):
        self.made_ones = []
        self.released_ones = []
        self.lost_ones = []

    def made(self, connection):
        self.made_ones.append(connection)

    def released(self, connection):
        self.released_ones.append(connection)

    def withdrawn(self, connection):
        """It may still be told lost."""

    def lost(self, connection):
        self.lost_ones.append(connection)


class Body(Protocol):
    """Takes a response body; ``ended`` is the type of its end."""

    def __init__(self):
        self.data = b""
        self.reason = None

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        assert self.reason is None, "ended twice"
        self.reason = reason

    @property
    def ended(self):
        return None if self.reason is None else self.reason.type

    @property
    def complete(self):
        return self.ended is ResponseDone


class Upstream:
    """One connection and the peer's side of it."""

    def __init__(self):
        self.clock = Clock()
        self.ticker = Ticker(self.clock)
        self.keeper = Keeper()
        self.connect()

    def connect(self):
        self.transport = UpstreamTransport()
        self.connection = UpstreamConnection(self.ticker, self.keeper, ("key", None))
        self.connection.makeConnection(self.transport)

    def exchange(self, request=None, total_at=NEVER, deliver=True):
        """Send; the failure or response is in ``answer``."""
        self.answer = self.connection.exchange(request or outbound(), total_at)
        if deliver:
            self.answer.addCallback(self._deliver)
        self.body = Body()
        return self.answer

    def _deliver(self, response):
        response.deliverBody(self.body)
        return response

    def reply(self, *pieces):
        for piece in pieces:
            self.connection.dataReceived(piece)

    def close(self, clean=True):
        self.connection.connectionLost(Failure((ConnectionDone if clean else ConnectionLost)()))

    def later(self, seconds):
        for _ in range(int(seconds * 10) + 1):
            self.clock.advance(0.1)

    @property
    def aborted(self):
        return self.transport.disconnected


def addresses(*texts):
    return tuple(ip_address(text) for text in texts)


@implementer(IBodyProducer)
class Producer:
    """A request body that the test feeds."""

    def __init__(self, length=UNKNOWN_LENGTH):
        self.length = length
        self.done = Deferred()
        self.calls = []

    def startProducing(self, consumer):
        self.consumer = consumer
        return self.done

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")


class Case(SynchronousTestCase):
    def setUp(self):
        self.up = Upstream()

    def assertNothingLeft(self):
        self.assertEqual(len(self.up.ticker), 0)

    def assertReleased(self, times=1):
        self.assertEqual(self.up.keeper.released_ones, [self.up.connection] * times)
        self.assertFalse(self.up.aborted)
        self.assertNothingLeft()

    def assertClosed(self):
        self.assertTrue(self.up.aborted)
        self.assertTrue(self.up.connection.closed)
        self.assertEqual(self.up.keeper.released_ones, [])
        self.assertNothingLeft()
