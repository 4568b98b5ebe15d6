"""From a vetted target to a connection: which address, in what order, and which never."""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.deadlines import Ticker
from naap_twisted.errors import AddressNotAllowed, BadGateway, UpstreamTimeout
from naap_twisted.testing import StaticResolver
from naap_twisted.upstream.connector import Connector, race
from naap_twisted.upstream.lookups import SharedLookups
from naap_twisted.upstream.pool import Pool, PoolLimits
from naap_twisted.upstream.tls import TlsContexts

from .support import UpstreamTransport, addresses, vetted

PUBLIC = ("2606:4700::1", "93.184.215.14", "2606:4700::2")


class Race(SynchronousTestCase):
    def setUp(self):
        self.clock, self.started = Clock(), {}
        self.result = race(addresses(*PUBLIC), self.start, self.clock)

    def start(self, address):
        self.started[str(address)] = Deferred()
        return self.started[str(address)]

    def test_staggered(self):
        """The first at once, the next a quarter second later (RFC 8305 section 5)."""
        self.assertEqual(list(self.started), [PUBLIC[0]])
        self.clock.advance(0.24)
        self.assertEqual(list(self.started), [PUBLIC[0]])
        self.clock.advance(0.02)
        self.assertEqual(list(self.started), list(PUBLIC[:2]))
        self.clock.advance(0.26)
        self.assertEqual(list(self.started), list(PUBLIC))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_winner(self):
        """The first connection wins; attempts still running are cancelled, others not begun."""
        self.clock.advance(0.26)
        self.started[PUBLIC[1]].callback("connection")
        self.assertEqual(self.successResultOf(self.result), "connection")
        self.clock.advance(10)
        self.assertEqual(list(self.started), list(PUBLIC[:2]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.started[PUBLIC[0]].called)

    def test_failure_starts_the_next(self):
        """A refused attempt does not make the next one wait; the last one's failure counts."""
        for number, text in enumerate(PUBLIC):
            self.assertEqual(len(self.started), number + 1)
            self.assertNoResult(self.result)
            self.started[text].errback(ConnectionRefusedError(text))
        self.failureResultOf(self.result, ConnectionRefusedError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self):
        """Cancelling ends every attempt and the timer."""
        self.clock.advance(0.26)
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.assertTrue(all(attempt.called for attempt in self.started.values()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Connecting(SynchronousTestCase):
    def setUp(self):
        self.reactor = MemoryReactorClock()
        self.limits = PoolLimits()

    def connect(self, *found, timeout=5.0, resolver=None, **target):
        resolver = resolver or StaticResolver({"api.example.com": found})
        ticker = Ticker(self.reactor)
        lookups = SharedLookups(resolver, self.reactor)
        connector = Connector(self.reactor, lookups, TlsContexts(), ticker)
        target = {"scheme": "http", "port": 80, **target}
        self.keeper = Pool(self.limits)
        return connector.connect(vetted(**target), self.keeper, "key", timeout)

    def up(self, peer):
        """The last attempt's socket is connected to *peer*."""
        factory = self.reactor.tcpClients[-1][2]
        protocol = factory.buildProtocol(None)
        self.transport = UpstreamTransport()
        self.transport.peerAddr = IPv4Address("TCP", peer, 80)
        protocol.makeConnection(self.transport)

    def test_by_address(self):
        """It connects to the vetted address, never to the name, and is handed on when up."""
        done = self.connect("93.184.215.14")
        ((host, port, *_),) = self.reactor.tcpClients
        self.assertEqual((host, port), ("93.184.215.14", 80))
        self.assertNoResult(done)
        self.up("93.184.215.14")
        self.assertEqual(self.successResultOf(done).key, "key")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_bad_address_of_many(self):
        """Refused as a whole before any socket; the address is in neither text."""
        for bad in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"):
            done = self.connect("93.184.215.14", "2606:4700::1", bad)
            error = self.failureResultOf(done, AddressNotAllowed).value
            self.assertIn("api.example.com", error.message)
            self.assertNotIn(bad, error.message)
        self.assertEqual(self.reactor.tcpClients, [])

    def test_beyond_the_bound(self):
        """Every address is judged, also those that would never be tried."""
        many = [f"93.184.{n // 250}.{n % 250 + 1}" for n in range(300)]
        self.failureResultOf(self.connect(*many, "10.0.0.1"), AddressNotAllowed)

    def test_allowed_network(self):
        """What allow_networks lists may be reached, literal or by name, on its port only."""
        self.connect("10.0.0.1", allow=("10.0.0.0/8:80",))
        self.connect(host="10.0.0.1", allow=("10.0.0.0/8:80",))
        self.assertEqual([client[0] for client in self.reactor.tcpClients], ["10.0.0.1"] * 2)
        done = self.connect("10.0.0.1", allow=("10.0.0.0/8:81",))
        self.failureResultOf(done, AddressNotAllowed)

    def test_literal(self):
        """A literal is judged like an answer and not looked up."""
        resolver = StaticResolver({})
        self.failureResultOf(self.connect(host="127.0.0.1", resolver=resolver), AddressNotAllowed)
        self.assertEqual(resolver.asked, [])

    def test_another_peer(self):
        """A socket that is connected elsewhere is dropped unused."""
        done = self.connect("93.184.215.14")
        self.up("127.0.0.1")
        error = self.failureResultOf(done, BadGateway).value
        self.assertIn("another address", error.reason)
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.transport.value(), b"")

    def test_refused(self):
        """A refused connection is a bad gateway."""
        done = self.connect("93.184.215.14")
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertIn("ConnectionRefusedError", self.failureResultOf(done, BadGateway).value.reason)

    def test_unknown_name(self):
        """So is a name without an address."""
        self.failureResultOf(self.connect(), BadGateway)

    def test_no_more_attempts_than_may_be(self):
        """Addresses that do not answer take sockets, all of them together so many."""
        self.limits = PoolLimits(open_total=2)
        done = self.connect(*PUBLIC, timeout=5.0)
        for _ in range(20):
            self.reactor.advance(0.2)
        self.assertEqual((len(self.reactor.tcpClients), self.keeper.opened), (2, 2))
        self.reactor.advance(2.0)
        self.failureResultOf(done, UpstreamTimeout)
        self.assertEqual(self.keeper.opened, 0)

    def test_timeout(self):
        """DNS and TCP share one deadline; past it, it is a timeout."""

        class Silent:
            def resolve(self, host):
                return Deferred()

        for resolver in (None, Silent()):
            done = self.connect("93.184.215.14", timeout=3.0, resolver=resolver)
            self.reactor.advance(2.9)
            self.assertNoResult(done)
            self.reactor.advance(0.2)
            self.failureResultOf(done, UpstreamTimeout)

    def test_cancelled(self):
        """The browser's leaving ends the attempt and stays what it is."""
        done = self.connect("93.184.215.14")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.reactor.advance(0)
        connector = self.reactor.connectors[-1]
        self.assertTrue(connector.stoppedConnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_foreign_timeout(self):
        """A resolver's own timeout is one of ours."""

        class Late:
            def resolve(self, host):
                raise TimeoutError()

        self.failureResultOf(self.connect(resolver=Late()), UpstreamTimeout)
