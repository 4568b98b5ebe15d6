"""Sending: on a waiting connection or a new one, at most once where that matters."""

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway, Unavailable
from naap_twisted.model import ClientCertificate, Timeouts
from naap_twisted.upstream.client import UpstreamClient, pool_key
from naap_twisted.upstream.connection import StaleConnection, UpstreamConnection
from naap_twisted.upstream.pool import Pool, PoolLimits

from .support import UpstreamTransport, outbound

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Connector:
    """Makes connections at once; keeps them for the test.

    :ivar made: ``(connection, timeout)`` in order.
    """

    def __init__(self, client):
        self._client = client
        self.made = []

    def connect(self, target, keeper, key, timeout, caller, certificate):
        connection = UpstreamConnection(self._client.ticker, keeper, key)
        connection.makeConnection(UpstreamTransport())
        self.made.append((connection, timeout))
        return succeed(connection)

    def remember(self, connection, target, certificate):
        """Nothing to resume without TLS."""


class Sending(SynchronousTestCase):
    def setUp(self):
        self.client = UpstreamClient(Clock(), limits=PoolLimits(open_per_key=2))
        self.client.connector = self.connector = Connector(self.client)

    def last(self):
        return self.connector.made[-1][0]

    def warm(self):
        """Leave one used connection in the pool."""
        answer = self.client.send(outbound())
        self.last().dataReceived(REPLY)
        self.successResultOf(answer)
        return self.last()

    def test_reused(self):
        """The next request for the same origin goes over the waiting connection."""
        self.warm()
        answer = self.client.send(outbound())
        self.last().dataReceived(REPLY)
        self.assertEqual(self.successResultOf(answer).code, 200)
        self.assertEqual(len(self.connector.made), 1)

    def test_not_reused(self):
        """Another origin, or another route's policy, is another connection."""
        self.warm()
        for target in ({"port": 444}, {"host": "b.example"}, {"scheme": "http"}):
            self.client.send(outbound(**target)).addErrback(lambda _: None)
        other = evolve(outbound(), target=evolve(outbound().target, realm=7))
        self.client.send(other).addErrback(lambda _: None)
        self.assertEqual(len(self.connector.made), 5)

    def test_key(self):
        """The path is no part of the key."""
        self.assertEqual(pool_key(outbound(url_path="/a")), pool_key(outbound(url_path="/b")))
        # A certificate of ours keeps a connection apart, beside the user.
        certificates = ClientCertificate(b"", b""), ClientCertificate(b"", b"")
        shown = [evolve(outbound(), certificate=each) for each in (*certificates, None)]
        self.assertEqual(len(set(map(pool_key, shown))), 3)
        self.assertEqual(pool_key(shown[0]), pool_key(evolve(shown[0], method=b"HEAD")))
        self.assertNotEqual(pool_key(shown[0]), pool_key(evolve(shown[0], identity="ada")))

    def test_own_key(self):
        """A connection that carried one user's own key is no other's, nor a route's."""
        self.client.pool = Pool()
        whose = ("ada", "bob", None)
        for user in whose:
            answer = self.client.send(evolve(outbound(), identity=user))
            self.last().dataReceived(REPLY)
            self.successResultOf(answer)
        self.assertEqual(len(self.connector.made), 3)
        made = dict(zip(whose, (connection for connection, _ in self.connector.made), strict=True))
        for user in whose:
            answer = self.client.send(evolve(outbound(), identity=user))
            made[user].dataReceived(REPLY)
            self.assertEqual(self.successResultOf(answer).code, 200)
        self.assertEqual(len(self.connector.made), 3)

    def test_own_keys_share_one_bound(self):
        """Open connections are bounded by origin, however many users have keys of their own."""
        for user in ("ada", "bob"):
            self.client.send(evolve(outbound(), identity=user))
        self.failureResultOf(self.client.send(evolve(outbound(), identity="eve")), Unavailable)

    def test_stale_is_sent_again(self):
        """A safe request without a body may be sent twice (RFC 9110 section 9.2.1)."""
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            self.setUp()
            stale = self.warm()
            answer = self.client.send(outbound(method))
            stale.connectionLost()
            self.assertIsNot(self.last(), stale)
            self.last().dataReceived(REPLY)
            self.assertEqual(self.successResultOf(answer).code, 200)

    def test_stale_is_not_sent_again(self):
        """Any other may not: the upstream may have acted on the first."""
        for method, body in ((b"POST", b"x"), (b"DELETE", None), (b"GET", b"x"), (b"PUT", None)):
            self.setUp()
            stale = self.warm()
            answer = self.client.send(outbound(method, body=body))
            stale.connectionLost()
            self.failureResultOf(answer, StaleConnection)
            self.assertEqual(len(self.connector.made), 1)

    def test_once_more_only(self):
        """A new connection that closes is a failure, not another try."""
        stale = self.warm()
        answer = self.client.send(outbound())
        stale.connectionLost()
        self.last().connectionLost()
        self.failureResultOf(answer, BadGateway)
        self.assertEqual(len(self.connector.made), 2)

    def test_connecting_is_part_of_the_total(self):
        """The connect deadline is never later than the total one."""
        for timeouts, expected in (
            (Timeouts(connect=10.0, total=3.0), 3.0),
            (Timeouts(connect=10.0, total=30.0), 10.0),
            (Timeouts(connect=10.0), 10.0),
        ):
            self.setUp()
            self.client.send(outbound(timeouts=timeouts)).addErrback(lambda _: None)
            self.assertEqual(self.connector.made[-1][1], expected)

    def test_capacity(self):
        """Over the bound of open connections a request is refused, not queued."""
        for _ in range(2):
            self.client.send(outbound())
        self.failureResultOf(self.client.send(outbound()), Unavailable)
        self.assertEqual(len(self.connector.made), 2)

    def test_cancelled_while_connecting(self):
        """Cancelling reaches the connector."""
        cancelled = []
        self.connector.connect = lambda *_: Deferred(cancelled.append)
        answer = self.client.send(outbound())
        answer.cancel()
        self.failureResultOf(answer)
        self.assertEqual(len(cancelled), 1)

    def test_close(self):
        """Closing drops what waits."""
        waiting = self.warm()
        self.successResultOf(self.client.close())
        self.assertTrue(waiting.closed)
        self.assertEqual(len(self.client.pool), 0)
