"""The HTTP endpoint of the media: WHIP (RFC 9725) to publish, WHEP to watch; the key is needed."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from ...secret import Secret
from ..upstream import UpstreamSite
from ..whip_upstream import FRAGMENT_TYPE, OFFER_TYPE, Refusal, admit, created, media_type, refuse
from .fragment import Fragment, NotAFragment, parse_fragment
from .session import BadOffer, Ended, Publisher, RestartRefused, Session, Viewer

#: Sessions at once: each decodes or encodes a video.
MAX_SESSIONS = 8
_T = TypeVar("_T")


def awaited(work: Coroutine[Any, Any, _T]) -> Deferred[_T]:
    """A Deferred of *work*, a coroutine that needs asyncio's event loop."""
    return Deferred.fromFuture(asyncio.ensure_future(work))


class MediaEndpoint:
    """The endpoint and its sessions.

    :param authorization: the only ``Authorization`` value that is accepted.
    :param say: called with a line for people when a session begins or ends.
    :ivar sessions: the open sessions by the last segment of their URL, which is secret.
    """

    app = Klein()
    app.handle_errors(Refusal)(refuse)

    def __init__(self, authorization: Secret, say: Callable[[str], None]) -> None:
        self._authorization = authorization
        self._say = say
        self._count = 0
        self.sessions: dict[str, Session] = {}

    def site(self) -> UpstreamSite:
        """A site that serves it."""
        return UpstreamSite(self.app.resource())

    async def close(self) -> None:
        """End every session."""
        for session in list(self.sessions.values()):
            await session.close("the endpoint stops")

    @app.route("/whip/<room>", methods=["POST"])
    async def publish(self, request: IRequest, room: str) -> bytes:
        """Open a session that receives: 201, SDP answer, URL and entity-tag (RFC 9725, 4.2)."""
        self._admit_offer(request)
        return await self._open(request, "session", lambda *more: Publisher(room, *more))

    @app.route("/whep/<room>", methods=["POST"])
    async def view(self, request: IRequest, room: str) -> bytes:
        """Open a session that sends the media of the room's latest publisher; 409 without one."""
        self._admit_offer(request)
        publishers = [p for p in self._publishers() if p.room == room and p.state == "connected"]
        if not publishers:
            request.setHeader(b"retry-after", b"2")
            raise Refusal(409, b"nobody publishes in this room")
        latest = publishers[-1]
        return await self._open(request, "viewer", lambda *more: Viewer(latest, *more))

    @app.route("/whip/resource/<name>", methods=["PATCH"])
    async def trickle(self, request: IRequest, name: str) -> bytes:
        """Take ICE candidates: 204 (4.3.2). An ICE restart, which aiortc lacks: 422 (4.3.1)."""
        session = self._session(request, name)
        if media_type(request) != FRAGMENT_TYPE:
            raise Refusal(415, b"expected " + FRAGMENT_TYPE)
        expected = request.getHeader(b"if-match")
        if session.etag and expected is None:
            raise Refusal(428, b"expected If-Match with the session's ETag")
        if expected not in (None, b"*", session.etag.encode()):
            raise Refusal(412, b"the session has another ETag")
        try:
            fragment: Fragment = parse_fragment(_text(request))
            await awaited(session.add(fragment))
        except NotAFragment as error:
            raise Refusal(400, str(error).encode()) from None
        except RestartRefused as error:
            raise Refusal(422, str(error).encode()) from None
        request.setResponseCode(204)
        return b""

    @app.route("/whip/resource/<name>", methods=["DELETE"])
    async def end(self, request: IRequest, name: str) -> bytes:
        """End the session: 200 (section 4.2)."""
        await awaited(self._session(request, name).close("its client ended it"))
        return b""

    @app.route("/whip/<name>", methods=["GET"])
    @app.route("/whep/<name>", methods=["GET"])
    @app.route("/whip/resource/<name>", methods=["GET"])
    def look(self, request: IRequest, name: str) -> bytes:
        """No content, and nothing about whether there is such a session (section 4.1)."""
        admit(request, self._authorization)
        request.setResponseCode(204)
        return b""

    @app.route("/media", methods=["GET"])
    def statistics(self, request: IRequest) -> bytes:
        """JSON: the publishers' sessions that are open, without their URLs; how many viewers."""
        admit(request, self._authorization)
        request.setHeader(b"content-type", b"application/json")
        sessions = [
            {
                "id": str(session.number),
                "state": session.state,
                "frames": session.frames,
                "audio_frames": session.sounds,
                "seconds": round(session.age, 1),
            }
            for session in self._publishers()
        ]
        viewers = len(self.sessions) - len(sessions)
        return json.dumps({"sessions": sessions, "viewers": viewers}).encode()

    def _publishers(self) -> list[Publisher]:
        return [s for s in self.sessions.values() if isinstance(s, Publisher)]

    def _admit_offer(self, request: IRequest) -> None:
        """:raises Refusal: the offer may not be answered."""
        admit(request, self._authorization, b"the key is missing or wrong")
        if media_type(request) != OFFER_TYPE:
            raise Refusal(415, b"expected Content-Type: application/sdp")
        if len(self.sessions) >= MAX_SESSIONS:
            request.setHeader(b"retry-after", b"5")
            raise Refusal(503, b"too many sessions")

    async def _open(
        self, request: IRequest, kind: str, make: Callable[[int, Ended], Session]
    ) -> bytes:
        self._count += 1
        name = secrets.token_urlsafe(16)

        def ended(session: Session, reason: str) -> None:
            del self.sessions[name]
            self._say(
                f"media: {kind} {session.number} ended after {session.age:.1f} s, "
                f"{session.count()}: {reason}"
            )

        session = self.sessions[name] = make(self._count, ended)
        try:
            answer = await awaited(session.answer(_text(request)))
        except BaseException as error:  # CancelledError, too: the proxy hung up meanwhile.
            await awaited(session.close("no answer to its offer"))
            if isinstance(error, BadOffer):
                raise Refusal(400, str(error).encode()) from None
            raise
        self._say(f"media: {kind} {session.number} begins")
        return created(request, name, session.etag.encode(), answer)

    def _session(self, request: IRequest, name: str) -> Session:
        """:raises Refusal: there is no such session, or no key."""
        admit(request, self._authorization)
        if name not in self.sessions:
            raise Refusal(404, b"no such session")
        return self.sessions[name]


def _text(request: IRequest) -> str:
    return str(request.content.read().decode("utf-8", "replace"))
