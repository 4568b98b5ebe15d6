"""Host names to every address they have, through the system's resolver."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostResolution, IResolutionReceiver
from zope.interface import implementer

from ..errors import BadGateway
from ..interfaces import IResolver

Address = IPv4Address | IPv6Address


@frozen
class Answer:
    """What a name resolved to.

    :ivar ttl: seconds the answer may be kept; 0 where that is not known.
    """

    addresses: tuple[Address, ...]
    ttl: float = 0.0


@implementer(IResolutionReceiver)
class _Receiver:
    def __init__(self, host: str) -> None:
        self._host = host
        self._found: list[Address] = []
        self.done: Deferred[Answer] = Deferred(self._cancel)
        self._resolution: IHostResolution | None = None

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._resolution = resolution

    def addressResolved(self, address: Any) -> None:
        # A scope id ("fe80::1%eth0") never stands for a public address; it is judged as it is.
        found = ip_address(address.host.partition("%")[0])
        if found not in self._found:
            self._found.append(found)

    def resolutionComplete(self) -> None:
        if self.done.called:
            return
        if self._found:
            self.done.callback(Answer(tuple(self._found)))
        else:
            self.done.errback(BadGateway(reason=f"no address for {self._host}"))

    def _cancel(self, _: object) -> None:
        if self._resolution is not None:
            self._resolution.cancel()


@implementer(IResolver)
class SystemResolver:
    """``getaddrinfo`` in the reactor's thread pool: /etc/hosts and the system's DNS servers.

    :param reactor: an ``IReactorPluggableNameResolver``.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`."""
        receiver = _Receiver(host)
        # Absolute: a search domain must not answer for somebody else's name.
        name = host + "." if "." in host else host
        self._reactor.nameResolver.resolveHostName(receiver, name)
        return receiver.done
