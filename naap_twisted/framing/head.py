"""Request and response heads, and the body length they announce (RFC 9112 sections 3, 4 and 6).

A head whose framing is in doubt is refused, because the next hop might resolve the doubt otherwise
and take the rest of a body for a request of its own (request smuggling).
"""

from __future__ import annotations

import re

from attrs import field, frozen

from .fields import (
    FieldIndex,
    Fields,
    FramingError,
    HeadLimits,
    KnownLines,
    leading_fields,
    parse_fields,
)

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
)
# RFC 9110 section 15 has five classes; a client takes an unknown one as it takes a 5xx.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
# The alphabet of a host and port (RFC 3986); wrappers/server_names.py judges the name itself.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
# A server behind CGI-like glue maps "-" and "_" to the same variable, so it would take a field
# spelled with "_" for one of framing or of identity.
_REFUSED_FIELDS = frozenset(
    (
        *(b"content_length", b"content_type", b"transfer_encoding", b"proxy_authorization"),
        *(b"x_forwarded_for", b"x_forwarded_host", b"x_forwarded_proto", b"x_real_ip"),
        *(b"x_request_id", b"x_csrf_token", b"x_target_url", b"x_whip_url"),
    )
)

#: Body lengths that are no number of bytes.
CHUNKED = -1
UNTIL_CLOSE = -2


@frozen
class RequestHead:
    """A request head that passed every check.

    :ivar target: the request target in origin-form, or ``*``, as received.
    :ivar minor: the minor version of HTTP/1.
    :ivar host: the value of Host; ``b""`` where an HTTP/1.0 request has none.
    :ivar body_length: the bytes that Content-Length announces, or :data:`CHUNKED`.
    :ivar keep_alive: the connection may serve another request (RFC 9112 section 9.3).
    :ivar expect_continue: the client waits for 100 before it sends the body.
    """

    method: bytes
    target: bytes = field(repr=False)
    minor: int
    fields: Fields = field(repr=False)
    host: bytes
    body_length: int
    keep_alive: bool
    expect_continue: bool


@frozen
class ResponseHead:
    """A response head that passed every check.

    :ivar body_length: bytes, :data:`CHUNKED` or :data:`UNTIL_CLOSE`; 0 where the method or the
        status leaves no room for a body, whatever the head says.
    :ivar keep_alive: another answer may follow on the connection. None may where the head announces
        a body that its status can't have: its sender may write one all the same.
    """

    status: int
    fields: Fields = field(repr=False)
    body_length: int
    keep_alive: bool


def check_request_line(line: bytes) -> None:
    """Refuse a complete first line early, before the rest of a head is waited for.

    :raises FramingError: *line* is not a request line (HTTP/0.9, TLS).
    """
    if _REQUEST_LINE.fullmatch(line) is None:
        raise FramingError("malformed request line")


def check_status_line(line: bytes) -> None:
    """Refuse a complete first line of an answer early, before the rest of a head is waited for.

    :raises FramingError: *line* is not a status line: the peer speaks SSH, SMTP, or HTTP/2.
    """
    if _STATUS_LINE.fullmatch(line) is None:
        raise FramingError("malformed status line")


def readable_part(block: bytes, limits: HeadLimits) -> RequestHead | None:
    """What can be read of a head that is refused, so that a page can read the refusal.

    The result names a path, a host and an Origin, for the wrappers that mark an answer. Its body
    has no end, because nothing of what follows has a meaning.
    """
    match = _REQUEST_LINE.match(block)
    if match is None or match[1] == b"CONNECT" or not match[2].startswith(b"/"):
        return None
    fields = leading_fields(block[match.end() :], limits.lines)
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        return None
    return RequestHead(match[1], match[2], int(match[3]), fields, hosts[0], CHUNKED, False, False)


def parse_request(block: bytes, limits: HeadLimits, known: KnownLines | None = None) -> RequestHead:
    """Read one request head.

    :param known: the header lines that the same connection sent before.
    :raises FramingError: two parsers could disagree about the head.
    """
    match = _REQUEST_LINE.match(block)
    if match is None:
        raise FramingError("malformed request line")
    method, target, minor = match.groups()
    fields = parse_fields(block[match.end() :], limits.lines, known)
    index = FieldIndex(fields)
    host = index.single(b"host")
    if index.any_of(_REFUSED_FIELDS):
        raise FramingError("a header that is not accepted: one spelled with _")
    if method == b"CONNECT":
        raise FramingError("CONNECT is not served")
    if not (target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")):
        # Absolute-form is for forward proxies; here its authority could contradict Host.
        raise FramingError("request target is not in origin-form")
    if host is None:
        if minor == b"1":
            raise FramingError("no Host header")
        host = b""
    elif _HOST.fullmatch(host) is None:
        raise FramingError("malformed Host header")
    body_length = _announced(index, minor)
    if body_length == UNTIL_CLOSE:
        body_length = 0
    return RequestHead(
        method=method,
        target=target,
        minor=int(minor),
        fields=fields,
        host=host,
        body_length=body_length,
        keep_alive=_keep_alive(index, minor),
        expect_continue=minor == b"1" and b"100-continue" in index.members(b"expect"),
    )


def parse_response(
    block: bytes, method: bytes, limits: HeadLimits, known: KnownLines | None = None
) -> ResponseHead:
    """Read the head of a response to a request with *method*.

    :param known: the header lines that the same connection sent before.
    :raises FramingError: two parsers could disagree about the head.
    """
    match = _STATUS_LINE.match(block)
    if match is None:
        raise FramingError("malformed status line")
    minor, status = match[1], int(match[2])
    fields = parse_fields(block[match.end() :], limits.lines, known)
    index = FieldIndex(fields)
    keep_alive = _keep_alive(index, minor)
    if status < 200 or status == 204:
        # Neither can have a body (RFC 9112 section 6.3), so its framing is only a sign of a sender
        # that may write one.
        keep_alive = keep_alive and not index.frames_body()
        return ResponseHead(status, fields, 0, keep_alive)
    body_length = _announced(index, minor)
    if status == 304:
        keep_alive = keep_alive and body_length != CHUNKED
    if status == 304 or method == b"HEAD":
        body_length = 0
    keep_alive = keep_alive and body_length != UNTIL_CLOSE
    return ResponseHead(status, fields, body_length, keep_alive)


def _announced(index: FieldIndex, minor: bytes) -> int:
    length = index.single(b"content-length")
    encoding = index.single(b"transfer-encoding")
    if encoding is not None:
        if length is not None:
            raise FramingError("both Content-Length and Transfer-Encoding")
        if minor != b"1":
            raise FramingError("Transfer-Encoding in HTTP/1.0")
        if encoding.lower() != b"chunked":
            raise FramingError("Transfer-Encoding is not exactly chunked")
        return CHUNKED
    if length is None:
        return UNTIL_CLOSE
    if _LENGTH.fullmatch(length) is None:
        raise FramingError("malformed Content-Length")
    return int(length)


def _keep_alive(index: FieldIndex, minor: bytes) -> bool:
    options = index.members(b"connection")
    if b"close" in options:
        return False
    return minor == b"1" or b"keep-alive" in options
