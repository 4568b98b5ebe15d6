"""One browser connection: its bytes become requests, and answers become bytes (RFC 9112).

The states of a connection:

- HEAD: it waits for a request head, or is inside one. No exchange is in flight.
- BODY: an exchange is in flight, and its request body is still coming in.
- ANSWER: the request body is complete, and the answer is not. Reading goes on, within a bound, so
  that a browser that leaves is noticed; pipelined requests wait for their turn.
- LINGER: the last answer is out and said ``Connection: close``. The unread rest of the request is
  drained, because a reset would destroy the answer on its way: see :mod:`.lingering`.
- CLOSED: nothing is read or written any more.

A request is handed on at the end of its *head*.

(More than 400 lines: the states share one deadline and are only right when read together. Writing,
which does not touch them, is in :mod:`.outflow`.)
"""

from __future__ import annotations

import enum
from typing import Any

from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from .._twisted import RequestChannel
from ..deadlines import NEVER
from ..errors import BadRequest, HeadersTooLarge, ProxyError, RequestTimeout, UriTooLong
from ..framing.body import LEAST_CHARGE, BodyDecoder, body_decoder
from ..framing.fields import FramingError, HeadBuffer, HeadTooLarge, KnownLines
from ..framing.head import (
    CHUNKED,
    RequestHead,
    check_request_line,
    parse_request,
    readable_part,
)
from .answer import PHRASES, refusal_fields
from .body import BrowserGone, RequestBody
from .caller import rate_key
from .held import Hold
from .lingering import Linger
from .liveness import peer_closed
from .outflow import Outflow
from .record import ExchangeRecord
from .request import DownstreamRequest
from .seams import Serving

_LIVENESS_INTERVAL = 0.5


class State(enum.Enum):
    """The states that the module's docstring describes."""

    HEAD = 0
    BODY = 1
    ANSWER = 2
    LINGER = 3
    CLOSED = 4


class Channel(RequestChannel, Outflow):
    """One connection, which ``twisted.web.http.Request`` calls its channel."""

    site: Serving

    def __init__(self, site: Serving) -> None:
        super().__init__()
        self.site = site
        self.factory = site
        self._limits = site.limits
        self._state = State.HEAD
        self._head = HeadBuffer(site.limits.head)
        self._known = KnownLines()
        self._request: DownstreamRequest | None = None
        self._body = RequestBody(None, 0)
        self._decoder: BodyDecoder | None = None
        self._pipelined = b""
        self._turn: Any = None  # the delayed call that goes on with pipelined requests
        self._advancing = False
        self._close_after = False
        self._owes_continue = False  # the browser waits for 100 before it sends the body
        self._reading = True
        self._linger: Linger | None = None
        self._closing = False
        self._stray = 0  # bytes of a CRLF before a request
        self._crumbs = 0  # reads of a few bytes within one request
        self._body_clock = 0.0  # the moment from which the body's minimum rate counts
        self.deadline = NEVER

    # The transport's side.

    def connectionMade(self) -> None:
        super().connectionMade()
        self.deadline = self.site.ticker.now() + self._limits.head_timeout
        self.site.ticker.watch(self)
        self.site.connection_opened(self)

    def dataReceived(self, data: bytes) -> None:
        if len(data) < LEAST_CHARGE:
            self._crumbs += 1
            limits = self._limits
            # A client may write each chunk's size line and end by themselves, for as long as it has
            # something to say: what it said pays for that.
            paid = self._body.received // limits.bytes_per_crumb
            if self._crumbs > limits.crumbs + paid:
                self._refuse_crumbs()
                return
        self._advance(data)

    def connectionLost(self, reason: Failure = Failure(BrowserGone())) -> None:  # noqa: B008
        if self._state is State.HEAD and self._head:
            self.site.broken_off(self)
        self._state = State.CLOSED
        self.closed = True
        if self._linger is not None:
            self._linger.end()
        self.site.ticker.unwatch(self)
        self.site.connection_closed(self)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._body.fail(BrowserGone())
        request, self._request = self._request, None
        if request is not None:
            request.connectionLost(reason)

    def _advance(self, data: bytes) -> None:
        if self._advancing or self._turn is not None:
            self._pipelined += data
            return
        self._advancing = True
        try:
            while data and self._state is not State.CLOSED:
                data = self._step(data)
                if self._state is State.HEAD and (data or self._pipelined):
                    # Other connections come first: one packet may hold a thousand requests.
                    data, self._pipelined = b"", data + self._pipelined
                    self._read(False)
                    self._turn = self.site.reactor.callLater(0, self._next_turn)
        finally:
            self._advancing = False

    def _next_turn(self) -> None:
        self._turn = None
        if self._state is State.HEAD and not self._blocked:
            self._read(True)
            data, self._pipelined = self._pipelined, b""
            self._advance(data)

    def _step(self, data: bytes) -> bytes:
        if self._state is State.HEAD and not self._blocked:
            return self._read_head(data)
        if self._state is State.BODY:
            return self._read_body(data)
        if self._state in (State.ANSWER, State.HEAD):
            self._pipelined += data
            if len(self._pipelined) > self._limits.pipelined:
                self.abort()
        elif self._state is State.LINGER:
            self._drain(data)
        return b""

    # Reading a request.

    def _read_head(self, data: bytes) -> bytes:
        if not self._head:
            if self._stray or data[0] in b"\r\n":
                data = self._skip_crlf(data)
                if not data:
                    return b""
            self._stray = 0
            self.deadline = self.site.ticker.now() + self._limits.head_timeout
        block = b""
        try:
            block_and_rest = self._head.feed(data)
            if block_and_rest is None:
                line = self._head.first_line()
                if line is not None:
                    check_request_line(line)
                return b""
            block, rest = block_and_rest
            head = parse_request(block, self._limits.head, self._known)
        except FramingError as error:
            kind = HeadersTooLarge if isinstance(error, HeadTooLarge) else BadRequest
            self._refuse_head(kind(reason=str(error)), block)
            return b""
        if len(head.target) > self._limits.uri:
            path, _, query = head.target.partition(b"?")
            if max(len(path), len(query)) > self._limits.uri:
                self._refuse_head(UriTooLong(reason="request target too long"), block)
                return b""
        return self._begin(head, rest)

    def _skip_crlf(self, data: bytes) -> bytes:
        """Skip one CRLF between requests (RFC 9112 section 2.2), which moves no deadline."""
        data = b"\r\n"[: self._stray] + data
        if b"\r\n".startswith(data):
            self._stray = len(data)
            return b""
        return data.removeprefix(b"\r\n")

    def _begin(self, head: RequestHead, rest: bytes) -> bytes:
        self._close_after = not head.keep_alive or head.minor == 0 or self.site.closing
        length = None if head.body_length == CHUNKED else head.body_length
        body = self._body = RequestBody(self, length)
        self._owes_continue = head.expect_continue and not body.complete
        self.deadline = NEVER
        if body.complete:
            self._state = State.ANSWER
            self._decoder = None
        else:
            self._state = State.BODY
            self._decoder = body_decoder(head.body_length, self._limits.chunk_framing)
            self._body_clock = self.site.ticker.now()
            if rest:
                # The bytes that came with the head are fed first: most bodies are complete then,
                # so that a refusal of the request needs no closed connection.
                rest = self._read_body(rest)
                if self._state not in (State.BODY, State.ANSWER):
                    return b""  # the body's framing was refused
            if not body.complete:
                self.pause_body(body)
        request = self._request = self.site.requestFactory(self, head, body)
        request.process()
        return rest

    def _read_body(self, data: bytes) -> bytes:
        if self._decoder is None:
            return b""  # the framing broke before, so no later byte has a meaning
        self._owes_continue = False
        body = self._body
        try:
            pieces, rest = self._decoder.feed(data)
        except FramingError as error:
            self._break_body(BadRequest(reason=str(error)))
            return b""
        if rest is not None:
            # The state changes before the last piece is fed, so that its sink sees a complete body.
            body.complete = True
            self._state = State.ANSWER
            self._decoder = None
            self.deadline = NEVER
        if pieces:
            body.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if rest is None:
            return b""
        body.end()
        self._read(True)
        return rest

    def _break_body(self, refusal: BadRequest) -> None:
        """Fail the body: its further bytes have no meaning any more."""
        self._close_after = True
        self._decoder = None
        handed_on = self._request is not None  # fail() may let it be answered and forgotten
        self._body.fail(refusal)
        if not handed_on:
            self._refuse(refusal)

    def _refuse_crumbs(self) -> None:
        """Refuse a request that came in too many tiny reads, each of which costs as a large one.

        A TLS record is a read of its own, so a single packet can hold thousands.
        """
        refusal = BadRequest(reason="a request in too many pieces")
        if self._state is State.HEAD:
            self._refuse_head(refusal)
        elif self._state is not State.BODY:
            self.abort()
        elif self._decoder is not None:
            self._break_body(refusal)

    def want_body(self, body: RequestBody) -> None:
        """Read the body on for its sink, and send 100 if the browser waits for it."""
        if body is not self._body or self._state is not State.BODY:
            return
        if self._owes_continue:
            self._owes_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._reading:
            # The clock of the minimum rate stands still while back-pressure stops the browser.
            self._body_clock = self.site.ticker.now() - body.received / self._limits.body_rate
        self._read(True)
        if not self._blocked:
            self.deadline = self._body_due()

    def pause_body(self, body: RequestBody) -> None:
        """Stop reading the body while its sink takes nothing."""
        if body is self._body and self._state is State.BODY:
            self._read(False)
            if not self._blocked:  # otherwise the write deadline goes on
                self.deadline = self.site.ticker.now() + _LIVENESS_INTERVAL

    def open_hold(self) -> Hold:
        """An entry in the server's account, under the key that rate limits have for the caller."""
        return Hold(self.site.held, self._caller(self._request))

    def _caller(self, request: DownstreamRequest | None) -> str:
        client = request.record.client if request is not None else ""
        return rate_key(client or getattr(self._peer, "host", ""))

    def _body_due(self) -> float:
        limits = self._limits
        return self._body_clock + limits.body_grace + self._body.received / limits.body_rate

    def _read(self, wanted: bool) -> None:
        if wanted is not self._reading:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    # Deadlines.

    def deadline_passed(self) -> None:
        """Act on a deadline, whose meaning depends on the state."""
        now = self.site.ticker.now()
        if self._linger is not None and not self._closing and self._linger.goes_on(now):
            self._drain(b"")
        elif self._blocked:
            self.abort()
        elif self._state is State.BODY and not self._reading:
            if peer_closed(self.transport):
                self.abort()
            else:
                self.deadline = now + _LIVENESS_INTERVAL
        elif self._state is State.BODY:
            self.deadline = self._body_due()
            if self.deadline <= now:
                self.deadline = NEVER
                self._close_after = True
                self._body.fail(RequestTimeout(reason="body too slow"))
        elif self._state is State.HEAD and self._head:
            self._refuse_head(RequestTimeout(reason="head too slow"))
        elif self._state is State.LINGER and not self._closing:
            self.loseConnection()  # a reset would destroy what the kernel still has to deliver
        else:
            self.abort()

    # The request's side: what twisted.web.http.Request asks of its channel.

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Keep a response head until :meth:`write`; its version is 1.1 whatever *version* says."""
        if not self._body.complete or self.site.closing:
            self._close_after = True
        parts = [b"HTTP/1.1 ", code, b" ", reason, b"\r\n"]
        for name, values in headers.getAllRawHeaders():
            for value in values:
                parts += (name, b": ", value, b"\r\n")
        parts.append(b"Connection: close\r\n\r\n" if self._close_after else b"\r\n")
        self._unsent_head = b"".join(parts)

    def requestDone(self, request: DownstreamRequest) -> None:
        """The answer is out: go on to the next request, or close the connection."""
        if request is not self._request:
            return
        self._request = None
        self._crumbs = 0
        self._body.discard()
        if not self._close_after and self._body.complete and not self.site.closing:
            self._state = State.HEAD
            self.deadline = self.site.ticker.now() + self._limits.keep_alive
            if self._blocked:
                self._read(False)
            elif self._pipelined and not self._advancing:
                data, self._pipelined = self._pipelined, b""
                self._advance(data)
        elif self._body.complete:
            self.loseConnection()
        else:
            self._begin_linger(request)

    def _begin_linger(self, request: DownstreamRequest | None = None) -> None:
        self._state = State.LINGER
        self._crumbs = 0  # the count starts anew, for the answer still has to reach the browser
        self.transport.unregisterProducer()
        now, key = self.site.ticker.now(), self._caller(request)
        linger = self._linger = self.site.lingering.enter(key, now, stuck=self._blocked)
        if linger is None:
            self.loseConnection()
            return
        self.deadline = linger.deadline
        self._read(True)
        if not self._tls:
            self.transport.loseWriteConnection()

    def _drain(self, data: bytes) -> None:
        """Drop *data*, a part of a request that is answered; at its end the connection closes."""
        linger = self._linger
        if linger is None or self._closing:
            self._read(False)
            return
        self._read(linger.read(len(data), self.site.ticker.now()))
        self.deadline = linger.deadline
        if self._decoder is not None and data:
            try:
                rest = self._decoder.feed(data)[1]
            except FramingError:
                rest, self._decoder = None, None  # no end of what follows can be told any more
            if rest is not None:
                self.loseConnection()

    def _refuse_head(self, error: ProxyError, block: bytes = b"") -> None:
        """Answer a head that is not served, so that the page that sent it can read why.

        Where its request line and Host can be read, the wrappers see a request that ends in
        *error*: they answer its preflight, and mark its answer for the page's origin.

        :param block: the head; ``b""`` for what is here of it.
        """
        head = readable_part(block or self._head.take(), self._limits.head)
        if head is None or (head.method == b"OPTIONS" and isinstance(error, BadRequest)):
            self._refuse(error)
            return
        self._close_after = True
        self._owes_continue = False
        body = self._body = RequestBody(self, None)
        self._state = State.BODY
        self._decoder = None
        self.pause_body(body)
        request = self._request = self.site.requestFactory(self, head, body)
        request.refusal = self.site.charged(self, error)
        request.process()

    def _refuse(self, error: ProxyError) -> None:
        """Answer bytes that never became a request; what follows them can't be framed either."""
        error, request_id = self.site.refused(self, error)
        payload = error.to_json()
        status = error.http_status
        self.transport.write(
            b"HTTP/1.1 %d %s\r\n%sX-Request-ID: %s\r\nConnection: close\r\n\r\n%s"
            % (
                status,
                PHRASES.get(status, b"Unknown"),
                b"".join(b"%s: %s\r\n" % field for field in refusal_fields(error, payload)),
                request_id.encode("ascii"),
                payload,
            )
        )
        self._begin_linger()

    def malformed_form(self) -> None:
        """Refuse a form that Twisted could not parse."""
        if self._request is not None:
            self._close_after = True
            self._request.refuse(BadRequest(reason="malformed form"))

    def loseConnection(self) -> None:
        """Close once everything written is out; a browser that reads nothing is cut off."""
        if self._state is not State.LINGER:
            self.transport.unregisterProducer()
        self._state = State.LINGER
        self._closing = True
        if not self._blocked:
            self.deadline = self.site.ticker.now() + self._limits.write_timeout
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection, so that the browser sees the answer as incomplete."""
        self._state = State.CLOSED
        self.closed = True
        self.transport.abortConnection()

    abortConnection = abort  # the name that Twisted's transports have for it

    @property
    def exchange(self) -> ExchangeRecord | None:
        """The record of the exchange in flight."""
        return None if self._request is None else self._request.record

    @property
    def idle(self) -> bool:
        """The connection is between two requests, so that a close loses nothing."""
        return self._state is State.HEAD and not self._head

    def wind_up(self) -> None:
        """Close an idle connection, and let one that lingers do so no longer than it must."""
        if self.idle:
            self.loseConnection()
        elif self._linger is not None:
            self._linger.hurry(self.site.ticker.now())
            self.deadline = self._linger.deadline

    # The outflow's side.

    def stalled(self) -> None:
        self.deadline = self.site.ticker.now() + self._limits.write_timeout
        if self._producer is None and self._state is State.HEAD:
            self._read(False)

    def flowing(self) -> None:
        self.deadline = NEVER
        if self._state is State.HEAD:
            self.deadline = self.site.ticker.now() + self._limits.keep_alive
            self._read(True)
            data, self._pipelined = self._pipelined, b""
            self._advance(data)
        elif self._state is State.BODY:
            self.deadline = self._body_due() if self._reading else self.site.ticker.now()
