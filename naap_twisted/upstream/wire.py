"""The head of an outbound request as bytes; here its secrets become bytes. Pure."""

from __future__ import annotations

from twisted.web.iweb import UNKNOWN_LENGTH

from ..framing.fields import CONTROLS
from ..model import OutboundRequest
from ..secret import Secret

_BODY_METHODS = frozenset((b"POST", b"PUT", b"PATCH"))


def serialise_head(outbound: OutboundRequest) -> bytes:
    """Request line and header section, framing included (RFC 9112 sections 3 and 6).

    :raises ValueError: a name, a value or the path would break out of its line.
    """
    target = outbound.target.target
    sealed = outbound.request_target
    path = target.path_and_query.encode("ascii") if sealed is None else sealed.reveal()
    lines = [
        b"%s %s HTTP/1.1" % (outbound.method, path),
        b"Host: " + target.authority.encode("ascii"),
    ]
    for name, value in outbound.headers:
        raw = value.reveal() if isinstance(value, Secret) else value
        lines.append(b"%s: %s" % (name, raw))
    body = outbound.body
    if body is None:
        if outbound.method in _BODY_METHODS:
            lines.append(b"Content-Length: 0")
    elif isinstance(body, bytes):
        lines.append(b"Content-Length: %d" % len(body))
    elif body.length is UNKNOWN_LENGTH:
        lines.append(b"Transfer-Encoding: chunked")
    else:
        lines.append(b"Content-Length: %d" % body.length)
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    broken = head.count(b"\n") != breaks or head.count(b"\r") != breaks
    # The parser of a stock site, whose requests may be relayed, lets control bytes through.
    if broken or head != head.translate(None, CONTROLS):
        raise ValueError("a header would break out of its line")
    return head + b"\r\n\r\n"
