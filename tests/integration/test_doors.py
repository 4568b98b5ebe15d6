"""One way out with two doors, held to one contract: the spine's own, and treq's client.

Every rule runs over real sockets against both. The treq door is what a plugin author has as
``server.http``; the fast one takes the request that the spine has vetted.
"""

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from naap_twisted.errors import AddressNotAllowed, BadGateway, UpstreamTimeout
from naap_twisted.model import OutboundRequest, Timeouts
from naap_twisted.policy.addresses import parse_allow_network
from naap_twisted.policy.egress import AnyHost
from naap_twisted.policy.target import parse_target
from naap_twisted.testing import ABORT, PAUSE, ScriptedUpstream
from naap_twisted.upstream.agent import GuardedHTTPClient, VettedAgent
from naap_twisted.upstream.client import UpstreamClient

from .support import CHUNKED, OK, chunk, response, until

LOOPBACK = (parse_allow_network("127.0.0.1/32"),)
STREAM = response(200, b"", CHUNKED, length=False)
LONG = Timeouts(connect=5, head=5, idle=5)


class Taker(Protocol):
    """Takes an answer's body."""

    def __init__(self):
        self.data, self.ended = bytearray(), None

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.ended = reason


@implementer(IBodyProducer)
class Upload:
    """A request body that the test feeds; ``held`` says whether it was asked to wait."""

    length = UNKNOWN_LENGTH

    def __init__(self):
        self.consumer, self.held, self.stopped = None, False, False
        self.done = Deferred()

    def startProducing(self, consumer):
        self.consumer = consumer
        return self.done

    def pauseProducing(self):
        self.held = True

    def resumeProducing(self):
        self.held = False

    def stopProducing(self):
        self.stopped = True

    def flood(self, most):
        """Write until asked to wait."""
        sent = 0
        while not self.held and sent < most:
            self.consumer.write(b"u" * 65536)
            sent += 65536
        return sent


class Doors:
    """The contract. Subclasses say how a request goes out."""

    timeout = 30

    def setUp(self):
        self.client = UpstreamClient(reactor)
        self.addCleanup(self.client.ticker.stop)
        self.addCleanup(self.client.close)

    def send(self, method, url, body=None, timeouts=LONG, networks=LOOPBACK):
        raise NotImplementedError

    async def begun(self, *steps, **options):
        self.upstream = ScriptedUpstream(self, *steps)
        answer = await self.send(b"GET", self.upstream.origin + "/a", **options)
        taker = Taker()
        answer.deliverBody(taker)
        return answer, taker

    async def test_request(self):
        """Method, path and query, one Host, one length; the answer's status, headers and bytes."""
        self.upstream = ScriptedUpstream(self, response(404, b"no", "X-A: 1", "X-A: 2"))
        answer = await self.send(b"POST", self.upstream.origin + "/a%20b?c=d", body=b"abc")
        taker = Taker()
        answer.deliverBody(taker)
        await until(lambda: taker.ended)
        (seen,) = self.upstream.requests
        self.assertEqual(seen.line, b"POST /a%20b?c=d HTTP/1.1")
        self.assertEqual(seen.values("Host"), [self.upstream.authority.encode()])
        self.assertEqual((seen.values("Content-Length"), seen.body), ([b"3"], b"abc"))
        self.assertEqual((answer.code, bytes(taker.data)), (404, b"no"))
        self.assertEqual(answer.headers.getRawHeaders(b"X-A"), [b"1", b"2"])
        taker.ended.trap(ResponseDone)

    async def test_streaming_down(self):
        """Each piece arrives when it is sent, not when the body is over."""
        _, taker = await self.begun(STREAM + chunk(b"one"), PAUSE, chunk(b"two"), PAUSE, chunk(b""))
        await until(lambda: taker.data == b"one")
        self.upstream.release()
        await until(lambda: taker.data == b"onetwo")
        self.assertIsNone(taker.ended)
        self.upstream.release()
        await until(lambda: taker.ended)
        taker.ended.trap(ResponseDone)

    async def test_streaming_up(self):
        """Each piece of a request body goes out when it is there."""
        self.upstream = ScriptedUpstream(self, OK)
        upload = Upload()
        answer = self.send(b"POST", self.upstream.origin + "/a", body=upload)
        await until(lambda: upload.consumer)
        for piece in (b"one", b"two"):
            upload.consumer.write(piece)
            await until(lambda piece=piece: self.upstream.requests[0].body.endswith(piece))
        upload.done.callback(None)
        self.assertEqual((await answer).code, 200)
        self.assertEqual(self.upstream.requests[0].body, b"onetwo")

    async def test_back_pressure_up(self):
        """An upstream that reads nothing makes the body wait."""
        self.upstream = ScriptedUpstream(self, OK)
        upload = Upload()
        answer = self.send(b"POST", self.upstream.origin + "/a", body=upload)
        await until(lambda: upload.consumer and self.upstream.requests)
        self.upstream.read(False)
        most = 64 * 1024 * 1024
        self.assertLess(upload.flood(most), most)
        self.upstream.read(True)
        await until(lambda: not upload.held)
        upload.done.callback(None)
        self.assertEqual((await answer).code, 200)

    async def test_back_pressure_down(self):
        """Somebody who takes no body makes the upstream wait: nothing is read ahead of him."""
        size = 64 * 1024 * 1024
        self.upstream = ScriptedUpstream(self, response(200, bytes(size)))
        answer = await self.send(b"GET", self.upstream.origin + "/a")
        taker = Taker()
        answer.deliverBody(taker)
        taker.transport.pauseProducing()
        (connection,) = self.upstream._open
        queued = len(connection.transport.dataBuffer) + connection.transport._tempDataLen
        self.assertGreater(queued, size // 2)
        taker.transport.resumeProducing()
        await until(lambda: taker.ended, 20)
        self.assertEqual(len(taker.data), size)

    async def test_cancelled(self):
        """Cancelling ends the upstream exchange at once, before and after the head."""
        self.upstream = ScriptedUpstream(self, PAUSE)
        pending = self.send(b"GET", self.upstream.origin + "/a")
        await self.upstream.until(lambda: self.upstream.requests)
        pending.cancel()
        with self.assertRaises(CancelledError):
            await pending
        await self.upstream.until(lambda: self.upstream.requests[0].lost)
        _, taker = await self.begun(STREAM + chunk(b"one"), PAUSE)
        taker.transport.loseConnection()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_early_answer(self):
        """An answer before the body is out is an answer; the body is stopped."""
        self.upstream = ScriptedUpstream(self, response(413, b"too much"), eager=True)
        upload = Upload()
        answer = await self.send(b"POST", self.upstream.origin + "/a", body=upload)
        taker = Taker()
        answer.deliverBody(taker)
        await until(lambda: taker.ended)
        self.assertEqual((answer.code, bytes(taker.data)), (413, b"too much"))
        self.assertTrue(upload.stopped)
        # The connection is in the middle of a request: it must not carry another.
        second = ScriptedUpstream(self, OK)
        self.assertEqual((await self.send(b"GET", second.origin + "/b")).code, 200)
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_cut(self):
        """A body that breaks off is told from one that is complete."""
        _, taker = await self.begun(STREAM + chunk(b"one"), PAUSE, ABORT)
        await until(lambda: taker.data == b"one")
        self.upstream.release()
        await until(lambda: taker.ended)
        self.assertIsNone(taker.ended.check(ResponseDone))

    async def test_no_answer(self):
        """A connection that ends before the head is a failure in our words."""
        self.upstream = ScriptedUpstream(self, ABORT)
        with self.assertRaises(BadGateway):
            await self.send(b"POST", self.upstream.origin + "/a", body=b"x")

    async def test_deadline(self):
        """A head that does not come in time is a timeout, and the exchange is over."""
        self.upstream = ScriptedUpstream(self, PAUSE)
        with self.assertRaises(UpstreamTimeout):
            await self.send(b"GET", self.upstream.origin + "/a", timeouts=Timeouts(5, 0.2, 5))
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_trailers(self):
        """Trailers end a body and are no part of it."""
        _, taker = await self.begun(STREAM + chunk(b"one") + b"0\r\nX-Trailer: 1\r\n\r\n")
        await until(lambda: taker.ended)
        taker.ended.trap(ResponseDone)
        self.assertEqual(bytes(taker.data), b"one")

    async def test_interim(self):
        """Interim answers are not the answer."""
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        answer, taker = await self.begun(interim + OK)
        await until(lambda: taker.ended)
        self.assertEqual((answer.code, bytes(taker.data)), (200, b'{"ok":1}'))

    async def test_pool(self):
        """A whole exchange leaves its connection to the next one."""
        self.upstream = ScriptedUpstream(self, OK)
        for _ in range(3):
            answer = await self.send(b"GET", self.upstream.origin + "/a")
            taker = Taker()
            answer.deliverBody(taker)
            await until(lambda taker=taker: taker.ended)
        self.assertEqual(self.upstream.connections, 1)

    async def test_addresses(self):
        """No address that is not public, unless it is listed."""
        self.upstream = ScriptedUpstream(self, OK)
        with self.assertRaises(AddressNotAllowed):
            await self.send(b"GET", self.upstream.origin + "/a", networks=())
        self.assertEqual(self.upstream.connections, 0)


class FastDoorTests(Doors, TestCase):
    """What the spine uses: a vetted request."""

    def send(self, method, url, body=None, timeouts=LONG, networks=LOOPBACK):
        vetted = AnyHost(networks).vet(parse_target(url.encode()))
        policy = self.__dict__.setdefault("_vetted", {})
        vetted = policy.setdefault((url, networks), vetted)
        return self.client.send(OutboundRequest(method, vetted, (), body, timeouts))


class TreqDoorTests(Doors, TestCase):
    """What a plugin author uses: ``server.http`` is made as here."""

    def send(self, method, url, body=None, timeouts=LONG, networks=LOOPBACK):
        doors = self.__dict__.setdefault("_doors", {})
        if (networks, timeouts) not in doors:
            agent = VettedAgent(self.client, AnyHost(networks), timeouts)
            doors[networks, timeouts] = GuardedHTTPClient(agent)
        return doors[networks, timeouts].request(method.decode(), url, data=body, unbuffered=True)
