"""A way out that leads nowhere: what would be asked, and answers by hand."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse
from zope.interface import implementer


@implementer(IResponse)
class FakeResponse:
    """A response whose body comes when the test says."""

    version = (b"HTTP", 1, 1)
    phrase = b"Whatever"
    request = previousResponse = None
    length = UNKNOWN_LENGTH

    def __init__(self, code, headers=()):
        self.code = code
        self.headers = Headers()
        for name, value in headers:
            self.headers.addRawHeader(name, value)
        self.transport = StringTransport()

    def setPreviousResponse(self, response):
        self.previousResponse = response

    def deliverBody(self, protocol):
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def body(self, data, ended=None):
        """Deliver *data*, then the end."""
        self.protocol.dataReceived(data)
        self.protocol.connectionLost(Failure(ended or ResponseDone()))


@implementer(IAgent)
class FakeAgent:
    """Remembers requests.

    :ivar requests: method, URL and headers of each.
    """

    def __init__(self):
        self.requests = []
        self.waiting = []

    def request(self, method, uri, headers=None, bodyProducer=None):
        self.requests.append((method, uri, headers))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def head(self, code, *headers, index=-1):
        """Answer a request with a head."""
        response = FakeResponse(code, headers)
        self.waiting[index].callback(response)
        return response

    def answer(self, code, body, *headers, index=-1):
        """Answer a request."""
        self.head(code, *headers, index=index).body(body)

    def fail(self, error, index=-1):
        """Let a request fail."""
        self.waiting[index].errback(error)
