"""One browser connection: bytes to requests, answers to bytes (RFC 9112).

The rules of its states:

- HEAD: waiting for, or inside, a request head. Nothing is in flight.
- BODY: a request is in flight and its body is still coming in.
- ANSWER: the body is in; the answer is not out. Reading goes on, bounded, so that a browser that
  leaves is noticed; what arrives waits for its turn.
- LINGER: the last answer is out and said ``Connection: close``; the unread rest of the request is
  drained so that a reset does not destroy the answer on its way.
- CLOSED.

A request is handed on at the end of its *head*.

(More than 400 lines, for the states share one deadline and are only right when read together; what
does not touch them is in :mod:`.outflow`.)
"""

from __future__ import annotations

import enum
from typing import Any

from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from ..deadlines import NEVER
from ..errors import BadRequest, HeadersTooLarge, ProxyError, RequestTimeout, UriTooLong
from ..framing.body import LEAST_CHARGE, BodyDecoder, body_decoder
from ..framing.fields import FramingError, HeadBuffer, HeadTooLarge, KnownLines
from ..framing.head import CHUNKED, RequestHead, check_request_line, parse_request
from .answer import PHRASES
from .body import BrowserGone, RequestBody
from .caller import rate_key
from .held import Hold
from .liveness import peer_closed
from .outflow import Outflow
from .request import DownstreamRequest
from .seams import Serving

_LIVENESS_INTERVAL = 0.5


class State(enum.Enum):
    """See the module's docstring."""

    HEAD = 0
    BODY = 1
    ANSWER = 2
    LINGER = 3
    CLOSED = 4


class Channel(Outflow):
    """One connection. Also what ``twisted.web.http.Request`` calls its channel."""

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
        self._turn: Any = None  # the call that goes on with what is pipelined
        self._advancing = False
        self._close_after = False
        self._owes_continue = False
        self._reading = True
        self._lingered = 0
        self._closing = False
        self._stray = 0  # bytes of a CRLF before a request
        self._crumbs = 0
        self._body_clock = 0.0
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
                    # Others first: a packet may hold a thousand requests.
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
            self._lingered += len(data)
            if self._lingered > self._limits.linger:
                self.abort()
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
        try:
            found = self._head.feed(data)
            if found is None:
                line = self._head.first_line()
                if line is not None:
                    check_request_line(line)
                return b""
            head = parse_request(found[0], self._limits.head, self._known)
            if len(head.target) > self._limits.uri:
                raise HeadTooLarge("request target too long")
        except HeadTooLarge as error:
            uri = "target" in str(error)
            self._refuse((UriTooLong if uri else HeadersTooLarge)(reason=str(error)))
            return b""
        except FramingError as error:
            self._refuse(BadRequest(reason=str(error)))
            return b""
        return self._begin(head, found[1])

    def _skip_crlf(self, data: bytes) -> bytes:
        """One CRLF between requests is forgiven (RFC 9112 section 2.2); it buys no time."""
        data = b"\r\n"[: self._stray] + data
        if b"\r\n".startswith(data):
            self._stray = len(data)
            return b""
        return data.removeprefix(b"\r\n")

    def _begin(self, head: RequestHead, rest: bytes) -> bytes:
        self._close_after = not head.keep_alive or head.minor == 0 or self.site.draining
        length = None if head.body == CHUNKED else head.body
        body = self._body = RequestBody(self, length)
        self._owes_continue = head.expect_continue and not body.complete
        self.deadline = NEVER
        if body.complete:
            self._state = State.ANSWER
            self._decoder = None
        else:
            self._state = State.BODY
            self._decoder = body_decoder(head.body, self._limits.chunk_framing)
            self._body_clock = self.site.ticker.now()
            if rest:
                # What came with the head is fed first: most bodies are then complete, and an
                # early refusal needs no closed connection.
                rest = self._read_body(rest)
                if self._state not in (State.BODY, State.ANSWER):
                    return b""  # refused already
            if not body.complete:
                self.pause_body(body)
        request = self._request = self.site.requestFactory(self, head, body)
        request.process()
        return rest

    def _read_body(self, data: bytes) -> bytes:
        if self._decoder is None:
            return b""  # broken before: nothing after it has a meaning
        self._owes_continue = False
        body = self._body
        try:
            pieces, rest = self._decoder.feed(data)
        except FramingError as error:
            self._break_body(BadRequest(reason=str(error)))
            return b""
        if rest is not None:
            # Known before the last piece is handed on, so that its reader sees a complete body.
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
        """What comes of the body has no meaning any more."""
        self._close_after = True
        self._decoder = None
        handed_on = self._request is not None  # it may be answered and gone in a moment
        self._body.fail(refusal)
        if not handed_on:
            self._refuse(refusal)

    def _refuse_crumbs(self) -> None:
        """More tiny reads than a request may have: each costs as much as a large one.

        A TLS record is a read of its own, so a single packet can hold thousands.
        """
        refusal = BadRequest(reason="a request in too many pieces")
        if self._state is State.HEAD:
            self._refuse(refusal)
        elif self._state is not State.BODY:
            self.abort()
        elif self._decoder is not None:
            self._break_body(refusal)

    def want_body(self, body: RequestBody) -> None:
        """Somebody takes the body: read on, and say 100 if the browser waits for it."""
        if body is not self._body or self._state is not State.BODY:
            return
        if self._owes_continue:
            self._owes_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._reading:
            # The clock of the minimum rate stands still while we are the ones who wait.
            self._body_clock = self.site.ticker.now() - body.received / self._limits.body_rate
        self._read(True)
        if not self._blocked:
            self.deadline = self._body_due()

    def pause_body(self, body: RequestBody) -> None:
        """Nobody takes the body now."""
        if body is self._body and self._state is State.BODY:
            self._read(False)
            if not self._blocked:  # else the write deadline stands
                self.deadline = self.site.ticker.now() + _LIVENESS_INTERVAL

    def open_hold(self) -> Hold:
        """Part of the server's account, under the name that the rate limit has for this caller."""
        request = self._request
        client = request.record.client if request is not None else ""
        return self.site.held.open(rate_key(client or getattr(self._peer, "host", "")))

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
        """The ticker's call: what was due is not there."""
        now = self.site.ticker.now()
        if self._blocked:
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
            self._refuse(RequestTimeout(reason="head too slow"))
        elif self._state is State.LINGER and not self._closing:
            self.loseConnection()  # a reset would take back what the kernel still delivers
        else:
            self.abort()

    # The request's side: what twisted.web.http.Request asks of its channel.

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write a response head. The version is ours, whatever the request's was."""
        if not self._body.complete or self.site.draining:
            self._close_after = True
        parts = [b"HTTP/1.1 ", code, b" ", reason, b"\r\n"]
        for name, values in headers.getAllRawHeaders():
            for value in values:
                parts += (name, b": ", value, b"\r\n")
        parts.append(b"Connection: close\r\n\r\n" if self._close_after else b"\r\n")
        # Held until the first piece of body, so that a small answer is one write.
        self._held = b"".join(parts)

    def requestDone(self, request: DownstreamRequest) -> None:
        """The answer is out: go on to the next request, or close."""
        if request is not self._request:
            return
        self._request = None
        self._crumbs = 0
        self._body.discard()
        if not self._close_after and self._body.complete and not self.site.draining:
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
            self._linger()

    def _linger(self) -> None:
        self._state = State.LINGER
        self._crumbs = 0  # of an answer that still has to arrive
        limits = self._limits
        wait = limits.write_timeout if self._blocked else limits.linger_timeout
        self.deadline = self.site.ticker.now() + wait
        self.transport.unregisterProducer()
        self._read(True)
        if not self._secure:
            self.transport.loseWriteConnection()

    def _refuse(self, error: ProxyError) -> None:
        """Answer bytes that never became a request; the connection can't be trusted afterwards."""
        error, request_id = self.site.refused(self, error)
        payload = error.to_json()
        self._state = State.LINGER
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nX-Request-ID: %s\r\n"
            b"%sConnection: close\r\n\r\n%s"
            % (
                error.http_status,
                PHRASES.get(error.http_status, b"Unknown"),
                len(payload),
                request_id.encode("ascii"),
                b"".join(b"%s: %s\r\n" % pair for pair in error.headers),
                payload,
            )
        )
        self._linger()

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's word for a form that does not parse."""
        if self._request is not None:
            self._close_after = True
            self._request.refuse(BadRequest(reason="malformed form"))

    def loseConnection(self) -> None:
        """Close once everything written is out; a reader that takes nothing is cut off."""
        if self._state is not State.LINGER:
            self.transport.unregisterProducer()
        self._state = State.LINGER
        self._closing = True
        if not self._blocked:
            self.deadline = self.site.ticker.now() + self._limits.write_timeout
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection: whatever was in flight is visibly incomplete."""
        self._state = State.CLOSED
        self.closed = True
        self.transport.abortConnection()

    def abortConnection(self) -> None:
        """The transport's word for :meth:`abort`."""
        self.abort()

    @property
    def idle(self) -> bool:
        """Between requests: closing now loses nothing."""
        return self._state is State.HEAD and not self._head

    # What the outflow tells.

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
