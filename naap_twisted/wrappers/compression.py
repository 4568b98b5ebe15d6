"""gzip for responses of this server. A relayed response keeps the bytes that its upstream sent.

Status, type and length are known only when the head is about to go out. So the wrapper leaves
:func:`choose_encoder` in ``request.compression``, and the request calls it with its first
*non-empty* piece of body, unless the response is relayed. (An empty body is no gzip stream, so a
response without a body must stay uncompressed.)
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from ..headers import media_type
from ..interfaces import IDownstreamRequest
from .base import Wrapper

#: Bytes of body below which gzip saves less than it costs.
SMALLEST = 1000
_LEVEL = 6
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_COMPRESSIBLE = re.compile(
    rb"text/(?!event-stream\b).+|application/(?:json|javascript|xml|[^;]+\+(?:json|xml))"
    rb"|image/svg\+xml"
)
_WEIGHT = re.compile(rb"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class GzipEncoder:
    """An encoder as twisted.web requests use it: ``encode`` for each piece, then ``finish``.

    :param flush: emit each piece at once, because a body of unknown length may come slowly.
    """

    def __init__(self, *, flush: bool = False) -> None:
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._flush = flush

    def encode(self, data: bytes) -> bytes:
        """The compressed bytes that can be sent now."""
        out = self._deflate.compress(data)
        return out + self._deflate.flush(zlib.Z_SYNC_FLUSH) if self._flush and data else out

    def finish(self) -> bytes:
        """The last compressed bytes, with gzip's trailer."""
        return self._deflate.flush()


def accepts_gzip(values: Sequence[bytes]) -> bool:
    """Whether the values of Accept-Encoding allow gzip (RFC 9110 section 12.5.3).

    The name ``gzip`` takes precedence over ``*``; a weight of 0, or an invalid one, forbids it.

    >>> accepts_gzip([b"br, gzip;q=0.5"]), accepts_gzip([b"*, gzip;q=0"])
    (True, False)
    """
    verdicts: dict[bytes, bool] = {}
    for item in b",".join(values).lower().split(b","):
        coding, *parameters = (part.strip() for part in item.split(b";"))
        verdicts[coding] = all(map(_is_yes, parameters))
    for name in (b"gzip", b"x-gzip", b"*"):
        if name in verdicts:
            return verdicts[name]
    return False


def choose_encoder(request: Request) -> GzipEncoder | None:
    """The encoder for the response whose head *request* is about to send, or ``None``.

    With an encoder, the head gets Content-Encoding, loses Content-Length and Accept-Ranges, and has
    a strong ETag made weak, because the bytes are no longer those that it names.
    """
    headers = request.responseHeaders
    if not _compressible(request, headers):
        return None
    vary = headers.getRawHeaders(b"vary", [])
    if b"accept-encoding" not in b",".join(vary).lower():
        # The names share one line, because some caches read only the first.
        headers.setRawHeaders(b"Vary", [b", ".join([*vary, b"Accept-Encoding"])])
    if not accepts_gzip(request.requestHeaders.getRawHeaders(b"accept-encoding", [])):
        return None
    streamed = not headers.hasHeader(b"content-length")
    headers.setRawHeaders(b"Content-Encoding", [b"gzip"])
    headers.removeHeader(b"content-length")
    headers.removeHeader(b"accept-ranges")
    _weaken_etag(request, headers)
    return GzipEncoder(flush=streamed)


def _compressible(request: Request, headers: Headers) -> bool:
    # HTTP/1.0 has no chunks, so the end of a response without a length would look like a cut.
    if request.method == b"HEAD" or request.clientproto != b"HTTP/1.1":
        return False
    if request.code < 200 or request.code in (204, 206, 304):
        return False
    if headers.hasHeader(b"content-encoding"):
        return False
    if b"no-transform" in b",".join(headers.getRawHeaders(b"cache-control", [])).lower():
        return False
    length = headers.getRawHeaders(b"content-length", [b""])[0]
    if length.isdigit() and int(length) < SMALLEST:
        return False
    default = request.defaultContentType or b""
    kind = headers.getRawHeaders(b"content-type", [default])[0]
    return _COMPRESSIBLE.fullmatch(media_type(kind)) is not None


def _weaken_etag(request: Request, headers: Headers) -> None:
    # setETag() keeps the tag in an attribute until the head is written.
    if request.etag is not None and not request.etag.startswith(b"W/"):
        request.etag = b"W/" + request.etag
    for tag in headers.getRawHeaders(b"etag", []):
        if not tag.startswith(b"W/"):
            headers.setRawHeaders(b"ETag", [b"W/" + tag])


def _is_yes(parameter: bytes) -> bool:
    name, _, weight = parameter.partition(b"=")
    if name.strip() != b"q":
        return True
    weight = weight.strip()
    return _WEIGHT.fullmatch(weight) is not None and float(weight) > 0


class Compression(Wrapper):
    """Lets the request compress the response of *inner*, unless that is relayed."""

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let every request go on."""
        request.compression = choose_encoder
        return True
