"""One exchange: a ``twisted.web.server.Request`` that exists before its body does."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import SEEK_END, BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes as unquote

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, parse_qs
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from .._twisted import UnmadeRequest
from ..errors import ProxyError
from ..framing.body import CHUNKED_END, chunk
from ..framing.head import RequestHead
from ..interfaces import IDownstreamRequest, IHeadResource
from .answer import PHRASES, keep_host_out, refuse_failure, send_refusal
from .body import BrowserGone, RequestBody
from .headers import LeanHeaders
from .record import ExchangeRecord
from .seams import Connection, Serving

_log = Logger()


@implementer(IDownstreamRequest)
class DownstreamRequest(UnmadeRequest):
    """A browser's request and its answer.

    :ivar body: the request body as a stream; :attr:`content` and :attr:`args` are filled from it
        for resources that are not :class:`~naap_twisted.interfaces.IHeadResource`.
    :ivar record: the record that the log line is made of.
    :ivar outer: the beginning of the path that belongs to resources above this server.
    :ivar regime: the rules under which the exchange began.
    :ivar relayed: the answer is an upstream's, so its bytes are not touched.
    :ivar gone: the browser has left before the answer was out.
    :ivar refusal: the answer to a head that could not be read as a whole: wrappers see the request,
        and no resource does.
    :ivar compression: gives the encoder of an answer of our own, right before its head goes out.
    """

    outer = b""
    relayed = False
    gone = False
    refusal: ProxyError | None = None
    compression: Callable[[DownstreamRequest], Any] | None = None
    site: Serving  # type: ignore[assignment]
    _bodiless = False
    _awaiting: IResource | None = None
    _when_gone: Callable[[], object] | None = None

    def __init__(self, channel: Connection, head: RequestHead, body: RequestBody) -> None:
        # Twisted's two __init__ would make objects that are replaced below, so this one sets what
        # they set; a test compares the attributes.
        self.notifications = []
        self.channel = channel  # type: ignore[assignment]
        self.client = channel.getPeer()
        self.host = channel.getHost()
        self.received_cookies = {}
        self.cookies = []
        self.transport = channel.transport
        self.queued = False
        self.method = head.method
        self.uri = head.target
        self.path, _, query = head.target.partition(b"?")
        self.clientproto = b"HTTP/1.1" if head.minor else b"HTTP/1.0"
        self.args = parse_qs(query, 1) if query else {}
        self.requestHeaders = LeanHeaders.of(head.fields)
        answer = self.responseHeaders = LeanHeaders()
        self.body = body
        site = self.site = channel.site
        regime = self.regime = site.regime
        regime.in_flight += 1
        answer.preset(((b"Date", site.http_date()),))
        self.record = ExchangeRecord(started=site.ticker.now())

    def process(self) -> None:
        """Hand the request to the site's resources, at the end of its head."""
        if self._awaiting is not None:
            # This is the second call, by requestReceived, with content and args in place.
            super().render(self._awaiting)  # type: ignore[no-untyped-call]
            return
        self.prepath = []
        segments = self.path[1:].split(b"/")
        self.postpath = list(map(unquote, segments)) if b"%" in self.path else segments
        if self.requestHeaders.hasHeader(b"cookie"):
            self.parseCookies()  # type: ignore[no-untyped-call]
        try:
            self.render(self.site.getResourceFor(self))
        except BaseException:
            self.processingFailed(Failure())

    def render(self, resource: IResource) -> None:
        """Let *resource* answer: a head resource at once, any other when the body is complete."""
        if self.refusal is not None and not getattr(resource, "sees_refused", False):
            self.refuse(self.refusal)
        elif IHeadResource.providedBy(resource):
            if resource.render(self) is not NOT_DONE_YET:
                raise RuntimeError("a head resource answers through the request")
        elif self.content is not None:
            super().render(resource)  # type: ignore[no-untyped-call]
        else:
            self._render_with_body(resource)

    def _render_with_body(self, resource: IResource) -> None:
        self._awaiting = resource

        def ready(content: bytes) -> None:
            self.content = BytesIO(content)
            self.content.seek(0, SEEK_END)
            # Twisted reads forms here, so that plugins find request.args as they know it.
            self.requestReceived(self.method, self.uri, self.clientproto)  # type: ignore[no-untyped-call]

        def failed(failure: Failure) -> None:
            self.processingFailed(failure)

        self.body.collect(self.site.limits.form).addCallback(ready).addErrback(failed)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """Set the status with its phrase, also those that are newer than Twisted's table."""
        super().setResponseCode(code, message or PHRASES.get(code, b"Unknown"))

    def refuse(self, error: ProxyError) -> None:
        """Answer with *error*; once the response head is out, reset the connection instead."""
        self.record.outcome = error.code
        self.record.reason = error.for_log
        self.record.rule = error.rule
        if self.gone or self.finished or isinstance(error, BrowserGone):
            return
        if self.startedWriting:
            self.abort()
            return
        send_refusal(self, error)

    def abort(self) -> None:
        """Reset the connection, so that the browser sees the answer as incomplete."""
        if self.channel is not None and not self.finished:
            self.channel.abort()  # type: ignore[attr-defined]

    def write(self, data: bytes) -> None:
        if self.relayed:
            self._pass_on(data)
            return
        if not self.startedWriting:
            data = keep_host_out(self, data)
            if data and self.compression is not None:
                self.encode_with(self.compression(self))
        self.record.bytes_out += len(data)
        super().write(data)  # type: ignore[no-untyped-call]
        if self.channel is not None:
            self.channel.flush()  # type: ignore[attr-defined]

    def _pass_on(self, data: bytes) -> None:
        """Twisted's ``write``, for an answer whose headers are complete but for our cookies."""
        if self.gone or self.finished:
            return
        channel: Connection = self.channel  # type: ignore[assignment]
        if not self.startedWriting:
            self.startedWriting = 1
            headers = self.responseHeaders
            self._bodiless = self.method == b"HEAD" or self.code in NO_BODY_CODES
            if not self._bodiless and self.clientproto == b"HTTP/1.1":
                self.chunked = not headers.hasHeader(b"Content-Length")
                if self.chunked:
                    headers.setRawHeaders(b"Transfer-Encoding", [b"chunked"])
            if self.cookies:  # an authenticator may have set some; an upstream's are never relayed
                headers.setRawHeaders(b"Set-Cookie", self.cookies)
            channel.writeHeaders(b"HTTP/1.1", b"%d" % self.code, self.code_message, headers)
        if data and not self._bodiless:
            self.record.bytes_out += len(data)
            channel.write(chunk(data) if self.chunked else data)
        else:
            channel.flush()

    def _pass_on_end(self) -> None:
        if not self.startedWriting:
            self._pass_on(b"")
        if self.chunked:
            self.channel.write(CHUNKED_END)
        self.finished = 1
        self.give_back()

    def finish(self) -> None:
        if self.gone:
            # Twisted's finish raises here, though a handler can't know that the browser has left.
            return
        if self.finished:
            warnings.warn("request.finish called twice", stacklevel=2)
            return
        if self.relayed:
            self._pass_on_end()
        else:
            super().finish()  # type: ignore[no-untyped-call]
        self._ended()

    def connectionLost(self, reason: Failure) -> None:
        if not self.finished and self.record.outcome == "ok":
            self.record.outcome = "client_gone"
        self.gone = True
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        if self._when_gone is not None:
            self._when_gone()
        self._ended()

    def _ended(self) -> None:
        self.record.bytes_in = self.body.received
        self.body.release()
        self.site.exchange_ended(self)

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call *callback* if the browser leaves before the answer is out."""
        self._when_gone = callback

    def processingFailed(self, reason: Failure) -> Failure:
        """Log a handler's exception and answer with a fixed text; a ProxyError is an answer."""
        text = "Unhandled error in the handler of {route}"
        refuse_failure(self, reason, _log, text, route=self.record.route)
        return reason

    def __repr__(self) -> str:
        # Twisted's repr shows the query string, which may hold a key, and reprs get into logs.
        return f"<{type(self).__name__} {self.method.decode('ascii')} {self.record.route!r}>"
