"""Response headers that restrict what a browser may do with this server's responses."""

from __future__ import annotations

from ..downstream.headers import make_preset, put_preset
from ..interfaces import IDownstreamRequest
from .base import Wrapper

#: Forbids frames, plugins and a foreign base. It leaves scripts and styles alone, so that stock
#: Klein pages work; a relayed response gets the sandbox of route.relay instead.
CONTENT_SECURITY_POLICY = b"frame-ancestors 'none'; base-uri 'self'; object-src 'none'"

_PRESET = make_preset(
    {
        b"Content-Security-Policy": CONTENT_SECURITY_POLICY,
        b"X-Content-Type-Options": b"nosniff",
        b"X-Frame-Options": b"DENY",
        # Under no-referrer a page's own form would be posted with "Origin: null" (Fetch, "append a
        # request Origin header"), which the CORS wrapper never allows.
        b"Referrer-Policy": b"same-origin",
        # Fetch checks this for no-cors requests only (an img or script of another site), so the
        # strictest value does not affect pages that use CORS.
        b"Cross-Origin-Resource-Policy": b"same-origin",
    }
)


class SecurityHeaders(Wrapper):
    """Sets the headers before the inner resource renders, which may override each of them."""

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let every request go on."""
        put_preset(request.responseHeaders, _PRESET)
        return True
