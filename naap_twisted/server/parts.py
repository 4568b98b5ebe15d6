"""What a server and its admin side know of each other, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from .setting import ALONE, Setting

if TYPE_CHECKING:
    from ..limits.capacity import Capacity
    from ..options.server import Config, ServerOptions
    from ..upstream.client import UpstreamClient
    from .heirlooms import Heirlooms
    from .ports import ListeningPort
    from .stores import State
    from .tally import Tally


class Served(Protocol):
    """A server as its stage sees it; :class:`~naap_twisted.server.plugin_server.PluginServer`."""

    @property
    def config(self) -> Config: ...

    @property
    def listen(self) -> Sequence[str]:
        """Endpoint strings."""


class AdminSide(Protocol):
    """The listener of ``admin_listen``, as its server sees it; ``create.py`` makes it."""

    @property
    def port(self) -> ListeningPort:
        """Its socket."""

    def open(self) -> None:
        """Listen.

        :raises CannotListenError: the address is taken.
        """

    def serve(self, server: Any) -> None:
        """Tell of *server* from now on."""

    async def close(self) -> None:
        """Stop listening, and cut every connection."""


@frozen
class Reloaded:
    """What came of a reload.

    :ivar generation: of the config that serves now.
    :ivar changed: the options that are other than before.
    :ivar problems: why nothing has changed; empty where the config was taken.
    :ivar partly: it was taken, but not by the workers that the problems name.
    """

    generation: int
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    partly: bool = False


@frozen(kw_only=True)
class Parts:
    """What a :class:`~naap_twisted.server.plugin_server.PluginServer` is made of.

    :ivar clock: the server's reactor, which is monotonic.
    :ivar born: when the first server of these sockets was made, in the clock's seconds.
    :ivar heirlooms: what a reload goes on with.
    :ivar generation: 1, and one more with each reload.
    :ivar setting: stays as it is in a reload.
    """

    options: ServerOptions
    upstream: UpstreamClient
    state: State
    capacity: Capacity
    tally: Tally
    clock: Any
    born: float
    heirlooms: Heirlooms
    generation: int = 1
    setting: Setting = ALONE
