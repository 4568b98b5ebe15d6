"""What a server and its admin side know of each other: the parts, and how to listen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from ..limits.capacity import Capacity
    from ..options.server import ServerOptions
    from ..upstream.client import UpstreamClient
    from .stores import State
    from .tally import Tally


class AdminSide(Protocol):
    """What ``admin_listen`` opens beside a server; made from outside, by ``create.py``.

    :ivar address: where it listens, as ``scheme://host:port``, else its endpoint string.
    """

    @property
    def address(self) -> str: ...

    def open(self) -> None:
        """Listen. Raises CannotListenError."""

    async def close(self) -> None:
        """Stop listening; who is connected is cut off."""


@frozen(kw_only=True)
class Parts:
    """Handed out by :attr:`PluginServer.parts <naap_twisted.server.plugin_server.PluginServer>`.

    :ivar tally: counts the finished exchanges.
    :ivar clock: the reactor.
    :ivar born: when the server was made, in the clock's seconds.
    """

    options: ServerOptions
    upstream: UpstreamClient
    state: State
    capacity: Capacity
    tally: Tally
    clock: Any
    born: float
