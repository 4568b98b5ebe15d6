"""A request to the proxy's own site without a socket, as a browser would send a preflight.

A page's script can't see the answer to a preflight; the console shows what this replay got.
"""

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
    """A response head; its header names are in lower case."""

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
    """What *site* answers at once; ``None``: it waits for something, or refuses connections.

    It is for requests that are answered without asking anybody, as a preflight is; neither the
    access log nor the metrics have them. The names and values of *headers* go into the request as
    they are: the caller has checked that none can break out of its line.

    :param secure: whether the request seems to come over TLS.
    """
    # A second site of the same parts, without an observer, so that nothing is logged or counted.
    quiet = DownstreamSite(site.resource, limits=site.limits, reactor=site.reactor)
    quiet.closing, quiet.draining = site.closing, site.draining
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
    """A transport that keeps what is written and applies no back-pressure."""

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
        """There is no socket to close, to pause or to tune."""

    loseConnection = abortConnection = loseWriteConnection = _nothing
    registerProducer = unregisterProducer = setTcpNoDelay = _nothing
    pauseProducing = resumeProducing = stopProducing = _nothing
