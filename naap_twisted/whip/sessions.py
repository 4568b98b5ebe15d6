"""One route's sessions: their Locations, signed on the way out and opened on the way in."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.web.iweb import IResponse

from ..errors import InvalidTarget, NotFound
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..policy.target import parse_target
from .key import LocationKey
from .location import BadToken, sign, verify
from .rules import OFFER, SESSION_METHODS

#: Between a route's path and a token. On a pinned route it hides an upstream path of that name.
SEGMENT = "whip-session"
METHODS = (*(method.encode("ascii") for method in SESSION_METHODS), b"HEAD")


class Sessions:
    """The sessions of the route at *path*.

    :param path: as it stands in a request target.
    :param ttl: seconds that a Location works.
    :param clock: seconds since 1970; they outlive the process.
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
        """Whether the request is for a Location, good or bad."""
        return bool(request.uri.startswith(self._prefix))

    def target(self, request: IDownstreamRequest) -> Target | None:
        """Where a request to a Location goes; ``None`` for one to any other path.

        :raises NotFound: the Location is not this user's, altered, or over.
        """
        if not self.holds(request):
            return None
        token = request.uri[len(self._prefix) :]
        try:
            url = verify(
                self._key.open(),
                token,
                user=_user_of(request),
                route=self._path,
                now=self._clock(),
            )
            return parse_target(url)
        except BadToken as error:
            raise NotFound("No such session", reason=f"Location: {error}") from None
        except InvalidTarget as error:
            raise NotFound("No such session", reason=f"Location: {error.reason}") from None

    def locate(
        self, request: IDownstreamRequest, response: IResponse
    ) -> Callable[[bytes], bytes] | None:
        """What makes the answer's absolute Location one of this server; ``None``: it stays.

        A redirect is not a session: its Location stays the upstream's.
        """
        if request.method != b"POST" or 300 <= response.code < 400:
            return None
        return lambda url: self._signed(request, url)

    def _signed(self, request: IDownstreamRequest, url: bytes) -> bytes:
        try:
            parse_target(url)
        except InvalidTarget:
            return url  # nothing that this proxy could ask; the client may know what it is
        expires = int(self._clock() + self._ttl)
        user = _user_of(request)
        return self._prefix + sign(
            self._key.open(), url, user=user, route=self._path, expires=expires
        )

    def relays_error(self, request: IDownstreamRequest, response: IResponse) -> bool:
        """Whether an upstream's 4xx or 5xx goes out as it is, whatever the route does with errors.

        A session's 412 or 422 is an answer of the protocol; so is WHEP's 406 with a counter-offer.
        """
        if request.method != b"POST":
            return True
        kinds = response.headers.getRawHeaders(b"content-type") or [b""]
        return bool(kinds[0].partition(b";")[0].strip().lower() == OFFER.encode("ascii"))


def _user_of(request: IDownstreamRequest) -> str | None:
    user = request.record.user
    return None if user is None else user.id
