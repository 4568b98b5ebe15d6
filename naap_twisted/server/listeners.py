"""The listening sockets of a server, which outlive each of its configs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..downstream.site import DownstreamSite
from .ports import ListeningPort
from .sockets import OwnSockets, Sockets


class Listeners:
    """The sockets that *site* listens on.

    :param site: whose connections come in there.
    :param sockets: where they come from.
    """

    _log = Logger()

    def __init__(self, reactor: Any, site: DownstreamSite, sockets: Sockets | None = None) -> None:
        self._reactor = reactor
        self._site = site
        self._sockets = sockets or OwnSockets()
        self._ports: list[ListeningPort] = []

    def __iter__(self) -> Iterator[ListeningPort]:
        return iter(self._ports)

    def __bool__(self) -> bool:
        return bool(self._ports)

    def change(self, descriptions: Sequence[str]) -> Callable[[], None]:
        """Be ready to listen on *descriptions* alone; the result does it, and can't fail.

        Sockets that both have go on listening. Until the result is called nothing has changed but
        that new sockets listen, too.

        :raises CannotListenError, ConfigError: a new socket can't be had; none is kept then.
        """
        left, turns, opened, ports = [*self._ports], [], [], []
        try:
            for description in descriptions:
                for port in left:
                    turn = port.serves(description)
                    if turn is not None:
                        left.remove(port)
                        turns.append(turn)
                        break
                else:
                    port = ListeningPort(self._reactor, description, self._site, self._sockets)
                    port.startService()
                    opened.append(port)
                ports.append(port)
        except BaseException:
            for port in opened:
                self._stop(port)
            raise

        def commit() -> None:
            for turn in turns:
                turn()
            self._ports = ports
            for port in left:
                self._stop(port)

        return commit

    def _stop(self, port: ListeningPort) -> None:
        def failed(failure: Failure) -> None:
            self._log.failure("{place} could not be closed", failure, place=port.description)

        maybeDeferred(port.stopService).addErrback(failed)

    async def close(self) -> None:
        """Listen no more."""
        await gatherResults([maybeDeferred(port.stopService) for port in self._ports])
