"""Upstream response to browser: bytes as they come, flow control, and honest endings.

A cut reply is never a complete reply: when the upstream's body breaks off, the browser's
connection is aborted. When the browser leaves, the upstream exchange is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from .errors import UpstreamCut, UpstreamStatus
from .framing.fields import Fields
from .guard import Guard, Scrubber
from .interfaces import IDownstreamRequest
from .model import Target
from .presets import make_preset, put_fields, put_preset
from .rewrite import ResponseRewrite
from .shared_headers import SHARED, beside_ours
from .usage.tokens import TokenMeter

_ERROR_TEXT = 2048
_EXPOSE = b"Access-Control-Expose-Headers"
_EXPOSED_ALWAYS = b"X-Request-ID"
# A relayed body is somebody else's: opened as a document it must not act with our origin's rights.
_SANDBOX = make_preset(
    {
        b"X-Content-Type-Options": b"nosniff",
        b"Content-Security-Policy": b"sandbox; default-src 'none'",
    }
)


def response_fields(response: IResponse) -> Fields:
    """A response's header fields with lower-case names, whoever's response it is."""
    fields = getattr(response, "fields", None)
    if fields is None:
        fields = [
            (name.lower(), value)
            for name, values in response.headers.getAllRawHeaders()
            for value in values
        ]
    return fields


async def relay(
    request: IDownstreamRequest,
    response: IResponse,
    target: Target,
    rewrite: ResponseRewrite,
    guard: Guard,
    *,
    redact: bool = False,
    count_tokens: bool = False,
    locate: Callable[[bytes], bytes] | None = None,
) -> None:
    """Carry *response* to the browser, to its end.

    :param redact: look for injected secrets in JSON and text bodies of good answers too.
    :param count_tokens: read what the answer reports of them into the request's record.
    :param locate: what the absolute Location becomes.
    :raises UpstreamCut: the upstream's body ended early; the browser's connection is aborted.
    """
    headers, exposed = rewrite.apply(response_fields(response), target, guard)
    if locate is not None:
        headers = [(n, locate(value) if n == b"Location" else value) for n, value in headers]
    request.relayed = True
    request.setResponseCode(response.code)
    _set_headers(request, headers, exposed)
    put_preset(request.responseHeaders, _SANDBOX)
    # Errors quote what they refuse: a body of theirs is looked at, asked for or not.
    looked_at = response.code >= 400 or (redact and _is_plain_text(request))
    scrubber = Scrubber(guard) if looked_at and guard else None
    bodiless = request.method == b"HEAD" or response.code in (204, 304)
    if response.length is not UNKNOWN_LENGTH and not bodiless and scrubber is None:
        length = b"%d" % response.length
        request.responseHeaders.setRawHeaders(b"Content-Length", [length])
    whole = getattr(response, "whole", None)
    if whole is not None and scrubber is None and not count_tokens:
        request.record.mark("relay")
        request.write(whole)
        request.finish()
        return
    passage = _Passage(request, scrubber, _meter(request) if count_tokens else None)
    if not getattr(response, "more", False):
        # The head goes out now: the first event of a stream may be long in coming.
        request.write(b"")
    response.deliverBody(passage)
    await passage.done


async def refuse_with(
    request: IDownstreamRequest,
    response: IResponse,
    target: Target,
    rewrite: ResponseRewrite,
    guard: Guard,
) -> None:
    """Turn an upstream's error into the contract's envelope.

    :raises UpstreamStatus: always; its text is capped and scrubbed.
    """
    headers, exposed = rewrite.apply(response_fields(response), target, guard)
    kept = [(name, value) for name, value in headers if name in exposed]
    _set_headers(request, kept, exposed)
    taker = _Beginning(_ERROR_TEXT)
    response.deliverBody(taker)
    text = guard.clean_cut(await taker.done).decode("utf-8", "replace")
    readable = "".join(char if char.isprintable() else " " for char in text).strip()
    raise UpstreamStatus(response.code, readable)


def _is_plain_text(request: IDownstreamRequest) -> bool:
    headers = request.responseHeaders
    kind = (headers.getRawHeaders(b"content-type") or [b""])[0].partition(b";")[0].strip().lower()
    text = kind.startswith(b"text/") or kind == b"application/json" or kind.endswith(b"+json")
    return text and not headers.hasHeader(b"content-encoding")


def _meter(request: IDownstreamRequest) -> TokenMeter:
    headers = request.responseHeaders
    kind = (headers.getRawHeaders(b"content-type") or [b""])[0]
    return TokenMeter(kind, encoded=headers.hasHeader(b"content-encoding"))


def _set_headers(
    request: IDownstreamRequest, headers: list[tuple[bytes, bytes]], exposed: list[bytes]
) -> None:
    ours = request.responseHeaders
    if not SHARED.isdisjoint(exposed):
        headers, exposed = beside_ours(ours, headers, exposed)
    put_fields(ours, headers)
    if exposed and ours.hasHeader(b"access-control-allow-origin"):
        # What our own side lets pages read stays readable: its limits, a callable's headers.
        listed = b", ".join(ours.getRawHeaders(_EXPOSE, (_EXPOSED_ALWAYS,)))
        names = dict.fromkeys((*listed.split(b", "), *exposed))
        ours.setRawHeaders(_EXPOSE, [b", ".join(names)])


@implementer(IPushProducer)
class _Passage(Protocol):
    """Body bytes from one side to the other, no faster than the slower of them."""

    transport: Any

    def __init__(
        self, request: IDownstreamRequest, scrubber: Scrubber | None, meter: TokenMeter | None
    ) -> None:
        self._request = request
        self._scrubber = scrubber
        self._meter = meter
        self.done: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._over = False

    def connectionMade(self) -> None:
        self._request.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._scrubber is not None:
            data = self._scrubber.feed(data)
        if self._meter is not None:
            self._meter.feed(data)
        if data:
            self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._over:
            return
        self._over = True
        request = self._request
        request.record.mark("relay")
        if self._meter is not None:
            request.record.tokens = self._meter.end()
        if reason.check(ResponseDone, PotentialDataLoss):
            if self._scrubber is not None:
                request.write(self._scrubber.end())
            request.unregisterProducer()
            request.finish()
            self.done.callback(None)
        else:
            request.record.outcome = "upstream_cut"
            request.abort()
            self.done.errback(UpstreamCut(reason.getErrorMessage()))

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The browser is gone."""
        if not self._over:
            self._over = True
            self.transport.loseConnection()


class _Beginning(Protocol):
    """The first bytes of a body; the rest is not waited for.

    It ends the exchange by ``loseConnection``, which the transport of every response has.
    """

    transport: Any

    def __init__(self, most: int) -> None:
        self._most = most
        self._data = b""
        self.done: Deferred[bytes] = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) >= self._most and not self.done.called:
            self.done.callback(self._data[: self._most])
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(self._data)
