"""One connection, odd in its timing: split, slow, or wrong before its request was even begun."""

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.interfaces import IHeadResource
from naap_twisted.testing import request_bytes
from tests.integration.support import OK, PATH, IntegrationTestCase, response
from tests.spine import connect

from .faults import eventually

_GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@implementer(IHeadResource)
class Holding(Resource):
    """Keeps its requests unanswered."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.held = []

    def render(self, request):
        self.held.append(request)
        return NOT_DONE_YET


class ClockTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.resource = MemoryReactorClock(), Holding()

    def connect(self, **limits):
        site = DownstreamSite(self.resource, reactor=self.clock, limits=DownstreamLimits(**limits))
        return connect(site)

    def wait(self, seconds):
        self.clock.pump([0.1] * round(seconds * 10))

    def test_blocked_while_the_upload_waits(self):
        """An answer that nobody takes has the write timeout, whatever the upload does."""
        transport = self.connect(write_timeout=30.0)
        channel = transport.protocol
        channel.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        channel.pauseProducing()
        self.resource.held[0].body.pause()
        self.wait(29)
        self.assertFalse(transport.aborted)
        self.wait(1.2)
        self.assertTrue(transport.aborted)

    def test_stray_line_ends_buy_no_time(self):
        """CRLF after CRLF is no request: the first deadline stands."""
        transport = self.connect(head_timeout=10.0)
        transport.loseWriteConnection = lambda: None
        transport.protocol.dataReceived(b"\r\n")
        self.wait(9)
        self.assertFalse(transport.aborted)
        self.assertEqual(transport.value(), b"")
        self.wait(1.2)
        self.assertTrue(transport.aborted)

    def test_every_cut_of_a_stray_line_end(self):
        """One CRLF before a request is forgiven, two or half of one are not, however cut."""
        for stray, forgiven in ((b"", 1), (b"\r\n", 1), (b"\r\n\r\n", 0), (b"\r", 0), (b"\n", 0)):
            sent = stray + _GET
            for at in range(len(stray) + 2):
                self.setUp()
                transport = self.connect()
                transport.loseWriteConnection = lambda: None
                for piece in filter(None, (sent[:at], sent[at:])):
                    transport.protocol.dataReceived(piece)
                self.assertEqual(len(self.resource.held), forgiven, (stray, at))

    def test_pipelined_requests_take_turns(self):
        """A packet full of requests does not hold up everybody else."""
        self.resource.render = lambda request: request.finish() or NOT_DONE_YET
        transport = self.connect()
        for turns in range(1, 6):
            if turns == 1:
                transport.protocol.dataReceived(_GET * 5)
            else:
                self._one_turn()
            self.assertEqual(transport.value().count(b"HTTP/1.1 200"), turns)

    def test_a_turn_of_nobody(self):
        """The browser left before its turn came."""
        self.resource.render = lambda request: request.finish() or NOT_DONE_YET
        transport = self.connect()
        transport.protocol.dataReceived(_GET * 5)
        transport.abortConnection()
        self.clock.advance(1)
        self.assertEqual(transport.value().count(b"HTTP/1.1 200"), 1)

    def _one_turn(self):
        """What is due now, without what that makes due."""
        for call in [
            c for c in self.clock.getDelayedCalls() if c.getTime() <= self.clock.seconds()
        ]:
            self.clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


class RefusedTests(IntegrationTestCase):
    async def test_a_broken_body_in_the_packet_of_the_head(self):
        """It is refused once, and no upstream hears of it."""
        self.start(OK, content_type="*/*")
        headers = self.headers(Content_Type="text/plain", Transfer_Encoding="chunked")
        for broken in (
            b"zz\r\nabc",
            b"-1\r\n",
            b"3\r\nabcd\r\n",
            b"1\nx",
            b"0\r\nno colon\r\n\r\n",
        ):
            client = await self.running.client()
            client.send(request_bytes("POST", PATH, headers) + broken)
            raw = await client.read_to_end()
            self.assertEqual(raw.count(b"HTTP/1.1"), 1, broken)
            self.assertTrue(raw.startswith(b"HTTP/1.1 400 "), broken)
        self.assertEqual(self.upstream.connections, 0)

    async def test_head_names_no_false_length(self):
        """What GET would send is not known to be empty because HEAD's answer is."""
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nContent-Type: text/plain\r\n\r\n"
        self.start(reply, methods=("GET",))
        answer = await self.post(None, "HEAD", Content_Type=None)
        self.assertIn(answer.header("Content-Length"), (None, "77"))
        self.assertEqual(answer.status, 200)

    async def test_a_slow_reader_keeps_an_early_answer(self):
        """An answer before the end of the upload is whole, however late its reader reads it."""
        limits = DownstreamLimits(linger_timeout=0.2)
        reply = response(200, b"y" * 2_000_000, "Content-Type: text/plain")
        self.start(reply, eager=True, content_type="*/*", server={"limits": limits})
        client = await self.running.client()
        headers = self.headers(Content_Type="text/plain", Content_Length="100000")
        client.send(request_bytes("POST", PATH, headers, b"x" * 1000))
        await client.until(lambda: client.buffer)
        client.pause()
        await eventually(lambda: not self.running.server.site().open, 5.0)
        client.resume()
        answer = await client.answer("POST")
        self.assertEqual((answer.complete, len(answer.body)), (True, 2_000_000))
