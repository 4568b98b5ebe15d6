"""``GET /demo/media``: what the media endpoint has received, for the demo's page."""

from __future__ import annotations

from ...downstream.answering import Answering, only, send_json
from ...interfaces import IDownstreamRequest
from .process import INSTALL, MediaProcess


class MediaStatus(Answering):
    """JSON: ``{"media": bool, "sessions": [...]}``, and how to ``install`` aiortc if it is missing.

    :param media: ``None`` for a demo that receives no media.
    """

    def __init__(self, media: MediaProcess | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._media = media

    async def serve(self, request: IDownstreamRequest) -> None:
        """Send the sessions that are open now."""
        only(request, b"GET", b"HEAD")
        if self._media is None:
            send_json(request, {"media": False, "sessions": [], "install": INSTALL})
        else:
            send_json(request, {"media": True, "sessions": await self._media.sessions()})
