"""An upstream that does what a script says, byte for byte."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ..framing.body import BodyDecoder, body_decoder
from ..framing.fields import FramingError, HeadBuffer, HeadLimits
from ..framing.head import RequestHead, parse_request
from .watchable import Watchable

if TYPE_CHECKING:
    from twisted.internet.ssl import CertificateOptions, ContextFactory

_LIMITS = HeadLimits(size=1024 * 1024, lines=1000)
_LOOPBACK = "127.0.0.1"


class Step(enum.Enum):
    """What a script can do beside sending bytes."""

    PAUSE = "wait for ScriptedUpstream.release()"
    CLOSE = "close, after what was sent"
    ABORT = "reset the connection; unless a PAUSE was between, what was sent may be lost"


PAUSE, CLOSE, ABORT = Step.PAUSE, Step.CLOSE, Step.ABORT


@define(eq=False)
class Received:
    """One request as a :class:`ScriptedUpstream` got it.

    :ivar raw: its bytes so far, head and framing included.
    :ivar head: its parsed head; ``None`` until that is complete.
    :ivar body: its decoded body so far.
    :ivar complete: whether its body has ended where its framing says.
    :ivar lost: whether its connection has ended.
    """

    raw: bytes = b""
    head: RequestHead | None = None
    body: bytes = b""
    complete: bool = False
    lost: bool = False

    @property
    def line(self) -> bytes:
        """The request line, without CRLF."""
        return self.raw.partition(b"\r\n")[0]

    def values(self, name: str) -> list[bytes]:
        """Every value of a header, in order."""
        lower = name.lower().encode()
        return [value for key, value in (self.head.fields if self.head else ()) if key == lower]


class ScriptedUpstream(Watchable):
    """A raw TCP server that records its requests and answers each by the same script.

    It stops listening at the end of *test*.

    :param steps: bytes to send, :data:`PAUSE`, :data:`CLOSE` or :data:`ABORT`, in order.
    :param eager: whether the script begins at the end of a request's head, not of its body.
    :param tls: the certificate of a server that speaks TLS.
    :ivar requests: every :class:`Received` in order, from its first byte on.
    :ivar connections: the number of connections so far.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        *steps: bytes | Step,
        eager: bool = False,
        tls: CertificateOptions | ContextFactory | None = None,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.eager = eager
        self.requests: list[Received] = []
        self.connections = 0
        self._open: set[_Scripted] = set()
        factory = _ScriptedFactory.forProtocol(lambda: _Scripted(self))
        factory.noisy = False
        from twisted.internet import reactor as installed

        reactor: Any = installed
        if tls is None:
            self._port = reactor.listenTCP(0, factory, interface=_LOOPBACK)
        else:
            self._port = reactor.listenSSL(0, factory, tls, interface=_LOOPBACK)
        self.port: int = self._port.getHost().port
        self.authority = f"{_LOOPBACK}:{self.port}"
        self.origin = f"{'https' if tls else 'http'}://{self.authority}"
        test.addCleanup(self.stop)

    def release(self) -> None:
        """Let every script that waits at its :data:`PAUSE` go on."""
        for connection in list(self._open):
            connection.release()

    def read(self, wanted: bool) -> None:
        """Read from the open connections or, if not *wanted*, let their peers' buffers fill."""
        for connection in self._open:
            transport = connection.transport
            transport.resumeProducing() if wanted else transport.pauseProducing()

    async def stop(self) -> None:
        """Stop listening and reset every connection; called at the test's end, too."""
        await maybeDeferred(self._port.stopListening)
        for connection in list(self._open):
            connection.transport.abortConnection()
        await self.until(lambda: not self._open)


@implementer(IProtocolNegotiationFactory)
class _ScriptedFactory(Factory):
    def acceptableProtocols(self) -> list[bytes]:
        # Without an answer to a client's ALPN offer, Twisted's TLS ends the handshake.
        return [b"http/1.1"]


class _Scripted(Protocol):
    transport: Any

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._received: Received | None = None
        self._head = HeadBuffer(_LIMITS)
        self._decoder: BodyDecoder | None = None
        self._steps: list[bytes | Step] = []
        self._paused = False
        self._all: list[Received] = []

    def connectionMade(self) -> None:
        self._upstream.connections += 1
        self._upstream._open.add(self)
        self._upstream.changed()

    def dataReceived(self, data: bytes) -> None:
        while data:
            data = self._take(data)
        self._upstream.changed()

    def _take(self, data: bytes) -> bytes:
        received = self._received
        if received is None:
            received = self._received = Received()
            self._all.append(received)
            self._upstream.requests.append(received)
        received.raw += data
        if received.head is None:
            try:
                complete = self._head.feed(data)
            except FramingError:
                complete = None  # it is recorded, as a TLS handshake is, and never answered
            if complete is None:
                return b""
            head, data = complete
            received.head = parse_request(head, _LIMITS)
            self._decoder = body_decoder(received.head.body_length)
            if self._upstream.eager:
                self._begin()
        assert self._decoder is not None
        pieces, rest = self._decoder.feed(data)
        received.body += b"".join(pieces)
        if rest is None:
            return b""
        received.complete = True
        if rest:
            received.raw = received.raw[: -len(rest)]
        self._received = None
        if not self._upstream.eager:
            self._begin()
        return rest

    def _begin(self) -> None:
        self._steps.extend(self._upstream.steps)
        self._run()

    def release(self) -> None:
        self._paused = False
        self._run()

    def _run(self) -> None:
        while self._steps and not self._paused:
            step = self._steps.pop(0)
            if isinstance(step, bytes):
                self.transport.write(step)
            elif step is PAUSE:
                self._paused = True
            elif step is CLOSE:
                self.transport.loseConnection()
            else:
                self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for received in self._all:
            received.lost = True
        self._upstream._open.discard(self)
        self._upstream.changed()
