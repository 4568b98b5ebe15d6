"""An upstream's response, as Twisted's ``IResponse`` with its header list beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from ..framing.fields import Fields
from ..framing.head import ResponseHead

_DONE = Failure(ResponseDone())


@implementer(IResponse, IPushProducer)
class UpstreamResponse:
    """A response whose body may still be coming.

    It is also the transport of the protocol that takes the body: pausing it stops reading from
    the upstream, and :meth:`abortConnection` ends the exchange. The protocol's ``connectionLost``
    gets ``ResponseDone`` for a complete body and ``UpstreamCut`` for one that broke off.

    :ivar fields: the header list, with lower-case names in the upstream's order.
    :ivar length: bytes that the head announced, or ``UNKNOWN_LENGTH``.
    :ivar body_follows: bytes of the body came with the head and are delivered at once.
    :ivar complete_body: the body, where all of it came with the head; the exchange is over then.
    """

    version = (b"HTTP", 1, 1)
    phrase = b""
    request = None
    previousResponse = None
    disconnecting = False

    def __init__(
        self, head: ResponseHead, flow: Callable[[bool], None], abort: Callable[[], None]
    ) -> None:
        self.code = head.status
        self.fields: Fields = head.fields
        self.length: Any = head.body_length if head.body_length >= 0 else UNKNOWN_LENGTH
        self.body_follows = False
        self.complete_body: bytes | None = None
        self._flow = flow
        self._abort = abort
        self._protocol: IProtocol | None = None
        self._waiting: list[bytes] = []
        self._end: Failure | None = None

    @property
    def headers(self) -> Headers:
        """The header list as Twisted's header table."""
        headers = Headers()
        for name, value in self.fields:
            headers.addRawHeader(name, value)
        return headers

    @property
    def taken(self) -> bool:
        """Whether a protocol takes the body."""
        return self._protocol is not None

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give the body to *protocol*: at once what has come, and then piece by piece."""
        self._protocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]
        waiting, self._waiting = self._waiting, []
        for piece in waiting:
            protocol.dataReceived(piece)
        if self._end is not None:
            protocol.connectionLost(self._end)
        else:
            self._flow(True)

    def setPreviousResponse(self, response: object) -> None:
        """Redirects are never followed here."""
        raise NotImplementedError("an upstream response has no history")

    # The connection's side.

    def complete(self, body: bytes) -> None:
        """Take all of the body at once, before a protocol takes it."""
        self.body_follows = True
        self.complete_body = body
        self._waiting = [body] if body else []
        self._end = _DONE

    def feed(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._protocol is not None:
            self._protocol.dataReceived(data)
        else:
            self._waiting.append(data)

    def end(self, reason: Failure = _DONE) -> None:
        """End the body; *reason* is ``ResponseDone`` or ``UpstreamCut``."""
        if self._end is not None:
            return
        self._end = reason
        if self._protocol is not None:
            self._protocol.connectionLost(reason)

    # The body protocol's transport.

    def pauseProducing(self) -> None:
        """Stop reading from the upstream."""
        if self._end is None:
            self._flow(False)

    def resumeProducing(self) -> None:
        """Read from the upstream again."""
        if self._end is None:
            self._flow(True)

    def abortConnection(self) -> None:
        """End the exchange, whose rest is not needed; its connection is closed."""
        if self._end is None:
            self._abort()

    stopProducing = loseConnection = abortConnection
