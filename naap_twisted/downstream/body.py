"""A request body as a stream with back-pressure: it is read from the browser on demand only."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ..errors import BodyTooLarge, ProxyError
from ..interfaces import IRequestBody, Sink
from .held import Hold

#: A complete body of up to so many bytes is not counted as held: its connection costs as much.
UNCOUNTED = 4096


class Tap(Protocol):
    """What the channel offers a body: the handle on reading from the browser."""

    def want_body(self, body: RequestBody) -> None:
        """Read from the browser: the body's sink takes what comes."""

    def pause_body(self, body: RequestBody) -> None:
        """Stop reading from the browser: the body's sink takes nothing now."""

    def open_hold(self) -> Hold:
        """An empty entry in the server's account of bodies that are held in memory."""


class RequestBody:
    """The body of one request.

    :param tap: ``None`` where the body does not come from one of our channels.
    :ivar length: bytes that Content-Length declares, ``None`` for a chunked body.
    :ivar received: bytes received from the browser so far.
    :ivar complete: all of the body has been received.
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
        self._delivered = False  # the sink has heard the end, or the body is discarded
        self._hold: Hold | None = None
        self._exchange_over = False

    # The channel's side.

    def feed(self, data: bytes) -> None:
        """Take a piece that the channel has read."""
        self.received += len(data)
        if self._delivered:
            return
        if self._sink is None or self._paused:
            self._waiting.append(data)
            if self._tap is not None:
                self._tap.pause_body(self)
        else:
            self._sink.dataReceived(data)

    def end(self) -> None:
        """The channel has read the body's last byte."""
        self.complete = True
        self._deliver_end()

    def fail(self, error: Exception) -> None:
        """The body will never be complete: the browser left, or its framing broke."""
        if not self.complete and self._failure is None:
            self._failure = error
            self._deliver_end()

    # The reader's side.

    def start(self, sink: Sink) -> None:
        """Begin to deliver the body to *sink*.

        :raises RuntimeError: the body was started or discarded before.
        """
        if self._sink is not None or self._delivered:
            raise RuntimeError("a request body is read once")
        self._sink = sink
        self._flush()

    def pause(self) -> None:
        """Deliver nothing until :meth:`resume`, and stop reading from the browser."""
        self._paused = True
        if self._tap is not None and not self.complete:
            self._tap.pause_body(self)

    def resume(self) -> None:
        """Deliver again what was kept back and what comes."""
        self._paused = False
        self._flush()

    def discard(self) -> None:
        """Drop what has been received and what comes: the body is not needed any more."""
        self._waiting.clear()
        self._sink = None
        self._delivered = True

    def hold(self, size: int) -> None:
        """Count *size* bytes that the sink keeps in memory, until :meth:`release`.

        :raises Unavailable: the server, or this caller, holds too many bytes.
        :raises BrowserGone: the exchange is over, so that no :meth:`release` would follow.
        """
        account = self._account()
        if account is not None:
            account.take(size)

    def release(self) -> None:
        """The exchange is over: no bytes count as held any more, and none will be."""
        self._exchange_over = True
        if self._hold is not None:
            self._hold.release()

    def read_all(self, limit: int) -> bytes | Deferred[bytes]:
        """As :meth:`collect`, but the bytes themselves where all of them have been received.

        :raises Unavailable: they have been, and the server holds too many bytes.
        """
        untouched = self._sink is None and not self._delivered
        if self.complete and untouched and self.received <= limit:
            if self.received > UNCOUNTED:
                self.hold(self.received)
            data, self._waiting = b"".join(self._waiting), []
            self.discard()
            return data
        return self.collect(limit)

    def collect(self, limit: int) -> Deferred[bytes]:
        """The bytes of the body, once it is complete.

        The Deferred fails with :exc:`BodyTooLarge` past *limit* bytes, and with
        :exc:`Unavailable` where the server holds too many. A declared length decides both at once.
        """
        collector = _Collector(self, limit)
        try:
            self._check_declared(limit)
        except ProxyError as error:
            collector.bodyFailed(error)
        else:
            self.start(collector)
        return collector.done

    def _check_declared(self, limit: int) -> None:
        if self.length:
            if self.length > limit:
                raise too_large(limit)
            account = self._account()
            if account is not None:
                account.check(self.length)

    def _account(self) -> Hold | None:
        if self._exchange_over:
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
            self._deliver_end()

    def _deliver_end(self) -> None:
        if self._delivered or self._sink is None:
            return
        if self._failure is not None:
            self._delivered = True
            self._waiting.clear()
            self._sink.bodyFailed(self._failure)
        elif self.complete and not self._waiting and not self._paused:
            self._delivered = True
            self._sink.bodyEnded()


def too_large(limit: int) -> BodyTooLarge:
    """The 413 that names the limit in bytes."""
    return BodyTooLarge(f"Request body is over the limit of {limit} bytes")


class _Collector:
    def __init__(self, body: RequestBody, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: body.discard())
        self._body = body
        self._limit = limit
        self._data = bytearray()  # a list would take 40 bytes more for each piece

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
    """A request body as the ``IBodyProducer`` that an upstream connection reads from.

    :param limit: bytes; one more, and the exchange fails with :exc:`BodyTooLarge`.
    :param missing: fails the exchange if the body turns out to have no byte.
    """

    def __init__(self, body: IRequestBody, limit: int, missing: ProxyError | None = None) -> None:
        if body.length is not None and body.length > limit:
            raise too_large(limit)
        self._body = body
        self._limit = limit
        self._missing = missing
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
        if self._missing is not None and not self._size:
            self.bodyFailed(self._missing)
        elif not self._done.called:
            self._done.callback(None)

    def bodyFailed(self, error: Exception) -> None:
        if not self._done.called:
            self._done.errback(error)


class BrowserGone(ProxyError):
    """The browser left before its exchange was over, so no answer is sent."""

    status, code, default = 499, "CLIENT_GONE", "The client closed the connection"
