"""Whether the shared ledger can be asked, and what happened while it could not."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.logger import Logger


class LedgerWatch:
    """Watches one shared ledger; what uses the ledger tells it what it sees.

    :param where: of the ledger: ``"redis"`` or ``"database"``.
    :param refuses: requests under a budget are refused without it; else this process judges them.
    :param now: seconds of any clock that only goes forward.
    :ivar gone: it is lost, or what was spent meanwhile is not yet booked there.
    :ivar losses: how often it was lost.
    :ivar alone: requests that this process has judged by itself.
    :ivar refused: requests that were refused because it was lost.
    :ivar unbooked: settlements that it never heard of; it has what was reserved for them.
    """

    _log = Logger()

    def __init__(
        self, where: str, *, refuses: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.where = where
        self.refuses = refuses
        self._now = now
        self._since = 0.0
        self._before = (0, 0)
        self.gone = False
        self.losses = self.alone = self.refused = self.unbooked = 0

    def lost(self) -> None:
        """It could not be asked."""
        if self.gone:
            return
        self.gone = True
        self.losses += 1
        self._since = self._now()
        self._before = self.alone, self.refused
        self._log.error(
            "The ledger of budgets ({where}) can't be asked: {policy}",
            where=self.where,
            policy="requests under a budget get 503"
            if self.refuses
            else "this process goes on from what it knows, and books it when the ledger is back",
        )

    def judged(self, *, here: bool) -> None:
        """A request was judged without it: *here*, or else it was refused."""
        self.lost()
        if here:
            self.alone += 1
        else:
            self.refused += 1

    def dropped(self) -> None:
        """A settlement is not kept for it any longer, or never reached it."""
        self.lost()
        self.unbooked += 1

    def back(self) -> None:
        """It answers, and has heard of all that was spent meanwhile."""
        if not self.gone:
            return
        self.gone = False
        alone, refused = self._before
        self._log.info(
            "The ledger of budgets ({where}) is whole again after {seconds} s; without it this"
            " process judged {alone} requests by itself and refused {refused}",
            where=self.where,
            seconds=round(self._now() - self._since, 1),
            alone=self.alone - alone,
            refused=self.refused - refused,
        )

    def word(self, *, answers: bool) -> str:
        """How it stands, for ``/readyz``: ``"ok"``, or what does not work.

        :param answers: where it is kept answers now.
        """
        if not answers:
            return "unreachable" if self.refuses else "local"
        return "catching up" if self.gone and not self.refuses else "ok"
