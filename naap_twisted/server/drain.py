"""The end of a server: open exchanges may finish, but within a bound."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..downstream.site import DownstreamSite

_STEP = 0.05


class GoingOn(Protocol):
    """Exchanges that go on without their callers; :class:`~naap_twisted.limits.replays.Replays`."""

    @property
    def going_on(self) -> int:
        """How many there are."""

    def cut(self) -> None:
        """End them."""


class Drain:
    """Waits for the end of a site's connections, and cuts those that outlast *timeout*.

    :param timeout: seconds.
    :param alone: exchanges that have no connection any more; they are waited for, and cut, too.
    """

    _log = Logger()

    def __init__(self, site: DownstreamSite, reactor: Any, timeout: float, alone: GoingOn) -> None:
        self._site = site
        self._alone = alone
        self._reactor = reactor
        self._steps = max(1, int(timeout / _STEP))

    async def run(self) -> None:
        """Drain; at the end no connection is open and every exchange has its log line."""
        site, alone = self._site, self._alone
        site.drain()
        if site.open or alone.going_on:
            self._log.info(
                "draining {count} connections{alone}, for {seconds} s at most; a second signal cuts"
                " them at once",
                count=len(site.open),
                alone=f" and {alone.going_on} exchanges without one" if alone.going_on else "",
                seconds=self._steps * _STEP,
            )
        while (site.open or alone.going_on) and self._steps > 0:
            self._steps -= 1
            await deferLater(self._reactor, _STEP)
        for channel in list(site.open):
            channel.abort()
        cut = alone.going_on
        alone.cut()
        if site.open or cut:
            # Each cut exchange logs in connectionLost, which comes in the reactor's next turn.
            await deferLater(self._reactor, 0)

    def hurry(self) -> None:
        """Stop waiting: the next step cuts what is open."""
        self._steps = 0
