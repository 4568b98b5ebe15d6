"""What every wrapper is: a leaf that does its part at the end of the headers and passes on."""

from __future__ import annotations

from typing import cast

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..downstream.caller import NOBODY, TrustedProxies, came_over_tls
from ..interfaces import IDownstreamRequest, IHeadResource


@implementer(IHeadResource)
class Wrapper(Resource):
    """One layer around *inner*. Subclasses say in :meth:`admit` whether the request goes on."""

    isLeaf = True

    def __init__(self, inner: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inner = inner

    def render(self, request: IDownstreamRequest) -> int:
        """Let *inner* answer if :meth:`admit` agrees."""
        layer: Wrapper = self
        while layer.admit(request):
            inner = layer.inner
            # Layers in a row that only admit need no call each.
            if getattr(type(inner), "render", None) is not Wrapper.render:
                request.render(inner)
                break
            layer = cast(Wrapper, inner)
        return NOT_DONE_YET

    def admit(self, request: IDownstreamRequest) -> bool:
        """Do this layer's part. ``False``: the request has been answered here."""
        raise NotImplementedError


def peer_of(request: IDownstreamRequest) -> str:
    """The connection's own address; ``"unix"`` where it has none."""
    return getattr(request.getClientAddress(), "host", "unix")


def is_https(request: IDownstreamRequest, trusted: TrustedProxies = NOBODY) -> bool:
    """Whether the caller used https, here or as a trusted proxy tells."""
    secure = bool(request.isSecure())
    if secure or not trusted:
        return secure
    return came_over_tls(secure, peer_of(request), request.requestHeaders, trusted)
