"""A request's body on its way: as it came, judged, and as it leaves."""

from __future__ import annotations

from attrs import frozen
from twisted.web.iweb import IBodyProducer

from ..auth.patience import Patience
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..spend.tokens import TokenMembers
from ..whip.sessions import WebRtcSessions
from .compiled import Route
from .first_exchange import FirstExchange
from .sent_body import SentBody


@frozen
class LeavingBody:
    """What becomes of one request's body.

    :ivar came: as the page has sent it, where it was read whole.
    :ivar body: as the rules of the route leave it; what it costs is told by it.
    :ivar sent: what goes upstream: its content, or where it *asks* for a stream's usage, that.
    :ivar is_another: whether that is not what the page has sent.
    """

    came: bytes
    body: SentBody
    sent: bytes | IBodyProducer | None
    asks: bool
    is_another: bool


@frozen
class Outgoing:
    """What of a request goes upstream, beside its head, and what becomes of the answer.

    :ivar tokens: where the answer reports a model's tokens; ``None``: nobody wants to know.
    :ivar first: keeps the answer for retries, and may go on without the caller.
    """

    body: LeavingBody
    tokens: TokenMembers | None
    first: FirstExchange | None


class LeavingBodies:
    """The bodies of a mounted route's requests."""

    def __init__(self, route: Route, webrtc: WebRtcSessions | None, patience: Patience) -> None:
        self._route = route
        self._webrtc = webrtc
        self._patience = patience

    async def of(
        self, request: IDownstreamRequest, target: Target, *, metered: bool, whole: bool
    ) -> LeavingBody:
        """The body of *request*, read and judged.

        :param metered: what it costs is told by what is in it.
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
        opened = judged = SentBody(*await policy.open(request, metered=metered, whole=whole))
        if not free:
            for judge in filter(None, (route.judge, narrow)):
                judged = await judge.judged(request, target, judged, self._patience)
        came = opened.content if isinstance(opened.content, bytes) else b""
        asked = None
        if route.asking is not None:
            asked = route.asking.asked(request.method, target, judged)
        if asked is None:
            return LeavingBody(came, judged, judged.content, False, judged is not opened)
        return LeavingBody(came, judged, asked, True, True)
