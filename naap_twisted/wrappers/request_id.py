"""Gives each exchange an id and its caller's address, before any other wrapper can refuse it."""

from __future__ import annotations

import re
import secrets

from twisted.web.resource import IResource

from ..downstream.caller import NOBODY, TrustedProxies, effective_client
from ..downstream.headers import put_preset, spelled
from ..interfaces import IDownstreamRequest
from .base import Wrapper, peer_of
from .untrusted_proxies import UntrustedProxies

# Characters that a log line, a header and a URL take without quoting.
_SANE = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_NAME = spelled(b"X-Request-ID")
_FORWARDED = b"x-forwarded-for"
_SOURCES = (b"x-request-id", b"x-correlation-id")


class RequestId(Wrapper):
    """Fills ``record.request_id`` and ``record.client``, and sets ``X-Request-ID``.

    The id is the caller's X-Request-ID, else its X-Correlation-ID, if that came once and holds 1 to
    128 of ``A-Z a-z 0-9 . _ ~ -``; else 128 random bits in hex, which unlike a counter tell callers
    nothing about each other.

    :param trusted: proxies whose X-Forwarded-For is believed.
    :param strangers: told of those whose X-Forwarded-For is not.
    """

    def __init__(
        self,
        inner: IResource,
        *,
        trusted: TrustedProxies = NOBODY,
        strangers: UntrustedProxies | None = None,
    ) -> None:
        super().__init__(inner)
        self._trusted = trusted
        self._strangers = strangers
        self._random = b""
        self._used = 0

    def _random_id(self) -> str:
        """128 random bits in hex; one call to the system gets the bits of many ids."""
        if self._used >= len(self._random):
            self._random, self._used = secrets.token_bytes(16 * 256), 0
        self._used += 16
        return self._random[self._used - 16 : self._used].hex()

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let every request go on."""
        headers = request.requestHeaders
        record = request.record
        peer = peer_of(request)
        record.client = effective_client(peer, headers, self._trusted)
        if self._strangers is not None and headers.hasHeader(_FORWARDED):
            self._strangers.meet(request, peer)
        for name in _SOURCES:
            values = headers.getRawHeaders(name)
            if values is not None and len(values) == 1 and _SANE.fullmatch(values[0]):
                request_id = values[0].decode("ascii")
                break
        else:
            request_id = self._random_id()
        record.request_id = request_id
        put_preset(request.responseHeaders, ((_NAME, request_id.encode("ascii")),))
        return True
