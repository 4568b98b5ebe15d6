"""A request to the proxy's own site without a socket: what a page's script can not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITransport
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from ..downstream.site import DownstreamSite
from ..framing.fields import FramingError, HeadLimits
from ..framing.head import parse_response

_LIMITS = HeadLimits()
_HERE = IPv4Address("TCP", "127.0.0.1", 0)
Pairs = Sequence[tuple[str, str]]


@frozen
class Reply:
    """A response head.

    :ivar headers: names in lower case, in order.
    """

    status: int
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Every value of a header, by its lower-case name."""
        return [value for key, value in self.headers if key == name]

    def listed(self, name: str) -> list[str]:
        """A comma-separated header as a list."""
        parts = ",".join(self.values(name)).split(",")
        return [part.strip() for part in parts if part.strip()]


def replay(
    site: DownstreamSite, method: str, path: str, headers: Pairs, *, secure: bool = False
) -> Reply | None:
    """What *site* answers at once; ``None``: nothing, or the connection was refused.

    For what is answered without asking anybody, as a preflight is. It counts nowhere, and the
    access log does not have it. The caller checks the names and values in *headers*: they go into
    the request as they are.

    :param secure: as over TLS.
    """
    # Of the same parts, but nobody observes it.
    quiet = DownstreamSite(site.resource, limits=site.limits, reactor=site.reactor)
    quiet.draining = site.draining
    channel = quiet.buildProtocol(_HERE)
    if channel is None:
        return None
    wire = _Wire()
    if secure:
        directlyProvides(wire, ISSLTransport)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    channel.makeConnection(wire)  # type: ignore[no-untyped-call]
    try:
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode("latin-1"))
    finally:
        channel.connectionLost(Failure(ConnectionDone()))
        quiet.ticker.stop()
    block, gap, _ = wire.written.partition(b"\r\n\r\n")
    if not gap:
        return None
    try:
        head = parse_response(block + b"\r\n", method.encode("ascii"), _LIMITS)
    except FramingError:
        return None
    fields = ((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in head.fields)
    return Reply(head.status, tuple(fields))


@implementer(ITransport)
class _Wire:
    """A transport that keeps what is written and never pushes back."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def getPeer(self) -> IPv4Address:
        return _HERE

    def getHost(self) -> IPv4Address:
        return _HERE

    def _nothing(self, *_: Any) -> None:
        """Nothing to close, to pause or to tune."""

    loseConnection = abortConnection = loseWriteConnection = _nothing
    registerProducer = unregisterProducer = setTcpNoDelay = _nothing
    pauseProducing = resumeProducing = stopProducing = _nothing
