"""A server's own calls: what comes back repeats no key. tests/integration has the sockets."""

from twisted.internet.defer import succeed
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface.verify import verifyObject

from naap_twisted.framing.head import ResponseHead
from naap_twisted.model import OutboundRequest, Target
from naap_twisted.policy.egress import AnyHost
from naap_twisted.route.scrub import Guard
from naap_twisted.secret import Secret
from naap_twisted.server.own_calls import ScrubbingUpstream
from naap_twisted.upstream.response import UpstreamResponse

KEY = b"sk-canary-0123456789"
INJECTED = ((b"Authorization", Secret(b"Bearer " + KEY)),)


class Taker(Protocol):
    data, ended = b"", None

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.ended = reason.type


class Upstream:
    """Gives the one answer."""

    def __init__(self, response):
        self.response = response

    def send(self, outbound):
        return succeed(self.response)

    def close(self):
        return succeed(None)


class ScrubbingTests(SynchronousTestCase):
    def answer(self, *fields):
        head = ResponseHead(status=401, fields=list(fields), body_length=99, keep_alive=True)
        self.upstream = UpstreamResponse(head, lambda _: None, lambda: None)
        scrubbing = ScrubbingUpstream(Upstream(self.upstream), Guard(INJECTED))
        target = AnyHost().vet(Target("https", "api.example.com", 443, "/"))
        return self.successResultOf(scrubbing.send(OutboundRequest(b"GET", target, ())))

    def test_headers(self):
        """A value that repeats the key is redacted; a name that does goes."""
        answer = self.answer((b"x-echo", KEY), (b"x-" + KEY, b"1"), (b"etag", b"abc"))
        verifyObject(IResponse, answer)
        self.assertEqual(
            sorted(answer.headers.getAllRawHeaders()),
            [(b"ETag", [b"abc"]), (b"X-Echo", [b"[redacted]"])],
        )
        self.assertEqual((answer.code, answer.length), (401, UNKNOWN_LENGTH))

    def test_body(self):
        """The key goes, however its bytes are cut, and the end is told once."""
        text = b"a " + KEY + b" b"
        for cut in range(len(text)):
            answer, taker = self.answer(), Taker()
            answer.deliverBody(taker)
            self.upstream.feed(text[:cut])
            self.upstream.feed(text[cut:])
            self.assertIsNone(taker.ended)
            self.upstream.end()
            self.assertEqual(taker.data, b"a [redacted] b", cut)
            self.assertIs(taker.ended, ResponseDone)
