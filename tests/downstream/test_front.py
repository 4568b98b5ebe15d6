"""Connections from a front, in memory; real fronts are in tests/adversarial/test_fronts.py."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.downstream.front import Front, Fronts
from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.site import DownstreamSite
from tests.framing.test_proxy_protocol import TLS, V4, v2
from tests.spine import BrowserTransport
from tests.support import Answer

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def line(client, port=5):
    return b"PROXY TCP4 %s 198.51.100.1 %d 443\r\n" % (client, port)


class Told(Answer):
    """Notes whether a request came by https; afterwards Twisted can't tell."""

    def __init__(self, secure):
        super().__init__()
        self.secure = secure

    def render(self, request):
        self.secure.append(request.isSecure())
        return super().render(request)


class FrontTests(SynchronousTestCase):
    def setUp(self):
        self.clock = MemoryReactorClock()
        self.seen, self.secure = [], []
        self.site = self.make()

    def make(self, **options):
        limits = DownstreamLimits(connections=4, connections_per_address=2, head_timeout=10.0)
        return DownstreamSite(
            Told(self.secure),
            limits=limits,
            reactor=self.clock,
            observers=[self.seen.append],
            **options,
        )

    def connect(self, peer="127.0.0.1", site=None):
        """A connection of the front's; ``None`` where it was refused."""
        peer = IPv4Address("TCP", peer, 4) if peer else UNIXAddress(None)
        protocol = Fronts(site or self.site).buildProtocol(peer)
        if protocol is None:
            return None
        transport = BrowserTransport(IPv4Address("TCP", "127.0.0.1", 80), peer)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def receive(self, transport, *pieces):
        for piece in pieces:
            transport.protocol.dataReceived(piece)

    def test_addresses(self):
        """The request's client and host are the front's words, and so is its https."""
        for header, secure in (
            (line(b"192.0.2.7"), False),
            (v2(V4), False),
            (v2(V4 + TLS), True),
        ):
            self.seen.clear()
            transport = self.connect()
            self.receive(transport, header + ASK)
            (request,) = self.seen
            self.assertEqual(request.getClientAddress().host, "192.0.2.7")
            self.assertEqual(request.getHost().host, "198.51.100.1")
            self.assertEqual(self.secure.pop(), secure)
            self.assertIn(b"inner", transport.value())
            transport.abortConnection()

    def test_of_the_front_itself(self):
        """LOCAL and UNKNOWN leave the connection's own ends."""
        for header in (b"PROXY UNKNOWN\r\n", v2(b"", command=0x20)):
            self.receive(self.connect(), header + ASK)
            self.assertEqual(self.seen.pop().getClientAddress().host, "127.0.0.1")
        self.receive(self.connect(peer=None), b"PROXY UNKNOWN\r\n" + ASK)
        self.assertEqual(self.seen.pop().getClientAddress(), UNIXAddress(None))

    def test_byte_by_byte(self):
        """However its bytes come."""
        for header in (line(b"192.0.2.7"), v2(V4 + TLS)):
            self.receive(self.connect(), *(bytes([byte]) for byte in header + ASK))
            self.assertEqual(self.seen.pop().getClientAddress().host, "192.0.2.7")

    def test_counted_as_the_client(self):
        """An address' bound counts clients and not the front, which sends for all of them."""
        for number in range(2):
            self.receive(self.connect(), line(b"192.0.2.7", number))
        self.assertEqual(len(self.site.open), 2)
        third = self.connect()
        self.receive(third, line(b"192.0.2.7"))
        self.assertTrue(third.aborted)
        self.receive(self.connect(), line(b"192.0.2.8"))
        self.assertEqual(len(self.site.open), 3)
        self.assertEqual(len(self.site.waiting), 0)
        for channel in list(self.site.open):
            channel.abort()
        self.assertEqual(len(self.site._per_address), 0)

    def test_trusted_client(self):
        """A client that is itself a trusted proxy has no bound."""
        site = self.make(exempt=TrustedProxies(["192.0.2.7"]))
        for number in range(3):
            self.receive(self.connect(site=site), line(b"192.0.2.7", number))
        self.assertEqual(len(site.open), 3)

    def test_total(self):
        """Those that have said nothing yet count among all."""
        transports = [self.connect() for _ in range(4)]
        self.assertIsNone(self.connect())
        self.receive(transports[0], line(b"192.0.2.7"))
        self.assertIsNone(self.connect())
        transports[1].abortConnection()
        self.assertIsNotNone(self.connect())

    def test_no_header(self):
        """Closed at the first byte that belongs to no header; nothing is answered."""
        for data in (ASK, b"\x16\x03\x01", b"PROXY TCP4 x y z\r\n", b"PROXY " + b"x" * 200):
            transport = self.connect()
            self.receive(transport, data)
            self.assertTrue(transport.aborted, data)
            self.assertEqual((transport.value(), len(self.site.waiting)), (b"", 0))
        self.assertEqual(self.seen, [])

    def test_in_time(self):
        """Silence, or a header that trickles, is closed when a request's head would be."""
        silent, slow = self.connect(), self.connect()
        for byte in line(b"192.0.2.7")[:9]:
            self.receive(slow, bytes([byte]))
            self.clock.pump([0.1] * 10)
        self.assertFalse(silent.aborted or slow.aborted)
        self.clock.pump([0.1] * 12)
        self.assertTrue(silent.aborted and slow.aborted)
        self.assertEqual((len(self.site.waiting), len(self.site.ticker)), (0, 0))

    def test_drain(self):
        """The end of the server waits for none of them."""
        transport = self.connect()
        self.assertIsInstance(transport.protocol, Front)
        self.site.drain()
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.site.waiting), 0)
