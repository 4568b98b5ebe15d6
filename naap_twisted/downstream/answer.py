"""A refusal as an answer: the contract's JSON, readable by the page that caused it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from ..errors import ProxyError

#: Reason phrases; Twisted's table ends at RFC 2616.
PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

_ABSOLUTE = re.compile(rb"((https?)://([^/?#\\]*))(.*)", re.IGNORECASE | re.DOTALL)
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


def keep_host_out(request: Any, data: bytes) -> bytes:
    """Make the Location of *request*'s answer relative, if it names the very host that was asked.

    Klein, for one, makes such URLs of the Host header and the port that we listen on: behind a
    proxy that is nobody's address, and a stranger's words are no part of our answers.

    :param data: the first piece of the body; what is returned goes out in its place.
    """
    headers = request.responseHeaders
    location = headers.getRawHeaders(b"location")
    match = _ABSOLUTE.fullmatch(location[0]) if location and len(location) == 1 else None
    if match is None or (match[2].lower() == b"https") is not bool(request.isSecure()):
        return data
    name, own = request.getRequestHostname(), request.getHost()
    ours = {name, b"%s:%d" % (name, getattr(own, "port", 0)), request.getHeader(b"host") or b""}
    if match[3].lower() not in {spelling.lower() for spelling in ours}:
        return data
    rest = match[4] if match[4][:1] in (b"/", b"\\") else b"/" + match[4]
    # "//evil.example" would be another host (RFC 3986 section 4.2); "/.//" is a path.
    headers.setRawHeaders(b"Location", [b"/." + rest if rest[1:2] in (b"/", b"\\") else rest])
    kept = data.replace(match[1], b"")  # a page that shows the link
    length = headers.getRawHeaders(b"content-length", [b""])[0]
    if length.isdigit():
        left = int(length) - len(data) + len(kept)
        headers.setRawHeaders(b"Content-Length", [b"%d" % left])
    return kept
