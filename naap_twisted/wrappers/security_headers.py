"""Headers that tell a browser to do less with our answers."""

from __future__ import annotations

from twisted.web.resource import IResource

from ..downstream.headers import make_preset, put_preset
from ..interfaces import IDownstreamRequest
from .base import Wrapper

#: No frames, no plugins, no foreign base. Scripts and styles stay as they are, so that stock Klein
#: pages work; what is relayed from an upstream gets the sandbox of route.relay instead.
CONTENT_SECURITY_POLICY = "frame-ancestors 'none'; base-uri 'self'; object-src 'none'"

_CONSTANT = {
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
    # Not no-referrer: under that policy a page's own form is posted with "Origin: null" (Fetch,
    # "append a request Origin header"), which the CORS layer never lets in.
    b"Referrer-Policy": b"same-origin",
    # Fetch checks this for no-cors requests only (img, script of other sites), so pages that read
    # us through CORS are not touched by the strictest value.
    b"Cross-Origin-Resource-Policy": b"same-origin",
}


class SecurityHeaders(Wrapper):
    """Sets them before *inner* renders, so each is a default that a resource may override.

    :param policy: the Content-Security-Policy; ``None`` sets none.
    """

    def __init__(self, inner: IResource, *, policy: str | None = CONTENT_SECURITY_POLICY) -> None:
        super().__init__(inner)
        own = {} if policy is None else {b"Content-Security-Policy": policy.encode("ascii")}
        self._preset = make_preset({**_CONSTANT, **own})

    def admit(self, request: IDownstreamRequest) -> bool:
        """Always goes on."""
        put_preset(request.responseHeaders, self._preset)
        return True
