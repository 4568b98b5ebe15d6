"""The request's way out on an upstream connection: bodies to bytes, as fast as they are taken."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ..framing.body import CHUNKED_END, chunk
from ..model import OutboundRequest
from .response import UpstreamResponse


@implementer(IConsumer)
class Sender(Protocol):
    """Sends the bodies of one exchange after another; what comes back is a subclass's."""

    transport: Any

    def __init__(self) -> None:
        self._outbound: OutboundRequest | None = None
        self._response: UpstreamResponse | None = None
        self._producer: IBodyProducer | None = None

    def _due(self, seconds: float | None) -> None:
        """The next thing has to happen within *seconds*."""
        raise NotImplementedError

    def _fail(self, failure: Failure) -> None:
        """The exchange is broken."""
        raise NotImplementedError

    def _produce(self, body: IBodyProducer) -> None:
        self._producer = body
        self._due(self._outbound.timeouts.idle if self._outbound else None)
        self.transport.registerProducer(body, True)
        body.startProducing(self).addCallbacks(self._produced, self._production_failed)

    def write(self, data: bytes) -> None:
        """A piece of the request body."""
        if self._producer is None or not data:
            return
        if self._response is None:
            self._due(self._outbound.timeouts.idle if self._outbound else None)
        unknown = self._producer.length is UNKNOWN_LENGTH
        self.transport.write(chunk(data) if unknown else data)

    def _produced(self, _: object) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self.transport.unregisterProducer()
        if producer.length is UNKNOWN_LENGTH:
            self.transport.write(CHUNKED_END)
        self._sent()

    def _production_failed(self, failure: Failure) -> None:
        if self._producer is not None:
            self._producer = None
            self._fail(failure)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Not used: the producer is the outbound request's own."""

    def unregisterProducer(self) -> None:
        """Not used."""

    def _sent(self) -> None:
        if self._response is None and self._outbound is not None:
            self._due(self._outbound.timeouts.head)
