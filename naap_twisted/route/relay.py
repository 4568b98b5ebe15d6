"""Upstream response to browser: bytes as they come, flow control, and honest endings.

A cut reply is never a complete reply: when the upstream's body breaks off, the browser's
connection is aborted. When the browser leaves, the upstream exchange is.

A body that is looked at for injected secrets is read without its content coding. Where that can't
be, the browser gets an error of ours in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from ..downstream.presets import make_preset, put_fields, put_preset
from ..errors import BadGateway, UpstreamStatus
from ..framing.codings import MOST_WHOLE, Inflater, Unreadable, coding_of, inflated
from ..framing.fields import Fields
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..spend.tokens import TokenMeter
from .passage import Beginning, Passage, discard
from .rewrite import ResponseRewrite
from .scrub import Guard, Scrubber
from .shared_headers import SHARED, beside_ours

_ERROR_TEXT = 2048
_EXPOSE = b"Access-Control-Expose-Headers"
_UNREAD = "(a text in a content coding that can not be looked into)"
_EXPOSED_ALWAYS = b"X-Request-ID"
_TEXTS = frozenset(
    b"application/" + kind
    for kind in (
        *(b"json", b"jsonl", b"ndjson", b"x-ndjson", b"xml", b"yaml", b"javascript", b"graphql"),
        b"x-www-form-urlencoded",
    )
) | {b"multipart/byteranges", b"multipart/form-data", b"multipart/mixed"}
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
    :raises UpstreamStatus: an error that had to be looked into, and could not be.
    :raises BadGateway: a good answer, or a redirect, of that kind.
    """
    headers, exposed = rewrite.apply(response_fields(response), target, guard)
    if locate is not None:
        headers = [(n, locate(value) if n == b"Location" else value) for n, value in headers]
    bodiless = request.method == b"HEAD" or response.code in (204, 304)
    scrubber = inflater = None
    # Errors quote what they refuse, redirects their Location: a body of theirs is looked at, asked
    # for or not.
    if (response.code >= 300 or (redact and _is_text(headers))) and guard and not bodiless:
        coding = coding_of(response_fields(response))
        if coding and response.code >= 400:
            await _relay_encoded_error(request, response, headers, exposed, coding, guard)
            return
        scrubber, inflater = Scrubber(guard), _passing_inflater(coding, response)
        headers = headers if inflater is None else _without_coding(headers)
    _begin(request, response, headers, exposed)
    if response.length is not UNKNOWN_LENGTH and not bodiless and scrubber is None:
        length = b"%d" % response.length
        request.responseHeaders.setRawHeaders(b"Content-Length", [length])
    whole = getattr(response, "whole", None)
    if whole is not None and scrubber is None and not count_tokens:
        request.record.mark("relay")
        request.write(whole)
        request.finish()
        return
    passage = Passage(request, scrubber, _meter(request) if count_tokens else None, inflater)
    if not getattr(response, "more", False):
        # The head goes out now: the first event of a stream may be long in coming.
        request.write(b"")
    response.deliverBody(passage)
    await passage.done


def _begin(
    request: IDownstreamRequest,
    response: IResponse,
    headers: Sequence[tuple[bytes, bytes]],
    exposed: Sequence[bytes],
) -> None:
    request.relayed = True
    request.setResponseCode(response.code)
    _set_headers(request, headers, exposed)
    put_preset(request.responseHeaders, _SANDBOX)


async def _relay_encoded_error(
    request: IDownstreamRequest,
    response: IResponse,
    headers: Sequence[tuple[bytes, bytes]],
    exposed: Sequence[bytes],
    coding: bytes,
    guard: Guard,
) -> None:
    """Relay an error as it came where it is clean, else redacted and without its coding.

    It is held until its end: what turns out to be unreadable must not be out by half.

    :raises UpstreamStatus: it can't be read; our envelope takes its place.
    """
    try:
        inflater = _inflater(coding, response)
        taker = Beginning(MOST_WHOLE + 1)
        response.deliverBody(taker)
        body = await taker.done
        if len(body) > MOST_WHOLE or not taker.complete:
            raise Unreadable("too long, or cut")
        text = inflated(inflater, body)
    except Unreadable:
        _set_headers(request, _kept(headers, exposed), exposed)
        raise UpstreamStatus(response.code, _UNREAD) from None
    cleaned = guard.clean(text)
    if cleaned != text:
        headers, body = _without_coding(headers), cleaned
    _begin(request, response, headers, exposed)
    request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    request.record.mark("relay")
    request.write(body)
    request.finish()


def _inflater(coding: bytes, response: IResponse) -> Inflater:
    """What undoes *coding*.

    :raises Unreadable: nothing here does; the exchange is ended then.
    """
    try:
        return Inflater(coding)
    except Unreadable:
        discard(response)
        raise


def _passing_inflater(coding: bytes, response: IResponse) -> Inflater | None:
    """What undoes the coding of a good answer or a redirect that is redacted as it passes.

    :raises BadGateway: nothing here does; or it is a part of a text.
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
) -> None:
    """Turn an upstream's error into the contract's envelope.

    :raises UpstreamStatus: always; its text is capped and scrubbed.
    """
    fields = response_fields(response)
    headers, exposed = rewrite.apply(fields, target, guard)
    _set_headers(request, _kept(headers, exposed), exposed)
    coding = coding_of(fields)
    try:
        taker = Beginning(_ERROR_TEXT, _inflater(coding, response) if coding else None)
        response.deliverBody(taker)
        text = guard.clean_cut(await taker.done).decode("utf-8", "replace")
    except Unreadable:
        text = _UNREAD
    readable = "".join(char if char.isprintable() else " " for char in text).strip()
    raise UpstreamStatus(response.code, readable)


def _kept(
    headers: Sequence[tuple[bytes, bytes]], exposed: Sequence[bytes]
) -> Sequence[tuple[bytes, bytes]]:
    """What of an upstream's headers stands beside an error of ours."""
    return [(name, value) for name, value in headers if name in exposed]


def _without_coding(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name != b"Content-Encoding"]


def _is_text(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a good answer's body is one that ``redact_bodies`` looks into, or parts of one."""
    return any(
        kind.startswith(b"text/") or kind.endswith((b"+json", b"+xml")) or kind in _TEXTS
        for name, value in headers
        if name == b"Content-Type"  # of several, readers do not agree on which counts
        for each in value.split(b",")
        for kind in (each.partition(b";")[0].strip().lower(),)
    )


def _meter(request: IDownstreamRequest) -> TokenMeter:
    headers = request.responseHeaders
    kind = (headers.getRawHeaders(b"content-type") or [b""])[0]
    return TokenMeter(kind, encoded=headers.hasHeader(b"content-encoding"))


def _set_headers(
    request: IDownstreamRequest,
    headers: Sequence[tuple[bytes, bytes]],
    exposed: Sequence[bytes],
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
