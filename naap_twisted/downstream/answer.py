"""Answers of this server itself: refusals as JSON, and redirects without a host in them."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import InternalError, ProxyError, UpstreamStatus

#: Reason phrases by status. Twisted's own table ends at RFC 2616.
PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

_ABSOLUTE = re.compile(rb"((https?)://([^/?#\\]*))(.*)", re.IGNORECASE | re.DOTALL)
OwnFields = tuple[tuple[bytes, bytes], ...]
_EXPOSE = b"Access-Control-Expose-Headers"


def own_fields(payload: bytes, content_type: bytes = b"application/json") -> OwnFields:
    """The header list of an answer of ours whose body is *payload*; no cache keeps it."""
    return (
        (b"Content-Type", content_type),
        (b"Content-Length", b"%d" % len(payload)),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Cache-Control", b"no-store"),
    )


def refusal_fields(error: ProxyError, payload: bytes) -> OwnFields:
    """The header list of the answer that *error* is, with *payload* as its body."""
    return (*own_fields(payload), *error.headers)


def send(request: Any, status: int, fields: OwnFields, payload: bytes) -> None:
    """Answer *request*, whose response head is not out yet."""
    request.setResponseCode(status)
    for name, value in fields:
        request.responseHeaders.setRawHeaders(name, [value])
    request.write(payload)
    request.finish()


def send_refusal(request: Any, error: ProxyError) -> None:
    """Answer *request*, whose response head is not out yet, with *error* as JSON."""
    headers = request.responseHeaders
    exposed = headers.getRawHeaders(_EXPOSE)
    if exposed and error.headers:
        # A page on another origin reads only exposed headers, and has to read its Retry-After.
        names = (exposed[0], *(name for name, _ in error.headers))
        headers.setRawHeaders(_EXPOSE, [b", ".join(names)])
    payload = error.to_json()
    send(request, error.http_status, refusal_fields(error, payload), payload)


def refuse_failure(request: Any, failure: Failure, log: Logger, text: str, **about: Any) -> None:
    """Refuse *request* with the ProxyError that *failure* is, or else log it with *text*: a bug."""
    error = failure.value
    if not isinstance(error, ProxyError):
        log.failure(text, failure, **about)
        error = InternalError()
    if request.record.upstream_status and not isinstance(error, UpstreamStatus):
        error.once_sent()
    request.refuse(error)


def keep_host_out(request: Any, data: bytes) -> bytes:
    """Make the Location of *request*'s answer relative if it names the host that was asked.

    Klein makes such URLs of the Host header and the port that we listen on. Behind another proxy
    that is no address of the server, and the Host header is text that the caller chose.

    :param data: the first piece of the body; the result goes out in its place.
    """
    headers = request.responseHeaders
    location = headers.getRawHeaders(b"location")
    match = _ABSOLUTE.fullmatch(location[0]) if location and len(location) == 1 else None
    if match is None or (match[2].lower() == b"https") is not bool(request.isSecure()):
        return data
    name, port = request.getRequestHostname(), getattr(request.getHost(), "port", 0)
    asked = {name, b"%s:%d" % (name, port), request.getHeader(b"host") or b""}
    if match[3].lower() not in {authority.lower() for authority in asked}:
        return data
    rest = match[4] if match[4][:1] in (b"/", b"\\") else b"/" + match[4]
    # "//evil.example" would be another host (RFC 3986 section 4.2); "/.//" is a path.
    headers.setRawHeaders(b"Location", [b"/." + rest if rest[1:2] in (b"/", b"\\") else rest])
    relative = data.replace(match[1], b"")  # the body may be a page that shows the link
    length = headers.getRawHeaders(b"content-length", [b""])[0]
    if length.isdigit():
        length = b"%d" % (int(length) - len(data) + len(relative))
        headers.setRawHeaders(b"Content-Length", [length])
    return relative
