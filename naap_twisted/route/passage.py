"""Carries the body of an upstream's response to the browser as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from zope.interface import implementer

from ..errors import UpstreamCut
from ..framing.codings import Inflater, Unreadable
from ..interfaces import IDownstreamRequest
from ..spend.model_tokens import ModelTokenMeter

_SLICE = 64 * 1024


class Stage(TypingProtocol):
    """What changes a body on its way: it may keep some bytes until it has seen more."""

    def feed(self, data: bytes) -> bytes:
        """What goes on once *data* has come."""

    def end(self) -> bytes:
        """What is left at the body's end."""


@implementer(IPushProducer)
class Passage(Protocol):
    """Carries an upstream's body to the browser, under the browser's back-pressure.

    :param stages: what changes the body, one after the other.
    :param inflater: decodes the content coding, a slice at a time, because a browser that does not
        read must not let a small body on the wire become much memory.
    :param most: bytes that may come, and of those that go on where *inflater* undoes a coding; past
        them the answer is cut as one that the upstream broke off. ``None``: any number.
    :ivar done: fires when the browser has the whole body; fails with UpstreamCut where it is cut.
    """

    transport: Any

    def __init__(
        self,
        request: IDownstreamRequest,
        stages: Sequence[Stage],
        meter: ModelTokenMeter | None,
        inflater: Inflater | None = None,
        most: int | None = None,
    ) -> None:
        self._request = request
        self._stages = stages
        self._meter = meter
        self._inflater = inflater
        self._most = most
        self._received = self._inflated = 0
        self.done: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._over = False
        self._paused = False
        self._ended: Failure | None = None

    def connectionMade(self) -> None:
        self._request.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._received += len(data)
        if self._inflater is None:
            self._pass_on(data, self._received)
        elif not self._is_past(self._received):
            self._inflater.put(data)
            self._inflate(self._inflater)

    def _is_past(self, size: int) -> bool:
        """Whether the answer is longer than it may be; it is cut then."""
        if self._most is None or size <= self._most:
            return False
        record = self._request.record
        record.reason, record.rule = f"the answer is over {self._most} bytes", "max_response"
        self.transport.loseConnection()
        self._end(Failure(UpstreamCut(record.reason)))
        return True

    def _inflate(self, inflater: Inflater) -> None:
        try:
            while inflater.waits and not self._paused and not self._over:
                piece = inflater.take(_SLICE)
                self._inflated += len(piece)
                self._pass_on(piece, self._inflated)
            if self._ended is not None and not inflater.waits:
                inflater.end()
        except Unreadable as error:
            self.transport.loseConnection()
            self._end(Failure(UpstreamCut(str(error))))

    def _pass_on(self, data: bytes, sofar: int) -> None:
        if self._meter is not None:
            # Before the stages, which keep some bytes for the end, and before a cut: the upstream
            # has made this piece.
            self._meter.feed(data)
        if self._is_past(sofar):
            return
        for stage in self._stages:
            data = stage.feed(data)
        if data:
            self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        inflater = self._inflater
        if inflater is not None and reason.check(ResponseDone, PotentialDataLoss):
            self._ended = reason
            self._inflate(inflater)
            if inflater.waits:
                return  # the browser has paused; resumeProducing() goes on
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        if self._over:
            return
        self._over = True
        request = self._request
        request.record.mark("relay")
        self._tell_tokens()
        if reason.check(ResponseDone, PotentialDataLoss):
            rest = self._rest()
            if rest:
                request.write(rest)
            request.unregisterProducer()
            request.finish()
            self.done.callback(None)
        else:
            request.record.outcome = "upstream_cut"
            request.abort()
            self.done.errback(UpstreamCut(reason.getErrorMessage()))

    def _rest(self) -> bytes:
        rest = b""
        for stage in self._stages:
            rest = stage.feed(rest) + stage.end()
        return rest

    def pauseProducing(self) -> None:
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._inflater is not None:
            self._inflate(self._inflater)
            if self._paused or self._over:
                return
            if self._ended is not None:
                self._end(self._ended)
                return
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The browser is gone."""
        if not self._over:
            self._over = True
            self._tell_tokens()
            self.transport.loseConnection()

    def _tell_tokens(self) -> None:
        meter, record = self._meter, self._request.record
        if meter is not None:
            record.model_tokens = meter.so_far()
            record.answer_text, record.answer_events = meter.text_bytes, meter.events
            record.report_is_partial = meter.is_partial
            if record.upstream_status < 300:
                record.answer_model = meter.model
