"""URLs of the upstream in its headers, made URLs of this route, where clients go on.

An API that answers "upload it there" names its own host. A client that goes there directly passes
this server by, without the key; so the URL that it gets is one below this route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..downstream.caller import NOBODY, TrustedProxies
from ..errors import InvalidTarget
from ..interfaces import IDownstreamRequest
from ..policy.target import PinnedBase
from ..wrappers.base import is_https

Rewriting = Callable[[bytes], bytes]


class Homeward:
    """Rewrites the headers *names* of one route's answers.

    :param names: headers whose value is one URL.
    :param pinned: the upstream's base; a URL that is not below it stays as it is.
    :param path: the route's full path.
    :param trusted: proxies whose X-Forwarded-Proto is believed.
    """

    def __init__(
        self,
        names: Sequence[str],
        pinned: PinnedBase | None,
        path: str,
        trusted: TrustedProxies = NOBODY,
    ) -> None:
        self._names = () if pinned is None else [name.title().encode("ascii") for name in names]
        self._pinned = pinned
        self._path = path.encode("ascii")
        self._trusted = trusted

    def __bool__(self) -> bool:
        return bool(self._names)

    def locate(
        self, request: IDownstreamRequest, location: Rewriting | None = None
    ) -> Mapping[bytes, Rewriting]:
        """What rewrites the value of each of the headers in the answer to *request*.

        :param location: what rewrites Location, which names a WebRTC session.
        """
        others = {} if location is None else {b"Location": location}
        return dict.fromkeys(self._names, lambda url: self._at_home(request, url)) | others

    def _at_home(self, request: IDownstreamRequest, url: bytes) -> bytes:
        host = request.requestHeaders.getRawHeaders(b"host")
        if self._pinned is None or not host:
            return url
        try:
            rest = self._pinned.below(self._pinned.whole(url))
        except InvalidTarget:
            return url  # another host's; the client may know what it is
        scheme = b"https" if is_https(request, self._trusted) else b"http"
        path: bytes = request.outer + self._path
        return b"".join((scheme, b"://", host[0], path, rest.encode("ascii")))
