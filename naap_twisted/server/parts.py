"""What a server and its admin side know of each other, so that neither imports the other."""

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
    """The listener of ``admin_listen``, as its server sees it; ``create.py`` makes it."""

    @property
    def address(self) -> str:
        """Where it listens: ``scheme://host:port``, or a UNIX endpoint's string."""

    def open(self) -> None:
        """Listen.

        :raises CannotListenError: the address is taken.
        """

    async def close(self) -> None:
        """Stop listening, and cut every connection."""


@frozen(kw_only=True)
class Parts:
    """What a :class:`~naap_twisted.server.plugin_server.PluginServer` is made of.

    :ivar clock: the server's reactor, which is monotonic.
    :ivar born: when the server was made, in the clock's seconds.
    """

    options: ServerOptions
    upstream: UpstreamClient
    state: State
    capacity: Capacity
    tally: Tally
    clock: Any
    born: float
