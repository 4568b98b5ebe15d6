"""The writing side of a connection: answers go out no faster than the browser takes them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from .._twisted import send_now


@implementer(IPushProducer)
class Outflow(Protocol):
    """Writes, and passes the transport's back-pressure on to the producer of the answer.

    It is the transport's only producer as long as the connection lives. The producers of single
    answers register with it.

    :ivar closed: nothing is written any more.
    :ivar announced: a front in between has named the client.
    """

    transport: Any
    announced = False
    _said: tuple[IAddress | None, IAddress | None, bool] = (None, None, False)

    def __init__(self) -> None:
        self.closed = False
        self._blocked = False
        self._producer: Any = None
        self._pull = False
        # A head waits for the first piece of its body, so that a small answer is one write.
        self._unsent_head = b""

    def connectionMade(self) -> None:
        peer, host, secure = self._said
        self._peer: IAddress = peer or self.transport.getPeer()
        self._host: IAddress = host or self.transport.getHost()
        self._tls = ISSLTransport(self.transport, None) is not None
        self._secure = self._tls or secure
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)

    def announce(self, peer: IAddress | None, host: IAddress | None, *, secure: bool) -> None:
        """Before the connection is made: its ends, and its TLS, as the front in between knows them.

        :param peer: the client; ``None`` where the front speaks for itself.
        """
        self.announced = peer is not None
        self._said = (peer, host, secure)

    def stalled(self) -> None:
        """The browser does not take what was written."""
        raise NotImplementedError

    def flowing(self) -> None:
        """The browser has taken all that was written."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        if self._unsent_head:
            data, self._unsent_head = self._unsent_head + data, b""
        send_now(self.transport, data)

    def writeSequence(self, iovec: list[bytes]) -> None:
        self.write(b"".join(iovec))

    def flush(self) -> None:
        """Send a response head that waits for the first piece of its body."""
        if self._unsent_head:
            self.write(b"")

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return self._host

    def isSecure(self) -> bool:
        return self._secure

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Begin to pass back-pressure on to *producer*, which produces the answer's body."""
        if self._producer is not None:
            raise RuntimeError("a producer is already registered")
        self._producer = producer
        self._pull = not streaming
        if self._pull:
            self.transport.unregisterProducer()
            self.transport.registerProducer(producer, False)
        elif self._blocked:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Pass no more back-pressure on: the answer's body has been produced."""
        producer, self._producer = self._producer, None
        if producer is not None and self._pull and not self.closed:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if self.closed:
            return
        self._blocked = True
        self.stalled()
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        if self.closed:
            return
        self._blocked = False
        if self._producer is not None:
            self._producer.resumeProducing()
        self.flowing()

    def stopProducing(self) -> None:
        """The transport is closed; ``connectionLost`` follows."""
        if self._producer is not None:
            self._producer.stopProducing()
