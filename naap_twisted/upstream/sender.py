"""The request's way out on an upstream connection: bodies to bytes, as fast as they are taken."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from .._twisted import send_now, stop_writing
from ..errors import InternalError
from ..framing.body import CHUNKED_END, chunk
from ..model import OutboundRequest
from . import states
from .response import UpstreamResponse
from .states import State

# What leaves in one flight without the peer's word: ten segments of 1,460 bytes (RFC 6928).
_ONE_FLIGHT = 14_600


@implementer(IConsumer)
class Upload:
    """One request body on its way out: the consumer that its producer writes to.

    Each body has its own, so that what a producer writes after its end goes nowhere, also where the
    connection serves another request by then.

    :ivar left: bytes of the announced length that are still to come; ``None``: chunked.
    """

    def __init__(self, sender: Sender, producer: IBodyProducer) -> None:
        self._sender = sender
        self.producer = producer
        self.left = None if producer.length is UNKNOWN_LENGTH else int(producer.length)

    def write(self, data: bytes) -> None:
        """A piece of the body."""
        self._sender.take_piece(self, data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Not used: the producer is the outbound request's own."""

    def unregisterProducer(self) -> None:
        """Not used."""


class Sender(Protocol):
    """Sends the bodies of one exchange after another; what comes back is a subclass's.

    :ivar state: where the connection stands.
    """

    transport: Any

    def __init__(self) -> None:
        self.state: State = states.IDLE
        self._outbound: OutboundRequest | None = None
        self._response: UpstreamResponse | None = None
        self._upload: Upload | None = None

    @property
    def closed(self) -> bool:
        """It is never used again."""
        return self.state is states.CLOSED

    def _due(self, seconds: float | None) -> None:
        """The next thing has to happen within *seconds*."""
        raise NotImplementedError

    def _fail(self, failure: Failure) -> None:
        """The exchange is broken."""
        raise NotImplementedError

    def _send(self, head: bytes, body: bytes | IBodyProducer | None) -> None:
        self.state = states.ON_BEGUN[self.state]
        if body is None or isinstance(body, bytes):
            wire = head + body if body else head
            taken = send_now(self.transport, wire)
            self._written()
            if taken and len(wire) <= _ONE_FLIGHT:
                self.state = states.ON_GONE[self.state]
        else:
            self.transport.write(head)
            self._produce(body)

    def _produce(self, body: IBodyProducer) -> None:
        upload = self._upload = Upload(self, body)
        self._due(self._outbound.timeouts.idle if self._outbound else None)
        self.transport.registerProducer(body, True)
        body.startProducing(upload).addCallbacks(
            self._produced, self._production_failed, callbackArgs=(upload,), errbackArgs=(upload,)
        )

    def take_piece(self, upload: Upload, data: bytes) -> None:
        """Send a piece of the body that is being sent.

        One that goes past its announced length ends the exchange: the surplus would be read as the
        beginning of the next request.
        """
        if upload is not self._upload or not data:
            return
        if upload.left is None:
            data = chunk(data)
        elif len(data) > upload.left:
            self._fail(Failure(InternalError(reason="a request body over its announced length")))
            return
        else:
            upload.left -= len(data)
        if self._response is None:
            self._due(self._outbound.timeouts.idle if self._outbound else None)
        # Not by Twisted's queue where the kernel takes it: a write that fails there would close the
        # connection before an answer that is here already is read.
        send_now(self.transport, data)

    def _cease(self) -> None:
        """Stop the body's producer, if it is not done."""
        upload, self._upload = self._upload, None
        if upload is not None:
            self.transport.unregisterProducer()
            upload.producer.stopProducing()

    def _refused(self) -> None:
        """The upstream does not want the rest (RFC 9112 section 9.5).

        Where it has closed, one more write would reset the connection before its answer is read.
        """
        self._cease()
        stop_writing(self.transport)

    def _produced(self, _: object, upload: Upload) -> None:
        if upload is not self._upload:
            return
        if upload.left:
            # The next request would be taken for the rest of this body.
            self._fail(Failure(InternalError(reason="a request body short of its length")))
            return
        self._upload = None
        self.transport.unregisterProducer()
        if upload.left is None:
            self.transport.write(CHUNKED_END)
        self._written()

    def _production_failed(self, failure: Failure, upload: Upload) -> None:
        if upload is self._upload:
            self._upload = None
            self._fail(failure)

    def _written(self) -> None:
        self.state = states.ON_WRITTEN[self.state]
        if self._response is None and self._outbound is not None:
            self._due(self._outbound.timeouts.head)
