"""The factory of browser connections: a ``twisted.web.server.Site`` with our own channel."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Site

from ..deadlines import Ticker
from ..errors import ProxyError
from .caller import NOBODY, TrustedProxies, peer_name, rate_key
from .channel import Channel
from .held import HeldBytes
from .limits import DownstreamLimits
from .lingering import Lingering
from .regime import Regime
from .request import DownstreamRequest
from .seams import Waiting


class DownstreamSite(Site):
    """Serves *resource* over HTTP/1.1 and hands requests on at the end of their head.

    The parameters are those of the first :class:`~.regime.Regime`.

    :ivar regime: the one that holds now, for what begins.
    :ivar closing: the server is about to end, so that answers say ``Connection: close``.
    :ivar draining: it shuts down: it listens no more, and requests that begin now are refused.
    :ivar tight: hardly a file can be opened any more.
    :ivar is_overflow: it takes those who find no room, tells them so, and answers health checks.
    :ivar open: the connections that are open now.
    :ivar waiting: those beside them whose front has not said yet for whom it connects.
    :ivar held: the account of request bodies in memory.
    :ivar lingering: the account of connections that are drained after their answer.
    """

    _log = Logger()
    noisy = False  # the server's own line in the log says where it listens
    requestFactory: Any = DownstreamRequest

    def __init__(
        self,
        resource: IResource,
        *,
        limits: DownstreamLimits | None = None,
        reactor: IReactorTime | None = None,
        observers: Sequence[Callable[[DownstreamRequest], None]] = (),
        exempt: TrustedProxies = NOBODY,
        charge: Callable[[str], ProxyError | None] | None = None,
    ) -> None:
        super().__init__(resource, reactor=reactor)  # type: ignore[no-untyped-call]
        self.limits = limits or DownstreamLimits()
        self.regime = Regime(resource, self.limits, observers, exempt, charge)
        self.ticker = Ticker(self.reactor)
        self.closing = self.draining = self.tight = self.is_overflow = False
        self._overflow: DownstreamSite | None = None
        self.open: set[Channel] = set()
        self.waiting: set[Waiting] = set()
        self._per_address: Counter[str] = Counter()
        self.held = HeldBytes(self.limits.held, self.limits.held_per_address)
        self.lingering = Lingering(self.limits)
        self._date = (0, b"")

    def serve(self, regime: Regime) -> None:
        """Let *regime* hold from now on, for new connections and for requests that begin.

        What is in flight ends under the regime that it began with; a connection that is open keeps
        its bounds. Accounts of what is open go on.
        """
        self.regime = regime
        self.resource = regime.resource
        self.limits = regime.limits
        self.held.rebound(self.limits.held, self.limits.held_per_address)
        self.lingering.rebound(self.limits)
        if self._overflow is not None:
            limits, told = self._overflow.limits, (regime.observers, NOBODY, regime.charge)
            self._overflow.serve(Regime(regime.resource, limits, *told))

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> Channel | None:
        """A new connection, or ``None`` over the bounds, whereupon Twisted closes it."""
        host = peer_name(addr)
        site = self if self._has_room() else self._overflow
        if site is None or not site._has_room() or site._is_crowded(host):
            self._log.warn("connection refused: too many are open", peer=host)
            return None
        return Channel(site)

    def overflow_into(self, limits: DownstreamLimits) -> None:
        """Let connections that find no room be answered by a site with *limits*, and closed."""
        overflow = self._overflow = type(self)(self.resource, limits=limits, reactor=self.reactor)
        overflow.ticker = self.ticker
        overflow.closing = overflow.draining = overflow.is_overflow = True
        self.serve(self.regime)

    def has_room(self) -> bool:
        """Whether one more connection may be open, if only to be told that there is no room."""
        return self._has_room() or (self._overflow is not None and self._overflow._has_room())

    def _has_room(self) -> bool:
        if self.tight and self._overflow is not None:
            return False
        return len(self.open) + len(self.waiting) < self.limits.connections

    def _is_crowded(self, host: str) -> bool:
        if self._per_address[rate_key(host)] < self.limits.connections_per_address:
            return False
        return not self.regime.exempt.trusts(host)

    def connection_opened(self, channel: Channel) -> None:
        """Count *channel*, a new connection."""
        self.open.add(channel)
        self._per_address[rate_key(peer_name(channel.getPeer()))] += 1

    def connection_closed(self, channel: Channel) -> None:
        """Count *channel* no more."""
        if channel not in self.open:
            return
        self.open.discard(channel)
        key = rate_key(peer_name(channel.getPeer()))
        self._per_address[key] -= 1
        if not self._per_address[key]:
            del self._per_address[key]

    def exchange_ended(self, request: DownstreamRequest) -> None:
        """Tell those who observe that *request* is answered, or that its browser left."""
        regime = request.regime
        regime.in_flight -= 1
        for observer in regime.observers:
            observer(request)
        if regime.is_awaited and not regime.in_flight:
            regime.end()

    def refused(self, channel: Channel, error: ProxyError) -> tuple[ProxyError, str]:
        """Log *error*, about bytes that never became a request: its answer and the line's id."""
        peer = peer_name(channel.getPeer())
        error = self.charged(channel, error)
        request_id = secrets.token_hex(16)
        self._log.info(
            "request {request_id} refused: {reason}",
            request_id=request_id,
            reason=error.reason,
            peer=peer,
        )
        return error, request_id

    def charged(self, channel: Channel, error: ProxyError) -> ProxyError:
        """Count a head that is no request against its sender: the answer, *error* or a 429."""
        charge = self.regime.charge
        return error if charge is None else charge(peer_name(channel.getPeer())) or error

    def broken_off(self, channel: Channel) -> None:
        """Charge a head that its sender did not end: it was read as any other."""
        if self.regime.charge is not None:
            self.regime.charge(peer_name(channel.getPeer()))

    def http_date(self) -> bytes:
        """The Date header's value, made once a second (RFC 9110 section 6.6.1)."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, datetimeToString(now))
        return self._date[1]

    def drain(self) -> None:
        """Close idle connections; the others close after the answer that they are at."""
        self.closing = self.draining = True
        for channel in list(self.open):
            channel.wind_up()
        for connection in list(self.waiting):
            connection.abort()
        if self._overflow is not None:
            self._overflow.drain()

    def startFactory(self) -> None:
        """Open no access log of Twisted's: an observer writes the log."""

    def stopFactory(self) -> None:
        """Close no access log of Twisted's."""

    def log(self, request: Any) -> None:
        """Do nothing, at the end of an answer of ours: :meth:`exchange_ended` does it."""

    def acceptableProtocols(self) -> list[bytes]:
        """The protocols that TLS may negotiate (ALPN, RFC 7301)."""
        return [b"http/1.1"]
