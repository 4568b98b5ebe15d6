"""What a server is made of, as its admin side reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from ..limits.capacity import Capacity
    from ..options.server import ServerOptions
    from ..server.stores import State
    from ..upstream.client import UpstreamClient
    from .tally import Tally


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
