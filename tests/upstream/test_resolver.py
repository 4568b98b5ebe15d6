"""Names to addresses: all of them, or a failure."""

from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway
from naap_twisted.upstream.resolver import SystemResolver


class FakeReactor:
    """A name resolver that the test answers for."""

    def __init__(self):
        self.nameResolver = self
        self.cancelled = False

    def resolveHostName(self, receiver, name, *rest, **more):
        self.receiver, self.name = receiver, name
        receiver.resolutionBegan(self)
        return self

    def cancel(self):
        self.cancelled = True

    def found(self, *texts):
        for text in texts:
            kind = IPv6Address if ":" in text else IPv4Address
            self.receiver.addressResolved(kind("TCP", text, 0))
        self.receiver.resolutionComplete()


class Resolve(SynchronousTestCase):
    def setUp(self):
        self.reactor = FakeReactor()

    def resolve(self, host="a.example"):
        return SystemResolver(self.reactor).resolve(host)

    def test_every_address(self):
        """Both families, in the system's order, each once; a scope id is dropped."""
        done = self.resolve()
        self.assertNoResult(done)
        self.reactor.found("2001:db8::1", "192.0.2.1", "192.0.2.1", "fe80::1%eth0")
        expected = tuple(map(ip_address, ("2001:db8::1", "192.0.2.1", "fe80::1")))
        self.assertEqual(self.successResultOf(done).addresses, expected)

    def test_none(self):
        """No address is a bad gateway."""
        done = self.resolve()
        self.reactor.found()
        self.failureResultOf(done, BadGateway)

    def test_absolute(self):
        """A search domain never completes a name; a single label is the system's own."""
        for host, asked in (("a.example", "a.example."), ("localhost", "localhost")):
            self.resolve(host)
            self.assertEqual(self.reactor.name, asked)

    def test_cancelled(self):
        """A cancelled look-up is given up, and a late answer ignored."""
        done = self.resolve()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.reactor.cancelled)
        self.reactor.found("192.0.2.1")
