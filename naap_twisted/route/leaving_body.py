"""A request's body on its way: as it came, judged, and as it leaves."""

from __future__ import annotations

from attrs import frozen
from twisted.web.iweb import IBodyProducer

from ..auth.patience import Patience
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..whip.sessions import WebRtcSessions
from .compiled import Route
from .spending import Spending


@frozen
class LeavingBody:
    """What becomes of one request's body.

    :ivar came: as the page has sent it, where it was read whole.
    :ivar content: as the rules of the route leave it; what it costs is told by it.
    :ivar content_type: its type.
    :ivar sent: what goes upstream: *content*, or where it *asks* for a stream's usage, that.
    :ivar is_another: whether that is not what the page has sent.
    """

    came: bytes
    content: bytes | IBodyProducer | None
    content_type: bytes | None
    sent: bytes | IBodyProducer | None
    asks: bool
    is_another: bool


class LeavingBodies:
    """The bodies of a mounted route's requests."""

    def __init__(
        self, route: Route, webrtc: WebRtcSessions | None, spending: Spending, patience: Patience
    ) -> None:
        self._route = route
        self._webrtc = webrtc
        self._spending = spending
        self._patience = patience

    async def of(self, request: IDownstreamRequest, target: Target, *, whole: bool) -> LeavingBody:
        """The body of *request*, read and judged.

        :param whole: it is read whole, whatever it is.
        :raises ProxyError: the route does not take it.
        """
        route = self._route
        # A WebRTC session's own requests came with the offer that was judged.
        free = self._webrtc is not None and self._webrtc.holds(request)
        narrow = None if free else route.narrowing.of(request.record.user)
        if narrow is not None:
            narrow.opening.check(request.method, target)
        reads = route if narrow is None else route.narrowing
        policy = reads.patch if request.method == b"PATCH" else reads.body
        metered = self._spending.reports(request.record) is not None
        body, content_type = await policy.open(request, metered=metered, whole=whole)
        came, changed = body if isinstance(body, bytes) else b"", False
        judges = () if free else tuple(filter(None, (route.judge, narrow)))
        if judges:
            assert body is None or isinstance(body, bytes)  # Judged bodies are read to their end.
            sent = judged = body, content_type
            for judge in judges:
                judged = await judge.judged(request, target, judged, self._patience)
            (body, content_type), changed = judged, judged is not sent
        asked = None
        if route.asking is not None:
            asked = route.asking.asked(request.method, target, body, content_type)
        if asked is None:
            return LeavingBody(came, body, content_type, body, False, changed)
        return LeavingBody(came, body, content_type, asked, True, True)
