"""An upstream on loopback that answers WHIP offers (RFC 9725); no media is received."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import secrets
from collections import OrderedDict

from klein import Klein
from twisted.web.iweb import IRequest

from ..secret import Secret
from . import sdp
from .upstream import UpstreamSite, presents

OFFER_TYPE = b"application/sdp"
FRAGMENT_TYPE = b"application/trickle-ice-sdpfrag"
MAX_SESSIONS = 1000


def media_type(request: IRequest) -> bytes:
    """The request's media type, in lower case and without parameters."""
    value = request.getHeader(b"content-type") or b""
    return value.partition(b";")[0].strip().lower()


class WhipUpstream:
    """The WHIP endpoint and its sessions.

    :param authorization: the only ``Authorization`` value that is accepted.
    :ivar sessions: the ETag by session id; beyond ``MAX_SESSIONS`` the oldest is forgotten.
    """

    app = Klein()

    def __init__(self, authorization: Secret) -> None:
        self._authorization = authorization
        self.sessions: OrderedDict[str, bytes] = OrderedDict()

    def site(self) -> UpstreamSite:
        """A site that serves it."""
        return UpstreamSite(self.app.resource())

    @app.route("/whip/<room>", methods=["POST"])
    def offer(self, request: IRequest, room: str) -> bytes:
        """Open a session: 201, the answer, and where the session lives (section 4.2)."""
        if not admitted(request, self._authorization):
            return b""
        if media_type(request) != OFFER_TYPE:
            return refuse(request, 415, b"expected Content-Type: application/sdp")
        try:
            answer = sdp.answer_to(request.content.read().decode("utf-8", "replace"))
        except sdp.NotAnOffer as error:
            return refuse(request, 400, str(error).encode())
        session, etag = self._open()
        request.setResponseCode(201)
        request.setHeader(b"content-type", OFFER_TYPE)
        request.setHeader(b"location", b"/whip/resource/" + session.encode())
        request.setHeader(b"etag", etag)
        request.setHeader(b"accept-patch", FRAGMENT_TYPE)
        # A STUN server on loopback, which is not there: the demo asks no other machine.
        request.setHeader(b"link", b'<stun:127.0.0.1:3478>; rel="ice-server"')
        return answer.encode()

    @app.route("/whip/resource/<session>", methods=["PATCH"])
    def trickle(self, request: IRequest, session: str) -> bytes:
        """Take further ICE candidates: 204 (section 4.3.2)."""
        if not admitted(request, self._authorization):
            return b""
        if session not in self.sessions:
            return refuse(request, 404, b"no such session")
        if media_type(request) != FRAGMENT_TYPE:
            return refuse(request, 415, b"expected " + FRAGMENT_TYPE)
        if_match = request.getHeader(b"if-match")
        if if_match not in (None, b"*", self.sessions[session]):
            return refuse(request, 412, b"the session has another ETag")
        request.setResponseCode(204)
        return b""

    @app.route("/whip/resource/<session>", methods=["DELETE"])
    def close(self, request: IRequest, session: str) -> bytes:
        """End the session: 200 (section 4.2)."""
        if not admitted(request, self._authorization):
            return b""
        if self.sessions.pop(session, None) is None:
            return refuse(request, 404, b"no such session")
        return b""

    def _open(self) -> tuple[str, bytes]:
        while len(self.sessions) >= MAX_SESSIONS:
            self.sessions.popitem(last=False)
        session = secrets.token_urlsafe(12)
        etag = b'"' + secrets.token_hex(8).encode() + b'"'
        self.sessions[session] = etag
        return session, etag


def admitted(request: IRequest, authorization: Secret) -> bool:
    """Whether *request* has the key; if not, this sets up a 401 with an empty body."""
    if presents(request, authorization):
        return True
    request.setHeader(b"www-authenticate", b'Bearer realm="whip-demo"')
    refuse(request, 401, b"")
    return False


def refuse(request: IRequest, status: int, text: bytes) -> bytes:
    """Set up an answer of *status*, and return *text*, its body."""
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text
