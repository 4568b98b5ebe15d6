"""One connection to an upstream, with one exchange at a time (RFC 9112).

:mod:`.states` alone decides whether a connection goes back to the pool. The head of an answer is
handed on as soon as it is complete.
"""

from __future__ import annotations

from collections.abc import Hashable
from select import poll
from typing import Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse
from zope.interface import implementer

from .._twisted import listening_below, unread, unsent
from ..deadlines import NEVER, Ticker
from ..errors import BadGateway, ProxyError, UpstreamCut, UpstreamTimeout
from ..framing.body import BodyDecoder, body_decoder
from ..framing.fields import FramingError, HeadBuffer, HeadLimits, KnownLines
from ..framing.head import ResponseHead, check_status_line, parse_response
from ..model import OutboundRequest
from . import states
from .response import UpstreamResponse
from .sender import Sender
from .states import State
from .tls import cause_of
from .wire import serialise_head

_LIMITS = HeadLimits(size=64 * 1024, lines=200)
# Interim answers, and their bytes, that one exchange may have. A server that converts a document
# may send a 102 every second; what bounds them in time is the deadline of the head.
_MAX_INTERIM = 100
_MAX_INTERIM_BYTES = 256 * 1024

#: An origin under one egress policy, and who is known there: the user whose own key it gets, the
#: certificate that it was shown; ``None``: nobody but the route.
PoolKey = tuple[Hashable, Hashable]


class StaleConnection(BadGateway):
    """A reused connection closed before a byte of the answer: a safe request may be sent again."""


class Keeper(Protocol):
    """The pool, as its connections see it."""

    def made(self, connection: UpstreamConnection) -> None:
        """*connection* is open."""

    def released(self, connection: UpstreamConnection) -> None:
        """*connection* may be reused."""

    def withdrawn(self, connection: UpstreamConnection) -> None:
        """*connection* is idle and may not be reused any more."""

    def lost(self, connection: UpstreamConnection) -> None:
        """*connection* is closed."""


@implementer(IHandshakeListener)
class UpstreamConnection(Sender):
    """A connection that speaks HTTP/1.1 as a client.

    :param keeper: is told when the connection is open, may be reused, or is lost.
    :param key: the key under which it may be reused.
    :ivar ready: fires with the connection once TCP and TLS are up.
    :ivar reused: it has served an exchange before.
    """

    def __init__(self, ticker: Ticker, keeper: Keeper, key: PoolKey) -> None:
        super().__init__()
        self._ticker = ticker
        self._keeper = keeper
        self.key = key
        self.ready: Deferred[UpstreamConnection] = Deferred(lambda _: self.abort())
        self.reused = False
        self.deadline = NEVER
        self._answer: Deferred[IResponse] | None = None
        self._decoder: BodyDecoder | None = None
        self._head = HeadBuffer(_LIMITS)
        self._known = KnownLines()
        self._interim = self._interim_bytes = 0
        self._odd = False
        self._total_at = NEVER
        self._reading = True
        self._heard = False
        self._below: poll | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._below = listening_below(self.transport)
        self._keeper.made(self)
        if not ISSLTransport.providedBy(self.transport):
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """TLS is up and the certificate is verified, or the connection is plain TCP."""
        if not self.ready.called:
            self.ready.callback(self)

    def usable(self) -> bool:
        """Whether the connection may take a request now; it is closed where it may not.

        The socket itself is asked, because the reactor may not have read it yet: an unsolicited
        answer there would be taken for the next request's. On TLS any record counts, even one
        without data, since an idle connection has to be silent.
        """
        below = self._below
        if self.state is states.IDLE and (below is None or not unread(below)):
            return True
        self.abort()
        return False

    # Sending.

    def exchange(self, outbound: OutboundRequest, total_at: float) -> Deferred[IResponse]:
        """Send *outbound*; the Deferred fires at the head of its answer.

        :param total_at: the point on the ticker's clock at which the exchange has to be over.
        """
        if self.state is not states.IDLE:
            return fail(BadGateway(reason=f"asked on a connection that is {self.state.name}"))
        try:
            head = serialise_head(outbound)
        except ValueError:
            self.abort()  # neither the pool nor an exchange would ever close it
            raise
        self._outbound = outbound
        self._total_at = total_at
        self._interim = self._interim_bytes = 0
        self._odd = False
        self._heard = False
        answer = self._answer = Deferred(lambda _: self.abort())
        self._ticker.watch(self)
        self._send(head, outbound.body)
        return answer

    # Receiving.

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        try:
            if self._decoder is None:
                self._read_heads(data)
            else:
                self._read_body(data)
        except FramingError as error:
            self._fail(Failure(BadGateway(reason=f"bad framing from upstream: {error}")))

    def _read_heads(self, data: bytes) -> None:
        outbound = self._outbound
        if outbound is None or self.state.answer is not states.AWAITED:
            raise FramingError("bytes that answer nothing")
        while self.state.answer is states.AWAITED:
            block_and_rest = self._head.feed(data)
            if block_and_rest is None:
                line = self._head.first_line()
                if line is not None:
                    check_status_line(line)
                return
            block, data = block_and_rest
            head = parse_response(block, outbound.method, _LIMITS, self._known)
            if head.status < 200:
                self._count_interim(head, len(block))
                if not data:
                    return
                continue
            if self.state is states.WRITTEN and not unsent(self.transport):
                self.state = states.ON_GONE[self.state]
            goes_on = head.keep_alive and not self._odd
            self.state = (states.ON_HEAD if goes_on else states.ON_LAST_HEAD)[self.state]
            if self.state is states.OVERTAKEN and head.status >= 400:
                self._refused()
            response = UpstreamResponse(head, self._flow, self.abort)
            if head.body_length == len(data):
                self._complete(response, data)
                return
            self._response = response
            self._decoder = body_decoder(head.body_length)
            response.body_follows = bool(data) and head.body_length != 0
            self._due(outbound.timeouts.idle)
            answer, self._answer = self._answer, None
            if answer is not None:
                answer.callback(response)
            if not response.taken:
                self._read(False)
        if head.body_length == 0:
            self._finish(data)
        elif data and not self.closed:
            self._read_body(data)

    def _count_interim(self, head: ResponseHead, size: int) -> None:
        """Count an interim answer; an odd one makes the final answer the connection's last."""
        self._interim += 1
        self._interim_bytes += size
        self._odd = self._odd or not head.keep_alive
        if head.status == 101:
            raise FramingError("a protocol was switched that nobody asked to switch")
        if self._interim > _MAX_INTERIM or self._interim_bytes > _MAX_INTERIM_BYTES:
            raise FramingError("too many interim answers")

    def _complete(self, response: UpstreamResponse, body: bytes) -> None:
        """Take a small answer in one piece: its exchange is over before the relay hears of it."""
        answer, self._answer = self._answer, None
        self._end(states.ON_END)
        response.complete(body)
        if self.state is states.IDLE:
            self._release()
        if answer is not None:
            answer.callback(response)  # before the abort: the connector asks for a TLS session
        if self.state is states.CLOSED:
            self.transport.abortConnection()

    def _release(self) -> None:
        # The pool has it before the relay hears of the end, so that a next request finds it there.
        self._read(True)
        self.reused = True
        self._keeper.released(self)

    def _read_body(self, data: bytes) -> None:
        response, decoder = self._response, self._decoder
        if response is None or decoder is None:
            return
        if self._reading:
            self._due(self._outbound.timeouts.idle if self._outbound else None)
        pieces, rest = decoder.feed(data)
        if pieces:
            response.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if rest is not None and not self.closed:
            self._finish(rest)

    def _finish(self, surplus: bytes) -> None:
        response = self._response
        if response is None or self.closed:
            return
        odd = self._decoder is not None and self._decoder.odd
        self._end(states.ON_BROKEN if surplus or odd else states.ON_END)
        if self.state is states.IDLE:
            self._release()
        else:
            self.transport.abortConnection()
        response.end()

    def _end(self, event: dict[State, State]) -> None:
        self.state = event[self.state]
        self._forget()

    def _forget(self) -> None:
        self._ticker.unwatch(self)
        self.deadline = NEVER
        self._cease()
        self._outbound = self._response = self._decoder = None

    # Flow, deadlines, endings.

    def _flow(self, wanted: bool) -> None:
        if self.closed or self._response is None:
            return
        self._read(wanted)
        if wanted:
            self._due(self._outbound.timeouts.idle if self._outbound else None)
        else:
            # Back-pressure stopped the upstream; the channel's write deadline times the browser.
            self.deadline = self._total_at

    def _read(self, wanted: bool) -> None:
        if wanted is not self._reading and not self.closed:
            self._reading = wanted
            (self.transport.resumeProducing if wanted else self.transport.pauseProducing)()

    def _due(self, seconds: float | None) -> None:
        at = NEVER if seconds is None else self._ticker.now() + seconds
        self.deadline = min(at, self._total_at)

    def wait_idle(self, seconds: float) -> None:
        """Close unless reused within *seconds*."""
        self.deadline = self._ticker.now() + seconds
        self._ticker.watch(self)

    def deadline_passed(self) -> None:
        """Close an idle connection, or fail the exchange with :exc:`UpstreamTimeout`.

        An exchange whose answer is awaited by others than its caller goes on.
        """
        if self.state is states.IDLE:
            self.abort()
            return
        reason = f"{self._option_in_force()} passed"
        late = self._outbound.late if self._outbound else None
        more = late(reason) if late is not None else 0.0
        if more > 0:
            self._total_at = self.deadline = self._ticker.now() + more
        else:
            self._fail(Failure(UpstreamTimeout(reason=reason)))

    def _option_in_force(self) -> str:
        """The option of the deadline that is set, for the log: it is the one to change."""
        if self.deadline == self._total_at:
            return "total_timeout"
        if self.state in (states.WRITTEN, states.AWAITING):
            return "timeout (from the request sent to the response head)"
        return "idle_timeout (between two pieces of a body)"

    def abort(self) -> None:
        """Reset the connection; ``connectionLost`` fails the exchange."""
        if self.state is states.IDLE:
            self._keeper.withdrawn(self)
        self.state = states.ON_BROKEN[self.state]
        self._ticker.unwatch(self)
        if self.transport is not None:
            self.transport.abortConnection()

    def _fail(self, failure: Failure) -> None:
        answer, self._answer = self._answer, None
        response = self._response
        self._forget()
        self.abort()
        if answer is not None and not answer.called:
            error = failure.value
            if isinstance(error, ProxyError) and error.http_status >= 500:
                error.once_sent()
            answer.errback(failure)
        elif response is not None:
            error = failure.value
            why = error.reason if isinstance(error, ProxyError) else str(error)
            response.end(Failure(UpstreamCut(why)))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.state = states.ON_BROKEN[self.state]
        if not self.ready.called:
            self.ready.errback(BadGateway(reason=f"TLS or connection failed: {cause_of(reason)}"))
        response, decoder = self._response, self._decoder
        if (
            response is not None
            and decoder is not None
            and decoder.eof()
            and reason.check(ConnectionDone)
        ):
            self._forget()
            response.end()
        elif self._outbound is not None:
            stale = self.reused and not self._heard
            error = (StaleConnection if stale else BadGateway)(
                reason=f"upstream closed early: {cause_of(reason)}"
            )
            self._fail(Failure(error))
        self._ticker.unwatch(self)
        self._keeper.lost(self)
