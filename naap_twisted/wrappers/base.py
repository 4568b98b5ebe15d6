"""The base of every wrapper: a leaf that acts at the end of a request's headers."""

from __future__ import annotations

from typing import cast

from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ..downstream.answering import HeadResource
from ..downstream.caller import NOBODY, TrustedProxies, came_over_tls, peer_name
from ..interfaces import IDownstreamRequest

#: A load balancer checks it by address and over plain http, however often it likes.
HEALTH_PATH = b"/healthz"


class Wrapper(HeadResource):
    """A layer around *inner*. Subclasses decide in :meth:`admit` whether the request goes on."""

    #: What marks an answer marks also those to heads that could not be read.
    sees_refused = True

    def __init__(self, inner: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inner = inner

    def render(self, request: IDownstreamRequest) -> int:
        """Let *inner* answer if :meth:`admit` agrees."""
        layer: Wrapper = self
        while layer.admit(request):
            inner = layer.inner
            # Wrapper.render of the next layer would do no more than this loop: spare its call.
            if getattr(type(inner), "render", None) is not Wrapper.render:
                request.render(inner)
                break
            layer = cast(Wrapper, inner)
        return NOT_DONE_YET

    def admit(self, request: IDownstreamRequest) -> bool:
        """Act on the request; ``False`` if this layer answers it."""
        raise NotImplementedError


def peer_of(request: IDownstreamRequest) -> str:
    """The address of the connection's other end; ``"unix"`` for a UNIX socket."""
    return peer_name(request.getClientAddress())


def is_https(request: IDownstreamRequest, trusted: TrustedProxies = NOBODY) -> bool:
    """Whether the request came by https, to this server or, as it tells, to a trusted proxy."""
    secure = bool(request.isSecure())
    if secure or not trusted:
        return secure
    return came_over_tls(secure, peer_of(request), request.requestHeaders, trusted)
