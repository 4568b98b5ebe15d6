"""A request body as a stream: read when somebody asks for it, and no faster than it is taken."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ..errors import BodyTooLarge, ProxyError
from ..interfaces import IRequestBody, Sink
from .held import Hold

#: Bytes of a body that is here at once and not counted as held: no more than its connection costs.
UNCOUNTED = 4096


class Tap(Protocol):
    """What the channel offers a body: the handle on reading from the browser."""

    def want_body(self, body: RequestBody) -> None:
        """Read: somebody is there to take it."""

    def pause_body(self, body: RequestBody) -> None:
        """Stop reading: nobody takes it now."""

    def open_hold(self) -> Hold:
        """An empty part of the server's account of bodies that are held whole."""


class RequestBody:
    """One request's body.

    :ivar length: bytes declared by Content-Length, ``None`` for a chunked body.
    :ivar received: bytes taken from the wire so far.
    :ivar complete: all of it has been received.
    """

    def __init__(self, tap: Tap | None, length: int | None) -> None:
        self._tap = tap
        self.length = length
        self.received = 0
        self.complete = length == 0
        self._sink: Sink | None = None
        self._waiting: list[bytes] = []
        self._paused = False
        self._failure: Exception | None = None
        self._told = False
        self._hold: Hold | None = None
        self._over = False

    # The channel's side.

    def feed(self, data: bytes) -> None:
        """A piece from the wire."""
        self.received += len(data)
        if self._sink is None or self._paused:
            self._waiting.append(data)
            if self._tap is not None:
                self._tap.pause_body(self)
        else:
            self._sink.dataReceived(data)

    def end(self) -> None:
        """The wire says that this was all."""
        self.complete = True
        self._tell()

    def fail(self, error: Exception) -> None:
        """The wire says that there will be no more: the browser left, or its framing broke."""
        if self.complete or self._failure is not None:
            return
        self._failure = error
        self._tell()

    # The reader's side.

    def start(self, sink: Sink) -> None:
        """Begin delivery; a body is read once.

        :raises RuntimeError: it was started before.
        """
        if self._sink is not None:
            raise RuntimeError("a request body is read once")
        self._sink = sink
        self._flush()

    def pause(self) -> None:
        """Deliver nothing until :meth:`resume`, and stop reading soon."""
        self._paused = True
        if self._tap is not None and not self.complete:
            self._tap.pause_body(self)

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._flush()

    def discard(self) -> None:
        """Nobody will read this any more: drop what is here and what comes."""
        self._waiting.clear()
        self._sink = _NOWHERE
        self._told = True

    def hold(self, size: int) -> None:
        """Count *size* bytes that the reader keeps, until :meth:`release`.

        :raises Unavailable: the server, or this caller, holds too much.
        :raises BrowserGone: the exchange is over; nobody would ever give them back.
        """
        account = self._account()
        if account is not None:
            account.take(size)

    def release(self) -> None:
        """The exchange is over: what was held is given back, and nothing is held again."""
        self._over = True
        if self._hold is not None:
            self._hold.release()

    def whole(self, limit: int) -> bytes | Deferred[bytes]:
        """As :meth:`collect`, but the bytes themselves where all of them are here already.

        :raises Unavailable: they are, and the server holds too many.
        """
        here = self.complete and self._sink is None and self._failure is None
        if here and self.received <= limit:
            if self.received > UNCOUNTED:
                self.hold(self.received)
            data, self._waiting = b"".join(self._waiting), []
            self.discard()
            return data
        return self.collect(limit)

    def collect(self, limit: int) -> Deferred[bytes]:
        """The whole body, once it is in.

        Fails with :exc:`BodyTooLarge` past *limit* bytes, and with :exc:`Unavailable` where the
        server holds too many: at once where the length is declared.
        """
        collector = _Collector(self, limit)
        try:
            self._foresee(limit)
        except ProxyError as error:
            collector.bodyFailed(error)
        else:
            self.start(collector)
        return collector.done

    def _foresee(self, limit: int) -> None:
        if self.length:
            if self.length > limit:
                raise too_large(limit)
            account = self._account()
            if account is not None:
                account.check(self.length)

    def _account(self) -> Hold | None:
        if self._over:
            raise BrowserGone()
        if self._hold is None and self._tap is not None:
            self._hold = self._tap.open_hold()
        return self._hold

    def _flush(self) -> None:
        while self._waiting and not self._paused and self._sink is not None:
            self._sink.dataReceived(self._waiting.pop(0))
        if not self._paused and not self._waiting:
            if not self.complete and self._failure is None and self._tap is not None:
                self._tap.want_body(self)
            self._tell()

    def _tell(self) -> None:
        if self._told or self._sink is None:
            return
        if self._failure is not None:
            self._told = True
            self._waiting.clear()
            self._sink.bodyFailed(self._failure)
        elif self.complete and not self._waiting and not self._paused:
            self._told = True
            self._sink.bodyEnded()


class _Nowhere:
    def dataReceived(self, data: bytes) -> None:
        """Dropped."""

    bodyEnded = lambda self: None  # noqa: E731
    bodyFailed = lambda self, error: None  # noqa: E731


_NOWHERE = _Nowhere()


def too_large(limit: int) -> BodyTooLarge:
    """The 413 that names the limit in bytes."""
    return BodyTooLarge(f"Request body is over the limit of {limit} bytes")


class _Collector:
    def __init__(self, body: RequestBody, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: body.discard())
        self._body = body
        self._limit = limit
        self._data = bytearray()  # a list would cost 40 bytes more a piece

    def dataReceived(self, data: bytes) -> None:
        try:
            if len(self._data) + len(data) > self._limit:
                raise too_large(self._limit)
            self._body.hold(len(data))
        except ProxyError as error:
            self._body.discard()
            self.bodyFailed(error)
        else:
            self._data += data

    def bodyEnded(self) -> None:
        done, self._data = bytes(self._data), bytearray()
        if not self.done.called:
            self.done.callback(done)

    def bodyFailed(self, error: Exception) -> None:
        self._data = bytearray()
        if not self.done.called:
            self.done.errback(error)


@implementer(IBodyProducer)
class StreamedBody:
    """A request body as Twisted's :class:`IBodyProducer`: what an upstream connection pulls from.

    :param limit: bytes; one more and the exchange fails with :exc:`BodyTooLarge`.
    """

    def __init__(self, body: IRequestBody, limit: int) -> None:
        if body.length is not None and body.length > limit:
            raise too_large(limit)
        self._body = body
        self._limit = limit
        self._size = 0
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] = Deferred()
        self.length = UNKNOWN_LENGTH if body.length is None else body.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        self._body.start(self)
        return self._done

    def pauseProducing(self) -> None:
        self._body.pause()

    def resumeProducing(self) -> None:
        self._body.resume()

    def stopProducing(self) -> None:
        self._consumer = None
        self._body.discard()

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self._body.discard()
            self.bodyFailed(too_large(self._limit))
        elif self._consumer is not None:
            self._consumer.write(data)

    def bodyEnded(self) -> None:
        if not self._done.called:
            self._done.callback(None)

    def bodyFailed(self, error: Exception) -> None:
        if not self._done.called:
            self._done.errback(error)


class BrowserGone(ProxyError):
    """The browser left before its request was complete. Nobody reads the answer."""

    status, code, default = 499, "CLIENT_GONE", "The client closed the connection"
