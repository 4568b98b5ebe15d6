"""The first exchange of an idempotency key, which may outlive its caller.

Where our own 504 or the caller's leaving comes before the upstream's answer, the exchange goes on
within bounds: what it cost is booked as the answer reports it, and the answer waits for the retry.
An answer is kept if it is whole and a retry should get it again. Those that a retry may change
(401, 403, 408, 409, 425, 429, 5xx) are not, nor one that broke off: there the upstream, which gets
the same key, knows best.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from ..downstream.record import ExchangeRecord
from ..errors import UpstreamCut, UpstreamTimeout
from ..framing.codings import coding_of
from ..framing.fields import Fields
from ..limits.replays import Replays, Running, retry_after
from ..spend.book import UsageBook
from ..spend.model_tokens import ModelTokenMeter
from ..spend.tokens import TokenMembers
from ..upstream.beginning import discard
from .bill import Bill
from .kept_answer import Headed, packed
from .relay import response_fields
from .scrub import Guard

# Statuses under 500 whose cause may be gone when the retry comes.
_PASSING = frozenset((401, 403, 408, 409, 425, 429))
_NOT_KEPT = "{route} does not keep the answer to {request_id} for a retry: {why}"


class FirstExchange:
    """The first exchange of a key: with its caller, and where the caller leaves without.

    :ivar is_alone: it has gone on without its caller.
    """

    def __init__(
        self,
        running: Running[Guard],
        record: ExchangeRecord,
        replays: Replays[Guard],
        book: UsageBook | None,
        log: Logger,
    ) -> None:
        self._running = running
        self._record = record
        self._replays = replays
        self._book = book
        self._log = log
        self._pending: Deferred[Headed] | None = None
        self._waiting: Deferred[Headed] | None = None
        self._teed: TeedResponse | None = None
        self._bill: Bill | None = None
        self._members: TokenMembers | None = None
        self._handed_over = False
        self._ended: tuple[IResponse | None, bytes, BaseException | None] | None = None
        self.is_alone = False

    # The caller's side.

    def head(self, pending: Deferred[Headed]) -> Deferred[Headed]:
        """What *pending* gives, for the caller, who may cancel it: *pending* may go on then."""
        self._pending = pending
        waiting: Deferred[Headed] = Deferred(lambda _: self._left())
        self._waiting = waiting
        pending.addCallbacks(self._arrived, self._failed).addErrback(self._broken)
        return waiting

    def late(self, reason: str) -> float:
        """The seconds that the exchange may go on, a deadline of which has passed.

        The caller gets its 504 now if it has no head yet.
        """
        waiting = self._waiting
        if self.is_alone:
            return self._running.left
        if waiting is None or waiting.called or not self._go_on_alone():
            return 0.0
        ran = self._replays.clock.seconds() - self._running.began
        waiting.errback(Failure(UpstreamTimeout(reason=reason, retry_after=retry_after(ran))))
        return self._running.left

    def hand_over(self, bill: Bill | None, members: TokenMembers | None) -> bool:
        """End the caller's part; whether the exchange goes on, and settles *bill* itself.

        :param members: where the answer reports tokens, if they are to be counted.
        """
        if self._waiting is None:
            self._running.release()  # Nothing was sent.
        elif self._teed is not None:
            self._teed.abandon()
        if not self.is_alone:
            return False
        self._handed_over = True
        self._bill, self._members = bill, members
        # What the caller saw has its own line in the log; the tokens are counted once, at the end.
        seen, self._record = self._record, evolve(self._record)
        seen.model_tokens = None
        if self._ended is not None:
            self.settle(*self._ended)
        return True

    def _left(self) -> None:
        if not self._go_on_alone() and self._pending is not None:
            self._pending.cancel()

    def _go_on_alone(self) -> bool:
        if not self._running.go_on_alone(self._cut):
            return False
        self.is_alone = True
        return True

    def _cut(self) -> None:
        """The time without a caller is over, or the server stops."""
        if self._teed is not None:
            self._teed.cut()
        elif self._pending is not None:
            self._pending.cancel()

    # The upstream's side.

    def _arrived(self, headed: Headed) -> None:
        (response, target, guard), waiting = headed, self._waiting
        assert waiting is not None
        body = getattr(response, "complete_body", None)
        keeps = response.code < 500 and response.code not in _PASSING
        if not keeps:
            self._note(f"status {response.code}")
        elif body is not None:
            if self._running.take(len(body)):
                self.keep(headed, body)
            else:
                self._note("it is too long", "too_long")
        else:
            self._teed = TeedResponse(self, headed)
            headed = self._teed, target, guard
        if not waiting.called:
            waiting.callback(headed)
        elif self._teed is not None:
            self._teed.abandon()
        else:
            # Nobody takes the body of an answer that is not kept, or that is here already.
            discard(response)
            self.settle(response, body or b"", None)

    def _failed(self, failure: Failure) -> None:
        waiting = self._waiting
        assert waiting is not None
        if waiting.called:
            self._note("no answer came")
            self.settle(None, b"", failure.value)
        else:
            self._running.release()
            waiting.errback(failure)

    def _broken(self, failure: Failure) -> None:
        """A bug of ours must not let the caller wait, nor the key be taken for ever."""
        self._log.failure("{route} lost an answer", failure, route=self._record.route)
        self._running.release()
        if self._waiting is not None and not self._waiting.called:
            self._waiting.errback(failure)

    def take(self, size: int) -> bool:
        """Count *size* bytes that came; whether the answer can be kept still."""
        if self._running.over:
            return False
        if self._running.take(size):
            return True
        self._note("it is too long", "too_long")
        return False

    def keep(self, headed: Headed, body: bytes) -> None:
        """Keep a whole answer."""
        self._running.keep(packed(headed, body), headed[2])

    def stop_keeping(self, why: str) -> None:
        """Free the key: the answer will not be whole."""
        self._note(why)

    def abandoned(self) -> bool:
        """Whether the answer's rest is wanted, though the caller takes no more of it."""
        return self._go_on_alone()

    def settle(self, response: IResponse | None, body: bytes, error: BaseException | None) -> None:
        """Book what the exchange did cost, which is over, if it has gone on without its caller."""
        if not self._handed_over:
            # The rest of a body may come at once, before the caller's part has ended.
            self._ended = (response, body, error) if self.is_alone else None
            return
        bill, record, members = self._bill, self._record, self._members
        self._bill = self._members = None
        if response is not None:
            record.upstream_status = response.code
            if members is not None:
                fields = response_fields(response)
                kind = next((value for name, value in fields if name == b"content-type"), b"")
                meter = ModelTokenMeter(kind, coding_of(fields), members)
                meter.feed(body)
                record.model_tokens = meter.so_far()
                record.answer_text, record.answer_events = meter.text_bytes, meter.events
                record.report_is_partial = meter.is_partial
                if response.code < 300:
                    record.answer_model = meter.model
        if bill is not None:
            bill.settle(record, error)
        self._log.info(
            "{route} has seen the end of {request_id} after its caller had left: status {status}",
            route=record.route,
            request_id=record.request_id,
            status=record.upstream_status or "none",
        )
        if self._book is not None:
            self._book.late(record)

    def _note(self, why: str, outcome: str = "released") -> None:
        if self._running.over:
            return
        self._running.release(outcome)
        record = self._record
        self._log.debug(_NOT_KEPT, route=record.route, request_id=record.request_id, why=why)


@implementer(IResponse, IPushProducer)
class TeedResponse(Protocol):
    """A response whose body goes to its caller, and is gathered beside that.

    It is the protocol that takes the upstream's body, and the transport of the one that takes the
    caller's. Where the caller takes no more, the rest is gathered alone.

    :ivar fields: see :class:`~naap_twisted.upstream.response.UpstreamResponse`, as for the rest.
    """

    transport: Any
    version = (b"HTTP", 1, 1)
    phrase = b""
    request = None
    previousResponse = None
    disconnecting = False
    complete_body = None

    def __init__(self, first: FirstExchange, headed: Headed) -> None:
        response = headed[0]
        self.code = response.code
        self.fields: Fields = response_fields(response)
        self.headers: Headers = response.headers
        self.length: Any = getattr(response, "length", UNKNOWN_LENGTH)
        self.body_follows = getattr(response, "body_follows", False)
        self._first = first
        self._headed = headed
        self._gathered = bytearray()
        self._gathers = True
        self._consumer: IProtocol | None = None
        self._taken = False
        self._over = False

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give the body to *protocol*."""
        self._consumer = protocol
        self._taken = True
        protocol.makeConnection(self)  # type: ignore[arg-type]
        self._headed[0].deliverBody(self)

    def setPreviousResponse(self, response: object) -> None:
        """Redirects that were followed are not told."""
        raise NotImplementedError("an upstream response has no history")

    # The upstream's body comes.

    def dataReceived(self, data: bytes) -> None:
        if self._gathers:
            if self._first.take(len(data)):
                self._gathered += data
            elif self._consumer is None:
                self._end_alone("it is too long")
            else:
                self._gathers = False
                self._gathered.clear()
        if self._consumer is not None:
            self._consumer.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._over:
            return
        self._over = True
        whole, consumer = bool(reason.check(ResponseDone, PotentialDataLoss)), self._consumer
        body = bytes(self._gathered)
        self._gathered.clear()
        if whole and self._gathers:
            self._first.keep(self._headed, body)
        elif not whole:
            self._first.stop_keeping(reason.getErrorMessage() or "it broke off")
        self._consumer = None
        if consumer is not None:
            consumer.connectionLost(reason)
        else:
            error = None if whole else UpstreamCut(reason.getErrorMessage())
            self._first.settle(self._headed[0], body, error)

    # The transport of the caller's side.

    def pauseProducing(self) -> None:
        if self._consumer is not None:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self._consumer is not None:
            self.transport.resumeProducing()

    def loseConnection(self) -> None:
        """The caller takes no more: the rest is gathered alone, or the exchange ends."""
        if self._consumer is None or self._over:
            return
        self._consumer = None
        if self._gathers and self._first.abandoned():
            self.transport.resumeProducing()
        else:
            self._first.stop_keeping("its caller left")
            self.transport.loseConnection()

    abortConnection = stopProducing = loseConnection

    def abandon(self) -> None:
        """Gather the body alone, where nobody has taken it, or end the exchange."""
        if self._taken:
            return
        self._taken = True
        if self._first.abandoned():
            self._headed[0].deliverBody(self)
        else:
            self._first.stop_keeping("its caller left")
            self._over = True
            discard(self._headed[0])

    def cut(self) -> None:
        """End the exchange now."""
        if not self._over:
            self._end_alone("its time is over")

    def _end_alone(self, why: str) -> None:
        # Settled first: not every transport tells of a connection that was lost on purpose.
        self.connectionLost(Failure(UpstreamCut(why)))
        if self.transport is not None:
            self.transport.loseConnection()
