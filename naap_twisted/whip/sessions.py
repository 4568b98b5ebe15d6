"""A route's WebRTC sessions: their Locations, signed on the way out and verified on the way in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from twisted.web.iweb import IResponse

from ..errors import InvalidTarget, NotFound
from ..headers import media_type
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..policy.target import MAX_URL, parse_target
from .key import LocationKey
from .location import BadToken, sign, verify
from .rules import OFFER, SESSION_METHODS

#: The segment between a route's path and a token; it hides a pinned upstream's path of its name.
SEGMENT = "whip-session"
METHODS = (*(method.encode("ascii") for method in SESSION_METHODS), b"HEAD")

_NAME = re.compile(rb"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}")


class WebRtcSessions:
    """The WebRTC sessions of the route at *path*.

    :param path: the route's full path, as it stands in a request target.
    :param ttl: seconds that a Location works.
    :param clock: seconds since 1970, because a Location outlives the process.
    """

    def __init__(
        self, key: LocationKey, path: str, ttl: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._path = path
        self._ttl = ttl
        self._clock = clock
        self._prefix = f"{path}/{SEGMENT}/".encode("ascii")

    def holds(self, request: IDownstreamRequest) -> bool:
        """Whether the request is for a Location, valid or not."""
        return bool(request.uri.startswith(self._prefix))

    def target(self, request: IDownstreamRequest) -> Target | None:
        """The target of a request to a Location; ``None`` for a request to any other path.

        :raises NotFound: the Location is another user's, was altered, or has expired.
        """
        if not self.holds(request):
            return None
        token, slash, name = request.uri[len(self._prefix) :].partition(b"/")
        user, now = _user_of(request), self._clock()
        try:
            url = verify(self._key.open(), token, user=user, route=self._path, now=now)
            if slash + name != _named(url):
                raise BadToken("its name is another session's")
            return parse_target(url, underscores=True)
        except BadToken as error:
            raise NotFound("No such session", reason=f"Location: {error}") from None
        except InvalidTarget as error:
            raise NotFound("No such session", reason=f"Location: {error.reason}") from None

    def locate(
        self, request: IDownstreamRequest, response: IResponse
    ) -> Callable[[bytes], bytes] | None:
        """The function that makes an absolute Location one of this server, or ``None``.

        A redirect begins no session, so its Location stays the upstream's.
        """
        if request.method != b"POST" or 300 <= response.code < 400:
            return None
        return lambda url: self._signed(request, url)

    def _signed(self, request: IDownstreamRequest, url: bytes) -> bytes:
        try:
            parse_target(url, underscores=True)
        except InvalidTarget:
            return url  # no URL that this proxy could request; the client may know what it is
        if len(url) > MAX_URL:
            return url  # nor could a browser ask for what would be made of it
        expires = int(self._clock() + self._ttl)
        user = _user_of(request)
        token = sign(self._key.open(), url, user=user, route=self._path, expires=expires)
        return bytes(request.outer) + self._prefix + token + _named(url)

    def relays_error(self, request: IDownstreamRequest, response: IResponse) -> bool:
        """Whether an upstream's 4xx or 5xx goes out unchanged although the route wraps errors.

        A session's 412 or 422 is a part of the protocol, as is WHEP's 406 with a counter-offer.
        """
        if request.method != b"POST":
            return True
        types = response.headers.getRawHeaders(b"content-type") or [b""]
        return media_type(types[0]) == OFFER.encode("ascii")


def _named(url: bytes) -> bytes:
    """The slash and the session's name that follow a token; nothing where *url* ends in no name.

    Clients of OpenAI's take the last segment of a Location for the call's id, which other requests
    and the page's own server need.
    """
    path = b"".join(url.partition(b"?")[0].split(b"/", 3)[3:])
    name = path.rpartition(b"/")[2]
    return b"/" + name if _NAME.fullmatch(name) else b""


def _user_of(request: IDownstreamRequest) -> str | None:
    user = request.record.user
    return None if user is None else user.id
