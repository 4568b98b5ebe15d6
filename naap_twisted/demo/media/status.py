"""``GET /demo/media``: what the media endpoint has received, for the demo's page."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from .process import INSTALL, MediaProcess


class MediaStatus(Resource):
    """JSON: ``{"media": bool, "sessions": [...]}``, and how to ``install`` what is missing.

    :param media: ``None`` where the demo runs without.
    """

    isLeaf = True

    def __init__(self, media: MediaProcess | None) -> None:
        super().__init__()
        self._media = media

    def render_GET(self, request: Request) -> bytes | int:
        """The sessions that are open now."""
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        if self._media is None:
            return json.dumps({"media": False, "sessions": [], "install": INSTALL}).encode()
        told = Deferred.fromCoroutine(self._media.sessions())
        left = request.notifyFinish()
        left.addErrback(lambda _: told.cancel())
        told.addCallback(self._tell, request, left)
        told.addErrback(_gone)
        return NOT_DONE_YET

    def _tell(self, sessions: list[dict[str, Any]], request: Request, left: Deferred[None]) -> None:
        if not left.called:  # the page may be gone
            request.write(json.dumps({"media": True, "sessions": sessions}).encode())
            request.finish()


def _gone(reason: Failure) -> None:
    reason.trap(CancelledError)
