"""Connections from a front that speaks the PROXY protocol (``haproxy:`` endpoints).

Twisted's own wrapper gives a connection to the site before the client's address is known, so that
the limits of an address would count the front, and it takes text for an address. Here a connection
is the site's once its header is read.
"""

from __future__ import annotations

from ipaddress import IPv4Address as V4
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..framing.fields import FramingError
from ..framing.proxy_protocol import Announced, End, parse_announcement
from .caller import peer_name
from .site import DownstreamSite


class Front(Protocol):
    """One connection whose header is still to come. It has as long as a request's head."""

    _log = Logger()
    transport: Any

    def __init__(self, site: DownstreamSite) -> None:
        self._site = site
        self._seen = b""
        self.deadline = site.ticker.now() + site.limits.head_timeout

    def connectionMade(self) -> None:
        """Wait for the header, beside the site's own connections."""
        self._site.ticker.watch(self)
        self._site.waiting.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Read on; at the header's end the connection is the site's."""
        self._seen += data
        try:
            announced = parse_announcement(self._seen)
        except FramingError as error:
            self._refuse(str(error))
            return
        if announced is not None:
            self._hand_over(announced, self._seen[announced.length :])

    def _hand_over(self, announced: Announced, rest: bytes) -> None:
        self._leave()
        transport = self.transport
        peer, host = _address(announced.source), _address(announced.destination)
        channel = self._site.buildProtocol(peer or transport.getPeer())
        if channel is None:
            transport.abortConnection()
            return
        channel.announce(peer, host, secure=announced.secure)
        transport.protocol = channel
        channel.makeConnection(transport)  # type: ignore[no-untyped-call]
        if rest:
            channel.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody waits for the header any more."""
        self._leave()

    def deadline_passed(self) -> None:
        """Close: no front takes so long for its first bytes."""
        self._refuse("no PROXY header in time")

    def abort(self) -> None:
        """Reset the connection."""
        self._leave()
        self.transport.abortConnection()

    def _refuse(self, reason: str) -> None:
        # Nothing is answered: what speaks another protocol would not understand it.
        peer = peer_name(self.transport.getPeer())
        self._log.info("connection closed: {reason}", reason=reason, peer=peer)
        self.abort()

    def _leave(self) -> None:
        self._site.ticker.unwatch(self)
        self._site.waiting.discard(self)


class Fronts(Factory):
    """The factory of a ``haproxy:`` endpoint before *site*."""

    noisy = False

    def __init__(self, site: DownstreamSite) -> None:
        self._site = site

    def buildProtocol(self, addr: IAddress | None) -> Front | None:
        """A connection that waits for its header; ``None`` over the bound on all connections."""
        return Front(self._site) if self._site.has_room() else None


def _address(end: End | None) -> IPv4Address | IPv6Address | None:
    if end is None:
        return None
    kind = IPv4Address if isinstance(end.host, V4) else IPv6Address
    return kind("TCP", end.host.compressed, end.port)
