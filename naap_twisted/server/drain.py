"""The end of a server: it is announced, open exchanges may finish, and both have a bound."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..downstream.site import DownstreamSite

#: The outcome, in the log and in metrics, of an exchange that outlasted ``drain_timeout``.
CUT = "drained"
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
    :param lame_duck: seconds in which the site still serves, and says that it is about to end;
        ``None`` for none.
    """

    _log = Logger()

    def __init__(
        self,
        site: DownstreamSite,
        reactor: Any,
        timeout: float,
        alone: GoingOn,
        lame_duck: float | None = None,
    ) -> None:
        self._site = site
        self._alone = alone
        self._reactor = reactor
        self._timeout = timeout
        self._lame_duck = lame_duck
        self._hurried = False

    async def announce(self) -> None:
        """Be a lame duck: whoever balances load sends no more here before the listener closes."""
        if self._lame_duck is None:
            return
        self._site.closing = True
        self._log.info(
            "not ready any more; serving on for {seconds} s before the listeners close",
            seconds=self._lame_duck,
        )
        steps = max(1, int(self._lame_duck / _STEP))
        while steps > 0 and not self._hurried:
            steps -= 1
            await deferLater(self._reactor, _STEP)

    async def run(self) -> None:
        """Drain; at the end no connection is open and every exchange has its log line."""
        site, alone = self._site, self._alone
        site.drain()
        steps = max(1, int(self._timeout / _STEP))
        if site.open or alone.going_on:
            self._log.info(
                "draining {count} connections{alone}, for {seconds} s at most; a second signal cuts"
                " them at once",
                count=len(site.open),
                alone=f" and {alone.going_on} exchanges without one" if alone.going_on else "",
                seconds=steps * _STEP,
            )
        while (site.open or alone.going_on) and steps > 0 and not self._hurried:
            steps -= 1
            await deferLater(self._reactor, _STEP)
        cut = alone.going_on
        self._cut()
        alone.cut()
        if site.open or cut:
            # Each cut exchange logs in connectionLost, which comes in the reactor's next turn.
            await deferLater(self._reactor, 0)

    def _cut(self) -> None:
        routes: Counter[str] = Counter()
        for channel in list(self._site.open):
            record = channel.exchange
            if record is not None:
                routes[record.route or "no route"] += 1
                # What has failed already keeps its outcome.
                record.outcome = CUT if record.outcome == "ok" else record.outcome
            channel.abort()
        if routes:
            self._log.warn(
                "{count} exchanges outlasted the drain and were cut: {routes}",
                count=routes.total(),
                routes=", ".join(f"{count} of {route}" for route, count in routes.most_common()),
            )

    def hurry(self) -> None:
        """Stop waiting: the next step cuts what is open."""
        self._hurried = True
