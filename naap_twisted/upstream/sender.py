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

# Bytes that leave before the peer acknowledges any: ten segments of 1,460 bytes (RFC 6928).
_ONE_FLIGHT = 14_600


@implementer(IConsumer)
class Upload:
    """The consumer that the producer of one request body writes to.

    Each body has one of its own, so that bytes which a producer writes after its end are dropped,
    even where the connection serves another request by then.

    :ivar left: bytes of the announced length that are still to come; ``None`` for a chunked body.
    """

    def __init__(self, sender: Sender, producer: IBodyProducer) -> None:
        self._sender = sender
        self.producer = producer
        self.left = None if producer.length is UNKNOWN_LENGTH else int(producer.length)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._sender.take_piece(self, data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Do nothing: the connection registers the outbound request's producer itself."""

    def unregisterProducer(self) -> None:
        """Do nothing, as above."""


class Sender(Protocol):
    """The sending half of an upstream connection; its subclass reads the answers.

    :ivar state: the connection's state, which both halves move.
    """

    transport: Any

    def __init__(self) -> None:
        self.state: State = states.IDLE
        self._outbound: OutboundRequest | None = None
        self._response: UpstreamResponse | None = None
        self._upload: Upload | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, for good."""
        return self.state is states.CLOSED

    def _due(self, seconds: float | None) -> None:
        """Set the deadline of the present phase to *seconds* from now."""
        raise NotImplementedError

    def _fail(self, failure: Failure) -> None:
        """End the exchange with *failure*, and close the connection."""
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
        """Send a piece of the body that *upload* is.

        A piece past the announced length fails the exchange, because the upstream would read the
        surplus as the beginning of the next request.
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
        # A write that fails in Twisted's queue would close the connection before an answer that has
        # come already is read, so the piece goes to the kernel itself where that takes it.
        send_now(self.transport, data)

    def _cease(self) -> None:
        """Stop the producer of the request body, if it is not done."""
        upload, self._upload = self._upload, None
        if upload is not None:
            self.transport.unregisterProducer()
            upload.producer.stopProducing()

    def _refused(self) -> None:
        """Send no more of a request body that the upstream has refused (RFC 9112 section 9.5).

        If the upstream has closed its side, one more write would make its kernel reset the
        connection before the answer is read.
        """
        self._cease()
        stop_writing(self.transport)

    def _produced(self, _: object, upload: Upload) -> None:
        if upload is not self._upload:
            return
        if upload.left:
            # The upstream would take the next request for the rest of this body.
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
