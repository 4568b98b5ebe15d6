"""Listening on endpoint strings."""

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.ports import ListeningPort


class Heard:
    """A port that listens at *address*."""

    def __init__(self, address):
        self.getHost = lambda: address


class Described(SynchronousTestCase):
    def test_address(self):
        """A URL where there is one; IPv6 in brackets; else the endpoint string, as before start."""
        for description, address, shown in (
            ("tcp:4020", IPv4Address("TCP", "127.0.0.1", 4020), "http://127.0.0.1:4020"),
            ("tcp6:4020", IPv6Address("TCP", "::1", 4020), "http://[::1]:4020"),
            ("unix:/s", UNIXAddress(b"/s"), "unix:/s"),
        ):
            port = ListeningPort(MemoryReactorClock(), description, Factory())
            self.assertEqual((port.address, port.is_up), (description, False))
            port._waitingForPort = succeed(Heard(address))
            self.assertEqual(port.address, shown)


class Opened(TestCase):
    async def test_up(self):
        """From the start to the stop."""
        port = ListeningPort(reactor, "tcp:0:interface=127.0.0.1", Factory())
        port.startService()
        self.assertTrue(port.is_up)
        number = port.address.rpartition(":")[2]
        again = ListeningPort(reactor, f"tcp:{number}:interface=127.0.0.1", Factory())
        self.assertRaises(CannotListenError, again.startService)
        await port.stopService()
        self.assertFalse(port.is_up)
