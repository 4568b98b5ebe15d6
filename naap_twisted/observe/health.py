"""``GET /healthz``: a load balancer asks whether the service runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import NOT_DONE_YET

from ..downstream.answering import HeadResource
from ..errors import MethodNotAllowed, NotFound
from ..interfaces import IDownstreamRequest


class Health(HeadResource):
    """Tells the service's name and the seconds since it started.

    :param clock: measures the uptime.
    """

    def __init__(self, name: str, clock: IReactorTime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = name
        self._clock = clock
        self._started = clock.seconds()

    def render(self, request: IDownstreamRequest) -> int:
        """Answer GET and HEAD."""
        if request.postpath:
            request.refuse(NotFound())
        elif request.method not in (b"GET", b"HEAD"):
            request.refuse(MethodNotAllowed(headers=((b"Allow", b"GET, HEAD, OPTIONS"),)))
        else:
            answer = {
                "status": "ok",
                "service": self._name,
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "uptime": round(self._clock.seconds() - self._started, 3),
            }
            payload = json.dumps(answer).encode()
            request.setHeader(b"Content-Type", b"application/json")
            request.setHeader(b"Content-Length", b"%d" % len(payload))
            request.setHeader(b"Cache-Control", b"no-store")
            request.write(payload)
            request.finish()
        return NOT_DONE_YET
