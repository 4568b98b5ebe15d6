import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from naap_twisted.direct import MOST, send_now


class SendNowTests(TestCase):
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

    def test_at_once(self) -> None:
        """The kernel has the bytes before the reactor turns."""
        transport = self.transport
        send_now(transport, b"now")
        self.assertEqual(self.peer.recv(10), b"now")

    def test_order(self) -> None:
        """What comes after queued bytes is queued behind them."""
        transport = self.transport
        transport.write(b"first ")
        send_now(transport, b"second")
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
