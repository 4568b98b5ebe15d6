"""Carries an upstream's response to the browser: bytes as they come, with back-pressure.

A cut response must not look complete: when the upstream's body breaks off, the browser's connection
is aborted. When the browser leaves, the upstream exchange is aborted.

A body that is searched for injected secrets is decoded from its content coding. Where that fails,
the browser gets an error of this server in the body's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from ..downstream.headers import make_preset, put_fields, put_preset
from ..errors import BadGateway, UpstreamStatus
from ..framing.codings import (
    MOST_WHOLE,
    READ_CODINGS,
    Inflater,
    Unreadable,
    coding_of,
    inflated,
)
from ..framing.fields import Fields
from ..headers import media_type
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..spend.extra_event import ExtraEventFilter
from ..spend.model_tokens import ModelTokenMeter
from ..spend.tokens import TokenMembers
from ..upstream.beginning import Beginning, discard
from .error_text import error_text
from .passage import Passage, Stage
from .response_headers import SHARED, ResponseRewrite, beside_ours
from .scrub import Guard, Scrubber

_ERROR_TEXT = 2048
# Seconds that the status of an error waits for the error's text.
_ERROR_PATIENCE = 2.0
_EXPOSE = b"Access-Control-Expose-Headers"
_DESCRIBING = frozenset(
    (
        *(b"Content-Encoding", b"Content-Language", b"Content-Disposition", b"Content-Range"),
        *(b"Accept-Ranges", b"ETag", b"Last-Modified"),
    )
)
_UNREAD = "(compressed)"
_EVENTS = b"text/event-stream"
_EXPOSED_ALWAYS = b"X-Request-ID"
_TEXTS = frozenset(
    b"application/" + kind
    for kind in (
        *(b"json", b"jsonl", b"ndjson", b"x-ndjson", b"xml", b"yaml", b"javascript", b"graphql"),
        b"x-www-form-urlencoded",
    )
) | {b"multipart/byteranges", b"multipart/form-data", b"multipart/mixed"}
# A relayed body that a browser opens as a document must not act with the rights of our origin.
_SANDBOX = make_preset(
    {
        b"X-Content-Type-Options": b"nosniff",
        b"Content-Security-Policy": b"sandbox; default-src 'none'",
    }
)


def response_fields(response: IResponse) -> Fields:
    """The response's header fields with lower-case names; a treq client's has a table of them."""
    fields = getattr(response, "fields", None)
    if fields is None:
        table = response.headers.getAllRawHeaders()
        fields = [(name.lower(), value) for name, values in table for value in values]
    return fields


async def relay(
    request: IDownstreamRequest,
    response: IResponse,
    target: Target,
    rewrite: ResponseRewrite,
    guard: Guard,
    clock: IReactorTime,
    *,
    redact: bool = False,
    most: int | None = None,
    tokens: TokenMembers | None = None,
    unasked: bool = False,
    locate: Mapping[bytes, Callable[[bytes], bytes]] | None = None,
) -> None:
    """Carry *response* to the browser, to its end.

    :param redact: search JSON and text bodies of successful responses for injected secrets, too.
    :param most: bytes that the body may have; ``None``: any number.
    :param tokens: where the response reports the model's tokens, which go into the record.
    :param unasked: a stream reports usage only because this server asked; the page gets none of it.
    :param locate: what rewrites a header of a name, such as the absolute Location.
    :raises UpstreamCut: the upstream's body ended early; the browser's connection is aborted.
    :raises UpstreamStatus: an error's body had to be searched and could not be decoded.
    :raises BadGateway: the body of a successful response, or of a redirect, had to be, and could
        not be; or its length is known, and over *most*.
    """
    fields, exposed = rewrite.apply(response_fields(response), target, guard)
    if locate:
        fields = [(n, locate[n](value) if n in locate else value) for n, value in fields]
    bodiless = request.method == b"HEAD" or response.code in (204, 304)
    if most is not None and not bodiless:
        _hold_to(most, response)
    stages: list[Stage] = []
    inflater = None
    # An error may quote the key that it refuses, and a redirect's body its Location, so the body of
    # either is searched.
    searched = guard and (response.code >= 300 or (redact and _is_text(fields)))
    if searched and not bodiless:
        coding = coding_of(response_fields(response))
        if coding and response.code >= 400:
            await _relay_encoded_error(request, response, fields, exposed, coding, guard, clock)
            return
        stages, inflater = [Scrubber(guard)], _passing_inflater(coding, response)
    if unasked and not bodiless and response.code == 200 and _content_type(fields) == _EVENTS:
        coding = b"" if inflater else coding_of(response_fields(response))
        # In a coding that nobody here reads, the page gets the event as well.
        if coding in READ_CODINGS:
            inflater = Inflater(coding)
        if not coding or inflater:
            stages = [ExtraEventFilter(), *stages]
    fields = fields if inflater is None else _without_coding(fields)
    _begin(request, response, fields, exposed)
    if bodiless:
        if request.method == b"HEAD" and not searched:
            _tell_length(request, response)
    elif response.length is not UNKNOWN_LENGTH and not stages:
        length = b"%d" % response.length
        request.responseHeaders.setRawHeaders(b"Content-Length", [length])
    body = getattr(response, "complete_body", None)
    if body is not None and not stages and tokens is None:
        _finish(request, body)
        return
    meter = None
    if tokens is not None:
        # What passes through the decoder of its coding comes to the meter without it.
        meter = _meter(fields, b"" if inflater else coding_of(response_fields(response)), tokens)
    passage = Passage(request, stages, meter, inflater, most)
    if not getattr(response, "body_follows", False):
        # The head goes out now, because a stream's first event may come minutes later.
        request.write(b"")
    response.deliverBody(passage)
    await passage.done


def _hold_to(most: int, response: IResponse) -> None:
    """:raises BadGateway: the body is known to be longer than *most*; the exchange is ended."""
    body = getattr(response, "complete_body", None)
    length = response.length if body is None else len(body)
    if length is UNKNOWN_LENGTH or length <= most:
        return
    discard(response)
    message, reason = "The external API's answer is too large", f"{length} bytes, over {most}"
    raise BadGateway(message, reason=reason, rule="max_response").once_sent()


def _tell_length(request: IDownstreamRequest, response: IResponse) -> None:
    """Say of a HEAD how long the body of a GET is, where the upstream did (RFC 9110 section 8.6).

    A body that is searched may come out of that with another length.
    """
    lengths = [value for name, value in response_fields(response) if name == b"content-length"]
    if len(lengths) == 1 and response.code not in (204, 304):
        request.responseHeaders.setRawHeaders(b"Content-Length", lengths)


def _begin(
    request: IDownstreamRequest, response: IResponse, fields: Fields, exposed: Sequence[bytes]
) -> None:
    request.relayed = True
    request.setResponseCode(response.code)
    _set_headers(request, fields, exposed)
    put_preset(request.responseHeaders, _SANDBOX)


def _finish(request: IDownstreamRequest, body: bytes) -> None:
    request.record.mark("relay")
    request.write(body)
    request.finish()


async def _relay_encoded_error(
    request: IDownstreamRequest,
    response: IResponse,
    fields: Fields,
    exposed: Sequence[bytes],
    coding: bytes,
    guard: Guard,
    clock: IReactorTime,
) -> None:
    """Relay an error unchanged where it holds no secret, else redacted and without its coding.

    The body waits until its end, because half of it must not be out when it turns out unreadable.

    :raises UpstreamStatus: the body can't be decoded, or not in time; our envelope takes its place.
    """
    try:
        inflater = _inflater(coding, response)
        beginning = Beginning(MOST_WHOLE + 1)
        response.deliverBody(beginning)
        body = await beginning.within(_ERROR_PATIENCE, clock)
        if len(body) > MOST_WHOLE or not beginning.complete:
            raise Unreadable("too long, or cut")
        text = inflated(inflater, body)
    except Unreadable:
        _set_exposed(request, fields, exposed)
        raise UpstreamStatus(response.code, _UNREAD) from None
    cleaned = guard.clean(text)
    if cleaned != text:
        fields, body = _without_coding(fields), cleaned
    _begin(request, response, fields, exposed)
    request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    _finish(request, body)


def _inflater(coding: bytes, response: IResponse) -> Inflater:
    """The decoder of *coding*.

    :raises Unreadable: this server knows no such coding; the exchange is ended then.
    """
    try:
        return Inflater(coding)
    except Unreadable:
        discard(response)
        raise


def _passing_inflater(coding: bytes, response: IResponse) -> Inflater | None:
    """The decoder of a successful response, or of a redirect, that is redacted as it passes.

    :raises BadGateway: this server does not know the coding, or the body is a part of a text.
    """
    if response.code == 206:
        discard(response)
        raise BadGateway(reason="redact_bodies: the next part may hold the rest of a secret")
    try:
        return _inflater(coding, response) if coding else None
    except Unreadable as error:
        raise BadGateway(reason=f"a text to be redacted: {error}") from None


async def refuse_with(
    request: IDownstreamRequest,
    response: IResponse,
    target: Target,
    rewrite: ResponseRewrite,
    guard: Guard,
    clock: IReactorTime,
) -> None:
    """Turn an upstream's error into the contract's envelope.

    An upstream may announce more text than it sends, or send it for ever. The status is known by
    then, so it goes out with what text there is.

    :raises UpstreamStatus: always; its text is capped and redacted.
    """
    upstream_fields = response_fields(response)
    fields, exposed = rewrite.apply(upstream_fields, target, guard)
    _set_exposed(request, fields, exposed)
    coding = coding_of(upstream_fields)
    try:
        beginning = Beginning(_ERROR_TEXT, _inflater(coding, response) if coding else None)
        response.deliverBody(beginning)
        body = await beginning.within(_ERROR_PATIENCE, clock)
        kind = next((value for name, value in upstream_fields if name == b"content-type"), b"")
        text = error_text(body, kind, guard, complete=beginning.complete)
    except Unreadable:
        text = _UNREAD
    raise UpstreamStatus(response.code, text)


def _set_exposed(request: IDownstreamRequest, fields: Fields, exposed: Sequence[bytes]) -> None:
    """Set the fields of an upstream that stand beside an error of this server.

    Those that describe the upstream's body would make ours unreadable.
    """
    kept = [(n, value) for n, value in fields if n in exposed and n not in _DESCRIBING]
    _set_headers(request, kept, exposed)


def _without_coding(fields: Fields) -> Fields:
    return [(name, value) for name, value in fields if name != b"Content-Encoding"]


def _is_text(fields: Fields) -> bool:
    """Whether ``redact_bodies`` searches a body of this Content-Type: a text, or parts of one.

    A body without a type is anything, so a text, too.
    """
    # Of several, readers do not agree on which counts.
    types = [value for name, value in fields if name == b"Content-Type"]
    return not types or any(
        kind.startswith(b"text/") or kind.endswith((b"+json", b"+xml")) or kind in _TEXTS
        for value in types
        for kind in map(media_type, value.split(b","))
    )


def _meter(fields: Fields, coding: bytes, members: TokenMembers) -> ModelTokenMeter:
    return ModelTokenMeter(_content_type(fields), coding, members)


def _content_type(fields: Fields) -> bytes:
    types = (value for name, value in fields if name == b"Content-Type")
    return media_type(next(types, b""))


def _set_headers(request: IDownstreamRequest, fields: Fields, exposed: Sequence[bytes]) -> None:
    ours = request.responseHeaders
    if not SHARED.isdisjoint(exposed):
        fields, exposed = beside_ours(ours, fields, exposed)
    put_fields(ours, fields)
    if exposed and ours.hasHeader(b"access-control-allow-origin"):
        # Pages go on reading the server's own fields: its limits, and a callable's headers.
        listed = b", ".join(ours.getRawHeaders(_EXPOSE, (_EXPOSED_ALWAYS,)))
        names = dict.fromkeys((*listed.split(b", "), *exposed))
        ours.setRawHeaders(_EXPOSE, [b", ".join(names)])
