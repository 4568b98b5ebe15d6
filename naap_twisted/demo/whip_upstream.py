"""An upstream on loopback that answers WHIP offers (RFC 9725); no media is received."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import secrets
from collections import OrderedDict

from klein import Klein
from twisted.python.failure import Failure
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


class Refusal(Exception):
    """An answer that is no success: its status, and its body, which is text for people."""


def refuse(self: object, request: IRequest, failure: Failure) -> bytes:
    """Answer with a :exc:`Refusal`; a method for :meth:`klein.Klein.handle_errors`."""
    status, text = failure.value.args  # type: ignore[union-attr]
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return bytes(text)


class WhipUpstream:
    """The WHIP endpoint and its sessions.

    :param authorization: the only ``Authorization`` value that is accepted.
    :ivar sessions: the ETag by session id; beyond ``MAX_SESSIONS`` the oldest is forgotten.
    """

    app = Klein()
    app.handle_errors(Refusal)(refuse)

    def __init__(self, authorization: Secret) -> None:
        self._authorization = authorization
        self.sessions: OrderedDict[str, bytes] = OrderedDict()

    def site(self) -> UpstreamSite:
        """A site that serves it."""
        return UpstreamSite(self.app.resource())

    @app.route("/whip/<room>", methods=["POST"])
    def offer(self, request: IRequest, room: str) -> bytes:
        """Open a session: 201, the answer, and where the session lives (section 4.2)."""
        admit(request, self._authorization)
        if media_type(request) != OFFER_TYPE:
            raise Refusal(415, b"expected Content-Type: application/sdp")
        try:
            answer = sdp.answer_to(request.content.read().decode("utf-8", "replace"))
        except sdp.NotAnOffer as error:
            raise Refusal(400, str(error).encode()) from None
        # A STUN server on loopback, which is not there: the demo asks no other machine.
        request.setHeader(b"link", b'<stun:127.0.0.1:3478>; rel="ice-server"')
        return created(request, *self._open(), answer)

    @app.route("/whip/resource/<session>", methods=["PATCH"])
    def trickle(self, request: IRequest, session: str) -> bytes:
        """Take further ICE candidates: 204 (section 4.3.2)."""
        admit(request, self._authorization)
        if session not in self.sessions:
            raise Refusal(404, b"no such session")
        if media_type(request) != FRAGMENT_TYPE:
            raise Refusal(415, b"expected " + FRAGMENT_TYPE)
        if_match = request.getHeader(b"if-match")
        if if_match not in (None, b"*", self.sessions[session]):
            raise Refusal(412, b"the session has another ETag")
        request.setResponseCode(204)
        return b""

    @app.route("/whip/resource/<session>", methods=["DELETE"])
    def close(self, request: IRequest, session: str) -> bytes:
        """End the session: 200 (section 4.2)."""
        admit(request, self._authorization)
        if self.sessions.pop(session, None) is None:
            raise Refusal(404, b"no such session")
        return b""

    def _open(self) -> tuple[str, bytes]:
        while len(self.sessions) >= MAX_SESSIONS:
            self.sessions.popitem(last=False)
        session = secrets.token_urlsafe(12)
        etag = b'"' + secrets.token_hex(8).encode() + b'"'
        self.sessions[session] = etag
        return session, etag


def admit(request: IRequest, authorization: Secret, text: bytes = b"") -> None:
    """:raises Refusal: *request* does not have the key."""
    if not presents(request, authorization):
        request.setHeader(b"www-authenticate", b'Bearer realm="whip-demo"')
        raise Refusal(401, text)


def created(request: IRequest, session: str, etag: bytes, answer: str) -> bytes:
    """Set up the 201 that tells of a new *session*, and return its body, the SDP *answer*."""
    request.setResponseCode(201)
    request.setHeader(b"content-type", OFFER_TYPE)
    request.setHeader(b"location", b"/whip/resource/" + session.encode())
    if etag:
        request.setHeader(b"etag", etag)
    request.setHeader(b"accept-patch", FRAGMENT_TYPE)
    return answer.encode()
