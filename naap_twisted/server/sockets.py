"""Whose the listening sockets are: a process's own, held for its workers, or given to a worker.

A supervisor binds every address and accepts nothing. It keeps one TCP socket for each worker, with
SO_REUSEPORT, by which Linux spreads connections evenly: one socket for all gave the fullest of four
workers 45 to 76 % of 400 connections, a socket each 27 to 28 %. What waits in the queue of a worker
that dies is not lost, because the supervisor has its socket, too, and the next worker gets it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from .._twisted import adopt_unix
from ..options.listen import BACKLOG, Listen


class Endpoint(Protocol):
    """An ``IStreamServerEndpoint``."""

    def listen(self, factory: IProtocolFactory) -> Deferred[Any]:
        """Fire with an ``IListeningPort``."""


class Sockets(Protocol):
    """Where a listening port has its socket from."""

    def endpoint(self, reactor: Any, listen: Listen, own: Callable[[], Endpoint]) -> Endpoint:
        """What *listen* is listened on with.

        :param own: makes the endpoint of a socket of this process's own.
        """


class OwnSockets:
    """The sockets of a process that serves alone."""

    def endpoint(self, reactor: Any, listen: Listen, own: Callable[[], Endpoint]) -> Endpoint:
        """See :class:`Sockets`."""
        return own()


class HeldPort:
    """An ``IListeningPort`` on which this process accepts nothing.

    :param sockets: one for each worker; empty: all share that of *port*.
    """

    def __init__(self, port: Any, sockets: Sequence[socket.socket] = ()) -> None:
        port.stopReading()
        self._port = port
        self._sockets = sockets

    @property
    def connected(self) -> bool:
        """Whether it is open."""
        return bool(self._port.connected)

    def getHost(self) -> Any:
        """Its address."""
        return self._port.getHost()

    def descriptor(self, worker: int) -> int:
        """The file descriptor for the worker of this number, from 0."""
        return int((self._sockets[worker] if self._sockets else self._port).fileno())

    def stopListening(self) -> Any:
        """Close all; what waits in the queues is lost."""
        for each in self._sockets:
            each.close()
        return self._port.stopListening()


class HeldSockets:
    """The sockets that a supervisor holds for *workers*."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def endpoint(self, reactor: Any, listen: Listen, own: Callable[[], Endpoint]) -> Endpoint:
        """See :class:`Sockets`."""
        if listen.kind in ("tcp", "tcp6", "ssl"):
            return _ForEach(reactor, listen, self._workers)
        return _Held(own())


class _Held:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def listen(self, factory: IProtocolFactory) -> Deferred[Any]:
        return self._endpoint.listen(factory).addCallback(HeldPort)


class _ForEach:
    """A TCP address with a socket for each worker."""

    def __init__(self, reactor: Any, listen: Listen, count: int) -> None:
        self._reactor = reactor
        self._listen = listen
        self._count = count

    def listen(self, factory: IProtocolFactory) -> Deferred[Any]:
        return execute(self._open, factory)

    def _open(self, factory: IProtocolFactory) -> HeldPort:
        family, address = place_of(self._listen)
        backlog = int(self._listen.arguments.get("backlog", BACKLOG))
        sockets: list[socket.socket] = []
        try:
            for _ in range(self._count):
                sockets.append(_bound(family, address, backlog))
                # The first has chosen the port where the address has 0.
                address = sockets[0].getsockname()
        except OSError as error:
            for each in sockets:
                each.close()
            raise CannotListenError(address[0], address[1], error) from None
        port: IListeningPort = self._reactor.adoptStreamPort(sockets[0].fileno(), family, factory)
        return HeldPort(port, sockets)


def _bound(family: int, address: Any, backlog: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As Twisted does: connections in TIME_WAIT do not take the address.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.setblocking(False)
        made.listen(backlog)
    except BaseException:
        made.close()
        raise
    return made


def place_of(listen: Listen) -> tuple[int, Any]:
    """The family and the address of a TCP endpoint, as :meth:`socket.socket.bind` takes it."""
    port, interface = int(listen.arguments["port"]), listen.arguments.get("interface", "")
    if listen.kind != "tcp6" and ":" not in interface:
        return socket.AF_INET, (interface, port)
    numeric = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    found = socket.getaddrinfo(
        interface or "::", port, socket.AF_INET6, socket.SOCK_STREAM, 0, numeric
    )
    return socket.AF_INET6, found[0][4]


class GivenSockets:
    """The sockets that a worker was given last: one for each of the config's addresses."""

    def __init__(self) -> None:
        self._given: list[tuple[str, int]] = []

    def give(self, descriptors: list[tuple[str, int]]) -> None:
        """Take file descriptors, each behind its endpoint string.

        Those that were given before and not used are closed.
        """
        self.close()
        self._given = descriptors

    def close(self) -> None:
        """Close what nothing listens on."""
        for _, descriptor in self._given:
            os.close(descriptor)
        self._given = []

    def endpoint(self, reactor: Any, listen: Listen, own: Callable[[], Endpoint]) -> Endpoint:
        """See :class:`Sockets`."""
        return _Given(reactor, listen, self._given)


class _Given:
    def __init__(self, reactor: Any, listen: Listen, given: list[tuple[str, int]]) -> None:
        self._reactor = reactor
        self._listen = listen
        self._given = given

    def listen(self, factory: IProtocolFactory) -> Deferred[Any]:
        place = self._listen.description
        found = next((pair for pair in self._given if pair[0] == place), None)
        if found is None:
            raise CannotListenError(None, place, "the supervisor has given no socket for it")
        self._given.remove(found)
        descriptor = found[1]
        with socket.socket(fileno=os.dup(descriptor)) as known:
            family = known.family
        if family == socket.AF_UNIX:
            return execute(adopt_unix, self._reactor, descriptor, factory)
        endpoint: Endpoint = AdoptedStreamServerEndpoint(self._reactor, descriptor, family)
        return endpoint.listen(factory)
