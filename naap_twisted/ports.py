"""Listening on endpoint strings: opened at once or not at all, and told as an address."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory

from .options.listen import with_backlog


class ListeningPort(StreamServerEndpointService):
    """One listening address, as a service.

    :param description: an endpoint string.
    """

    def __init__(self, reactor: Any, description: str, factory: IProtocolFactory) -> None:
        endpoint = serverFromString(reactor, with_backlog(description))
        super().__init__(endpoint, factory)  # type: ignore[no-untyped-call]
        self.description = description
        # What can't be listened on ends the start, instead of a server that hears nothing.
        self._raiseSynchronously = True

    @property
    def is_up(self) -> bool:
        """Whether it listens now."""
        port = self._port()
        return port is not None and bool(getattr(port, "connected", True))

    @property
    def address(self) -> str:
        """Where it listens, as ``scheme://host:port``, else its endpoint string."""
        port = self._port()
        host: Any = None if port is None else port.getHost()
        if not hasattr(host, "port"):
            return self.description
        scheme = "https" if self.description.startswith("ssl:") else "http"
        name = f"[{host.host}]" if ":" in host.host else host.host
        return f"{scheme}://{name}:{host.port}"

    def _port(self) -> Any:
        found = getattr(self._waitingForPort, "result", None)
        return found if hasattr(found, "getHost") else None
