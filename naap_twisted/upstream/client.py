"""The entry to the upstream side: a request goes out on a pooled connection or on a new one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from ..deadlines import NEVER, Ticker
from ..errors import Unavailable
from ..interfaces import IResolver
from ..model import OutboundRequest
from .connection import PoolKey, StaleConnection
from .connector import Connector
from .lookups import SharedLookups
from .pool import Pool, PoolLimits
from .resolver import SystemResolver
from .tls import TlsContexts

# Safe methods (RFC 9110 section 9.2.1). Only these may be sent again when a reused connection
# closes, because the upstream may have seen the first request.
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class UpstreamClient:
    """Sends outbound requests to upstreams, for all routes of one server.

    :param ca_file: a PEM file of trust anchors beside the system's.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        resolver: IResolver | None = None,
        ca_file: str = "",
        limits: PoolLimits | None = None,
        ticker: Ticker | None = None,
    ) -> None:
        self.ticker = ticker or Ticker(reactor)
        self.pool = Pool(limits)
        self.resolver = SharedLookups(resolver or SystemResolver(reactor), reactor)
        self.connector = Connector(reactor, self.resolver, TlsContexts(ca_file), self.ticker)

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        total = outbound.timeouts.total
        total_at = NEVER if total is None else self.ticker.now() + total
        key = pool_key(outbound)
        connection = self.pool.take(key)
        if connection is None:
            return Deferred.fromCoroutine(self._send_on_new(outbound, key, total_at))
        answer = connection.exchange(outbound, total_at)
        if outbound.method in _SAFE and outbound.body is None:
            answer.addErrback(self._retry_if_stale, outbound, key, total_at)
        return answer

    async def _send_on_new(
        self, outbound: OutboundRequest, key: PoolKey, total_at: float
    ) -> IResponse:
        if not self.pool.may_open(key) and not self.pool.make_room(key):
            raise Unavailable(reason="too many connections to this upstream")
        timeout = min(outbound.timeouts.connect, total_at - self.ticker.now())
        connection = await self.connector.connect(
            outbound.target,
            self.pool,
            key,
            max(timeout, 0.001),
            outbound.caller,
            outbound.certificate,
        )
        response = await connection.exchange(outbound, total_at)
        self.connector.remember(connection, outbound.target.target, outbound.certificate)
        return response

    def _retry_if_stale(
        self, failure: Failure, outbound: OutboundRequest, key: PoolKey, total_at: float
    ) -> Deferred[IResponse]:
        failure.trap(StaleConnection)
        return Deferred.fromCoroutine(self._send_on_new(outbound, key, total_at))

    def close(self) -> Deferred[None]:
        """Close idle connections."""
        self.pool.close()
        return succeed(None)


def pool_key(outbound: OutboundRequest) -> PoolKey:
    """The key under which a connection may be reused for *outbound*.

    Connections to one origin are not shared between two egress policies, nor between two users
    whose own keys they carry, nor between requests with a certificate and others.
    """
    vetted = outbound.target
    target = vetted.target
    place = target.scheme, target.host, target.port, vetted.realm
    if outbound.certificate is None:
        return place, outbound.identity
    return place, (outbound.identity, outbound.certificate)
