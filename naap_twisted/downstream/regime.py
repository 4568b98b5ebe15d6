"""What a site serves and by which rules: one for each config, and a reload brings the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.web.resource import IResource

from ..errors import ProxyError
from .caller import NOBODY, TrustedProxies
from .limits import DownstreamLimits


@define(eq=False)
class Regime:
    """The rules under which exchanges begin; an exchange ends under those that it began with.

    :ivar resource: the root of any tree of ``IResource``.
    :ivar limits: bounds of connections and requests.
    :ivar observers: called with every request whose exchange is over.
    :ivar exempt: proxies that may have any number of connections open.
    :ivar charge: called with the address that sent bytes which are no request. An error that it
        returns is the answer, in place of the one about those bytes.
    :ivar in_flight: exchanges that began under this regime and are not over.
    :ivar is_awaited: somebody waits for the last of them.
    """

    resource: IResource
    limits: DownstreamLimits = field(factory=DownstreamLimits)
    observers: Sequence[Callable[[Any], None]] = ()
    exempt: TrustedProxies = NOBODY
    charge: Callable[[str], ProxyError | None] | None = None
    in_flight: int = field(default=0, init=False)
    is_awaited: bool = field(default=False, init=False)
    _over: Deferred[None] = field(factory=Deferred, init=False)

    def over(self) -> Deferred[None]:
        """Fire when no exchange of this regime is in flight; of one that was replaced, and once."""
        self.is_awaited = True
        if not self.in_flight:
            self.end()
        return self._over

    def end(self) -> None:
        """Note that the last exchange is over."""
        self.is_awaited = False
        self._over.callback(None)
