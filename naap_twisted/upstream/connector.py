"""The way from a vetted target to a connection: resolve once, judge every address, connect to one.

The address that was judged is the one that is connected to, so that no second answer of the DNS can
lead elsewhere (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from ..deadlines import Ticker
from ..errors import AddressNotAllowed, BadGateway, Unavailable
from ..model import Address, ClientCertificate, Target, VettedTarget
from ..policy.egress import check_address
from .attempts import cancelled_next_turn
from .connection import PoolKey, UpstreamConnection
from .lookups import SharedLookups, as_upstream_failure
from .places import Share
from .pool import Pool
from .tls import TlsContexts

_STAGGER = 0.25  # RFC 8305 section 8: Connection Attempt Delay
_MOST_ADDRESSES = 64


class Connector:
    """Opens connections to vetted targets.

    :param reactor: ``IReactorTCP`` and ``IReactorTime``.
    """

    def __init__(
        self, reactor: Any, lookups: SharedLookups, tls: TlsContexts, ticker: Ticker
    ) -> None:
        self._reactor = reactor
        self._lookups = lookups
        self._tls = tls
        self._ticker = ticker

    def connect(
        self,
        vetted: VettedTarget,
        keeper: Pool,
        key: PoolKey,
        timeout: float,
        caller: str = "",
        certificate: ClientCertificate | None = None,
    ) -> Deferred[UpstreamConnection]:
        """A connection on which TCP and TLS are up.

        The Deferred fails with :exc:`AddressNotAllowed`, :exc:`BadGateway`, :exc:`Unavailable` or
        :exc:`UpstreamTimeout`.

        :param timeout: seconds for DNS, TCP and TLS together.
        :param caller: the caller whose share of the DNS look-ups counts it, beside the route's.
        :param certificate: is shown to a host that asks for one.
        """
        attempt: Deferred[UpstreamConnection] = Deferred.fromCoroutine(
            self._connect(vetted, keeper, key, caller, certificate)
        )
        attempt.addTimeout(timeout, self._reactor)
        step = f"connecting to {vetted.target.origin}"
        # A cancel stays one: the browser left.
        return attempt.addErrback(as_upstream_failure, step, CancelledError)

    async def _connect(
        self,
        vetted: VettedTarget,
        keeper: Pool,
        key: PoolKey,
        caller: str,
        certificate: ClientCertificate | None,
    ) -> UpstreamConnection:
        target = vetted.target
        addresses = await self.vetted_addresses(vetted, caller)
        factory = Factory.forProtocol(lambda: UpstreamConnection(self._ticker, keeper, key))
        factory.noisy = False

        def start(address: Address) -> Deferred[Any]:
            if not keeper.may_open(key):
                return fail(Unavailable(reason="too many connections to this upstream"))
            keeper.begun(key)
            kind = TCP4ClientEndpoint if address.version == 4 else TCP6ClientEndpoint
            endpoint: Any = kind(self._reactor, str(address), target.port)
            if target.scheme == "https":
                creator = self._tls.for_host(target.host, certificate)
                endpoint = wrapClientTLS(creator, endpoint)
            attempt = cancelled_next_turn(endpoint.connect(factory), self._reactor)
            return attempt.addBoth(ended)

        def ended(outcome: Any) -> Any:
            keeper.ended(key)
            return outcome

        connection: UpstreamConnection = await race(addresses, start, self._reactor)
        try:
            peer = ip_address(connection.transport.getPeer().host.partition("%")[0])
            if peer not in addresses:
                raise BadGateway(reason="connected to another address than the vetted one")
            return await connection.ready
        except BaseException:
            connection.abort()
            raise

    def remember(
        self,
        connection: UpstreamConnection,
        target: Target,
        certificate: ClientCertificate | None = None,
    ) -> None:
        """Let the next connection resume the TLS session of *connection*, which had an answer.

        In TLS 1.3 the ticket that makes a session resumable comes after the handshake, so that a
        connection without an answer may have none yet (RFC 8446 section 4.6.1).
        """
        if target.scheme == "https":
            creator = self._tls.for_host(target.host, certificate)
            creator.remember(connection.transport.getHandle())

    async def vetted_addresses(self, vetted: VettedTarget, caller: str = "") -> tuple[Address, ...]:
        """Every address of the target's host, all of which may be reached.

        :raises AddressNotAllowed: one of them may not be reached.
        """
        target = vetted.target
        try:
            addresses: tuple[Address, ...] = (ip_address(target.host),)
        except ValueError:
            share = Share(vetted.realm, caller)
            addresses = (await self._lookups.resolve(target.host, share)).addresses
        for address in addresses:
            verdict = check_address(vetted, address)
            if not verdict.allowed:
                raise AddressNotAllowed(
                    f'Host "{target.host}" resolves to an address that is not allowed',
                    reason=f"{target.host} has an address that is {verdict.reason}",
                )
        return addresses[:_MOST_ADDRESSES]


def race(
    addresses: Sequence[Address], start: Callable[[Address], Deferred[Any]], clock: Any
) -> Deferred[Any]:
    """Happy eyeballs (RFC 8305 section 5): attempts in order, a quarter second apart.

    The Deferred fires with the first connection, and the other attempts are cancelled. It fails
    with the failure of the last attempt.
    """
    waiting = list(addresses)
    running: list[Deferred[Any]] = []
    timer: list[Any] = []
    over = False

    def stop_timer() -> None:
        while timer:
            call = timer.pop()
            if call.active():
                call.cancel()

    def cancel_all(_: object = None) -> None:
        nonlocal over
        over = True  # cancelled attempts call lost() before cancel() returns
        stop_timer()
        waiting.clear()
        for attempt in list(running):
            attempt.cancel()

    result: Deferred[Any] = Deferred(cancel_all)

    def attempt_next() -> None:
        stop_timer()
        if not waiting or over:
            return
        attempt = start(waiting.pop(0))
        running.append(attempt)
        if waiting:
            timer.append(clock.callLater(_STAGGER, attempt_next))
        attempt.addCallbacks(won, lost, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def won(connection: Any, attempt: Deferred[Any]) -> None:
        running.remove(attempt)
        if over:
            connection.transport.abortConnection()
            return
        cancel_all()
        result.callback(connection)

    def lost(failure: Failure, attempt: Deferred[Any]) -> None:
        running.remove(attempt)
        if over:
            return
        if waiting:
            attempt_next()
        elif not running:
            result.errback(failure)

    attempt_next()
    return result
