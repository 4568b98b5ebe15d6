import socket
import struct

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from naap_twisted._twisted import MOST, listening_below, send_now, stop_writing, unread, unsent

from .integration.support import until


class PairCase(TestCase):
    """A transport of the reactor's, and a plain socket at its other end."""

    def setUp(self) -> Deferred[None]:
        made: Deferred[Protocol] = Deferred()
        lost = self.lost = Deferred()

        class Side(Protocol):
            def connectionMade(self) -> None:
                made.callback(self)

            def connectionLost(self, reason: object = None) -> None:
                lost.callback(None)

        port = reactor.listenTCP(0, Factory.forProtocol(Side), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.peer = socket.create_connection(("127.0.0.1", port.getHost().port), timeout=5)

        def close() -> Deferred[None]:
            self.peer.close()
            return self.lost

        self.addCleanup(close)

        def keep(side: Protocol) -> None:
            self.transport = side.transport

        return made.addCallback(keep)


class SendNowTests(PairCase):
    def test_at_once(self) -> None:
        """The kernel has the bytes before the reactor turns."""
        transport = self.transport
        self.assertTrue(send_now(transport, b"now"))
        self.assertEqual(self.peer.recv(10), b"now")

    def test_order(self) -> None:
        """What comes after queued bytes is queued behind them."""
        transport = self.transport
        transport.write(b"first ")
        self.assertFalse(send_now(transport, b"second"))
        read: Deferred[bytes] = Deferred()
        reactor.callLater(0, reactor.callLater, 0, lambda: read.callback(self.peer.recv(100)))
        return read.addCallback(self.assertEqual, b"first second")

    def test_what_the_kernel_does_not_take(self) -> Deferred[None]:
        """Everything arrives, in order, also when the socket's buffer is full."""
        transport = self.transport
        sent = b"".join(b"%07d\n" % index for index in range(600_000))
        for start in range(0, len(sent), MOST - 1):
            send_now(transport, sent[start : start + MOST - 1])
        self.assertTrue(transport._tempDataLen or transport.dataBuffer)
        got = bytearray()
        self.peer.setblocking(False)
        done: Deferred[None] = Deferred()

        def read() -> None:
            try:
                while chunk := self.peer.recv(1 << 20):
                    got.extend(chunk)
            except BlockingIOError:
                pass
            if len(got) < len(sent):
                reactor.callLater(0, read)
            else:
                done.callback(None)

        read()
        return done.addCallback(lambda _: self.assertEqual(bytes(got), sent))

    def test_any_other_transport(self) -> None:
        """TLS and the like get an ordinary write."""
        transport = StringTransport()
        send_now(transport, b"x")
        self.assertEqual(transport.value(), b"x")


class UnsentTests(PairCase):
    """What was written and may still be on this machine."""

    async def test_in_the_reactors_queue(self) -> None:
        """Bytes that wait for the reactor's next turn, until the peer has them."""
        self.assertFalse(unsent(self.transport))
        self.transport.write(b"x")
        self.assertTrue(unsent(self.transport))
        await until(lambda: not unsent(self.transport))
        self.assertEqual(self.peer.recv(10), b"x")

    async def test_in_the_kernels(self) -> None:
        """Bytes that the kernel has taken, and the peer's kernel has no room for."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sent = self.transport.socket.send(b"x" * (1 << 20))
        self.assertTrue(unsent(self.transport))
        while sent:
            sent -= len(self.peer.recv(sent))
        await until(lambda: not unsent(self.transport))

    async def test_under_tls(self) -> None:
        """Twisted's TLS keeps bytes above the socket's queues, too, under these names."""
        factory = TLSMemoryBIOFactory(
            optionsForClientTLS("a.example"), True, Factory.forProtocol(Protocol)
        )
        tls = factory.buildProtocol(None)
        tls.makeConnection(self.transport)
        await until(lambda: not unsent(self.transport))
        self.assertFalse(unsent(tls))
        tls.write(b"aggregated")
        self.assertEqual(tls._aggregator._buffer, [b"aggregated"])
        self.assertTrue(unsent(tls))
        tls._aggregator.flush()  # the handshake is not over
        self.assertEqual(tls._appSendBuffer, [b"aggregated"])
        self.assertTrue(unsent(tls))
        tls._appSendBuffer.clear()
        self.assertFalse(unsent(tls))
        self.transport.write(b"below")
        self.assertTrue(unsent(tls))

    def test_any_other_transport(self) -> None:
        """One without a socket keeps nothing and has nothing below."""
        transport = StringTransport()
        transport.write(b"x")
        self.assertFalse(unsent(transport))
        self.assertIsNone(listening_below(transport))


class StopTests(PairCase):
    async def test_nothing_more(self) -> None:
        """What waits in Twisted's queue stays there, under TLS too; a close is not held up."""
        factory = TLSMemoryBIOFactory(optionsForClientTLS("a"), True, Factory.forProtocol(Protocol))
        tls = factory.buildProtocol(None)
        tls.makeConnection(self.transport)
        for transport in (self.transport, tls):
            self.transport.write(b"x")
            stop_writing(transport)
            self.assertNotIn(self.transport, reactor.getWriters())
        self.assertTrue(unsent(self.transport))
        self.transport.abortConnection()
        await self.lost
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)
        stop_writing(StringTransport())


class UnreadTests(PairCase):
    """What has come and was not read; reading it is left to the reactor."""

    def test_nothing(self) -> None:
        """An open socket on which nothing came is quiet."""
        self.assertFalse(unread(listening_below(self.transport)))

    def test_a_byte(self) -> None:
        """It stays where it is, and is heard under TLS, too."""
        self.peer.send(b"x")
        factory = TLSMemoryBIOFactory(optionsForClientTLS("a"), True, Factory.forProtocol(Protocol))
        tls = factory.buildProtocol(None)
        tls.makeConnection(self.transport)
        for transport in (self.transport, self.transport, tls):
            self.assertTrue(unread(listening_below(transport)))

    def test_an_end(self) -> None:
        """In order or not."""
        below = listening_below(self.transport)
        self.peer.shutdown(socket.SHUT_WR)
        self.assertTrue(unread(below))
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        self.assertTrue(unread(below))
