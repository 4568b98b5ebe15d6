"""Usage on its way to the store: an exchange is counted at once, sums are written together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from ..downstream.record import ExchangeRecord
from ..interfaces import IUsageStore
from .counts import Counts, Usage, UsageKey

_MOST_ROWS = 100_000
# The spine's last phase before a request goes out.
_SENT = "headers"


class UsageBook:
    """Counts exchanges and writes the sums every few seconds.

    A process that is killed loses the exchanges of *every* seconds at most.

    :param every: seconds between two writes.
    :param now: seconds since 1970; they choose the month.
    :ivar lost: exchanges that were not counted, because the store was gone for too long.
    """

    _log = Logger()

    def __init__(
        self,
        store: IUsageStore[Usage],
        reactor: Any,
        *,
        every: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._every = every
        self._now = now
        self._open: dict[UsageKey, Counts] = {}
        self._due: Any = None
        self._writing = DeferredLock()
        self.lost = 0

    def ended(self, record: ExchangeRecord) -> None:
        """Count a finished exchange if a user made it and its request went upstream."""
        if record.user is None or _SENT not in record.phases:
            return
        self._count(UsageKey(record.user.id, record.route, self._month()), Counts.of(record))

    def late(self, record: ExchangeRecord) -> None:
        """Count the tokens of an exchange that was counted when its caller left, and is over."""
        tokens = record.booked or record.model_tokens
        if record.user is None or tokens is None:
            return
        counts = Counts(
            prompt_tokens=tokens.input,
            completion_tokens=tokens.output,
            total_tokens=tokens.total,
        )
        self._count(UsageKey(record.user.id, record.route, self._month()), counts)

    def _month(self) -> str:
        return time.strftime("%Y-%m", time.gmtime(self._now()))

    def _count(self, key: UsageKey, counts: Counts) -> None:
        sums = self._open.get(key)
        if sums is not None:
            sums.add(counts)
        elif len(self._open) < _MOST_ROWS:
            self._open[key] = counts
        else:
            self.lost += counts.requests
        if self._due is None:
            self._due = self._reactor.callLater(self._every, self._write_now)

    def _write_now(self) -> None:
        self._due = None
        Deferred.fromCoroutine(self.flush())

    async def flush(self) -> None:
        """Write the sums up to now; sums that the store refuses wait for the next time."""
        await self._writing.acquire()
        batch, self._open = self._open, {}
        try:
            if batch:
                await self._store.add(batch)
        except Exception as error:
            message = "Usage of {rows} rows is not written yet: {error}"
            self._log.error(message, rows=len(batch), error=str(error))
            for key, counts in batch.items():
                self._count(key, counts)
        finally:
            self._writing.release()

    async def of(self, user_id: str) -> Usage:
        """A user's usage; the exchanges of this process are in it up to this moment.

        :raises Unavailable: the store can't be asked.
        """
        await self.flush()
        return await self._store.read(user_id)

    async def stop(self) -> None:
        """Write for the last time and leave no timer behind."""
        await self.flush()
        if self._due is not None:
            self._due.cancel()
            self._due = None
