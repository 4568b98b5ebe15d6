"""The Protocols by which requests, their connection and their site know each other.

They keep :mod:`.request`, :mod:`.channel` and :mod:`.site` from importing each other in a circle.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource

from ..deadlines import Ticker
from ..errors import ProxyError
from .held import HeldBytes
from .limits import DownstreamLimits
from .lingering import Lingering
from .regime import Regime


class Connection(Protocol):
    """A connection to a browser, as its requests see it; :class:`~.channel.Channel` is one."""

    transport: Any

    @property
    def site(self) -> Serving: ...

    def getPeer(self) -> IAddress: ...

    def getHost(self) -> IAddress: ...

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Keep a response head until the first piece of its body, or :meth:`flush`."""

    def write(self, data: bytes) -> None:
        """Write a piece of an answer's body, framing included."""

    def flush(self) -> None: ...

    def abort(self) -> None: ...


class Waiting(Protocol):
    """A connection that is not a site's yet; :class:`~.front.Front` is one."""

    def abort(self) -> None: ...


class Serving(Protocol):
    """A site, as its connections and requests see it; :class:`~.site.DownstreamSite` is one."""

    limits: DownstreamLimits
    regime: Regime
    ticker: Ticker
    reactor: Any
    held: HeldBytes
    lingering: Lingering
    closing: bool
    requestFactory: Any

    def connection_opened(self, channel: Any) -> None: ...

    def connection_closed(self, channel: Any) -> None: ...

    def refused(self, channel: Any, error: ProxyError) -> tuple[ProxyError, str]: ...

    def charged(self, channel: Any, error: ProxyError) -> ProxyError: ...

    def broken_off(self, channel: Any) -> None: ...

    def http_date(self) -> bytes: ...

    def getResourceFor(self, request: Any) -> IResource: ...

    def exchange_ended(self, request: Any) -> None: ...
