"""A refusal as an answer: the contract's JSON, readable by the page that caused it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ..errors import ProxyError

#: Reason phrases; Twisted's table ends at RFC 2616.
PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

_EXPOSE = b"Access-Control-Expose-Headers"


def send_refusal(request: Any, error: ProxyError) -> None:
    """Send *error* as the whole answer of *request*, whose head is not out yet."""
    payload = error.to_json()
    request.setResponseCode(error.http_status)
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", [b"application/json"])
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(payload)])
    headers.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
    headers.setRawHeaders(b"Cache-Control", [b"no-store"])
    for name, value in error.headers:
        headers.setRawHeaders(name, [value])
    exposed = headers.getRawHeaders(_EXPOSE)
    if exposed and error.headers:
        # A page that is told to wait must be able to read for how long.
        names = (exposed[0], *(name for name, _ in error.headers))
        headers.setRawHeaders(_EXPOSE, [b", ".join(names)])
    request.write(payload)
    request.finish()
