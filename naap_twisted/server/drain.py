"""The end of a server: open exchanges may finish, but within a bound."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..downstream.site import DownstreamSite

_STEP = 0.05


class Drain:
    """Waits for the end of a site's connections, and cuts those that outlast *timeout*.

    :param timeout: seconds.
    """

    _log = Logger()

    def __init__(self, site: DownstreamSite, reactor: Any, timeout: float) -> None:
        self._site = site
        self._reactor = reactor
        self._steps = max(1, int(timeout / _STEP))

    async def run(self) -> None:
        """Drain; at the end no connection is open and every exchange has its log line."""
        site = self._site
        site.drain()
        if site.open:
            self._log.info(
                "draining {count} connections, for {seconds} s at most; a second signal cuts them"
                " at once",
                count=len(site.open),
                seconds=self._steps * _STEP,
            )
        while site.open and self._steps > 0:
            self._steps -= 1
            await deferLater(self._reactor, _STEP)
        for channel in list(site.open):
            channel.abort()
        if site.open:
            # Each cut exchange logs in connectionLost, which comes in the reactor's next turn.
            await deferLater(self._reactor, 0)

    def hurry(self) -> None:
        """Stop waiting: the next step cuts what is open."""
        self._steps = 0
