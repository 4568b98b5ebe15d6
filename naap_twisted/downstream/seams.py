"""What a request asks of its connection, and both of their site: the seams between them."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource

from ..deadlines import Ticker
from ..errors import ProxyError
from .held import HeldBytes
from .limits import DownstreamLimits


class Connection(Protocol):
    """A connection to a browser, as its requests and its site see it."""

    transport: Any

    @property
    def site(self) -> Serving:
        """Whose connection it is."""

    def getPeer(self) -> IAddress:
        """The other end."""

    def getHost(self) -> IAddress:
        """This end."""

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write a response head; it is held until the first piece of body, or :meth:`flush`."""

    def write(self, data: bytes) -> None:
        """Write a piece of an answer's body, framing included."""

    def flush(self) -> None:
        """Send a head that waits for a body."""

    def abort(self) -> None:
        """Reset the connection: whatever was in flight is visibly incomplete."""


class Serving(Protocol):
    """A site, as its connections and their requests see it."""

    limits: DownstreamLimits
    ticker: Ticker
    reactor: Any
    held: HeldBytes
    draining: bool
    requestFactory: Any

    def connection_opened(self, channel: Any) -> None:
        """Count it."""

    def connection_closed(self, channel: Any) -> None:
        """Forget it."""

    def refused(self, channel: Any, error: ProxyError) -> tuple[ProxyError, str]:
        """What to answer to bytes that never became a request, and the id of its log line."""

    def broken_off(self, channel: Any) -> None:
        """Count a head that its sender did not end."""

    def http_date(self) -> bytes:
        """The Date header's value."""

    def getResourceFor(self, request: Any) -> IResource:
        """The resource that answers *request*."""

    def exchange_ended(self, request: Any) -> None:
        """An answer is out, or its browser left."""
