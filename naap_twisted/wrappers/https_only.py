"""Redirects plain http to https, and tells browsers to stay with https (HSTS, RFC 6797)."""

from __future__ import annotations

import json
import re
from collections.abc import Set

from twisted.logger import Logger
from twisted.web.resource import IResource

from ..downstream.caller import NOBODY, TrustedProxies
from ..errors import BadRequest, MisdirectedRequest
from ..interfaces import IDownstreamRequest
from .base import HEALTH_PATH, Wrapper, is_https, peer_of
from .server_names import host_of
from .untrusted_proxies import UntrustedProxies

_ORIGIN_FORM = re.compile(rb"/[\x21-\x7e]*")


class HttpsOnly(Wrapper):
    """Redirects plain-http requests and sets Strict-Transport-Security on responses over https.

    GET and HEAD get 301, other methods 308, which keeps method and body. The URL names the host of
    the request, which has to be one of *own*, without its port, which speaks plain http.

    :param redirect: ``False`` lets plain http through.
    :param hsts: seconds, or ``None`` for no header. It is never sent over plain http (section 7.2).
    :param trusted: proxies whose X-Forwarded-Proto is believed.
    :param https_port: where https is served; the URL names it if it is not 443.
    :param strangers: told of proxies whose X-Forwarded-Proto is not believed: their callers are
        redirected for ever.
    :param own: names of this server; with ``None`` an outer wrapper has checked the name.
    """

    _log = Logger()

    def __init__(
        self,
        inner: IResource,
        *,
        redirect: bool,
        hsts: float | None = None,
        trusted: TrustedProxies = NOBODY,
        https_port: int = 443,
        own: Set[bytes] | None = None,
        strangers: UntrustedProxies | None = None,
    ) -> None:
        super().__init__(inner)
        self._redirect = redirect
        self._hsts = None if hsts is None else [b"max-age=%d" % hsts]
        self._trusted = trusted
        self._own = own
        self._strangers = strangers
        self._port = b"" if https_port == 443 else b":%d" % https_port

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let the request go on over https, or where plain http may."""
        if is_https(request, self._trusted):
            if self._hsts is not None:
                request.responseHeaders.setRawHeaders(b"Strict-Transport-Security", self._hsts)
            return True
        if not self._redirect or request.path == HEALTH_PATH:
            return True
        self._redirect_to_https(request)
        return False

    def _redirect_to_https(self, request: IDownstreamRequest) -> None:
        if self._strangers is not None and request.requestHeaders.hasHeader(b"x-forwarded-proto"):
            self._strangers.meet(request, peer_of(request))
        host = host_of(request)
        if host is None or not _ORIGIN_FORM.fullmatch(request.uri):
            request.refuse(BadRequest(reason="no https URL for this Host and target"))
            return
        if self._own is not None and host.name not in self._own:
            line = f"server_names = {json.dumps([host.name.decode('ascii')])}"
            self._log.warn("Sent a caller nowhere; if that Host is ours: {line}", line=line)
            request.refuse(MisdirectedRequest(reason="https_redirect: Host is not in server_names"))
            return
        request.setResponseCode(301 if request.method in (b"GET", b"HEAD") else 308)
        headers = request.responseHeaders
        where = b"https://" + host.name + self._port + request.outer + request.uri
        headers.setRawHeaders(b"Location", [where])
        headers.setRawHeaders(b"Content-Length", [b"0"])
        request.finish()
