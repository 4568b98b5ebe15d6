"""The end of a server: what is in flight may finish, but not for ever."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..downstream.site import DownstreamSite

_STEP = 0.05


class Drain:
    """Waits until a site's connections have ended, then cuts those that have not.

    :param timeout: seconds that they have.
    """

    _log = Logger()

    def __init__(self, site: DownstreamSite, reactor: Any, timeout: float) -> None:
        self._site = site
        self._reactor = reactor
        self._steps = max(1, int(timeout / _STEP))

    async def run(self) -> None:
        """To the end; every exchange has its log line then."""
        site = self._site
        site.drain()
        if site.open:
            self._log.info(
                "draining {count} connections, for {seconds} s at most; asked to stop again, they"
                " are cut at once",
                count=len(site.open),
                seconds=self._steps * _STEP,
            )
        while site.open and self._steps > 0:
            self._steps -= 1
            await deferLater(self._reactor, _STEP)
        for channel in list(site.open):
            channel.abort()
        if site.open:
            # A reset is told in the next turn of the reactor: each cut exchange gets its log line.
            await deferLater(self._reactor, 0)

    def hurry(self) -> None:
        """Wait no longer."""
        self._steps = 0
