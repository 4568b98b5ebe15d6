"""Usage of this process on its way to the store: counted at once, written together."""

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

    A process that is killed loses what it had not written: *every* seconds at most.

    :param every: seconds between two writes.
    :param now: seconds since 1970.
    :ivar lost: exchanges that were not counted: the store was gone for too long.
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
        """Count a finished exchange, if it is a user's and went upstream."""
        if record.user is None or _SENT not in record.phases:
            return
        month = time.strftime("%Y-%m", time.gmtime(self._now()))
        self._count(UsageKey(record.user.id, record.route, month), Counts.of(record))
        if self._due is None:
            self._due = self._reactor.callLater(self._every, self._write_now)

    def _count(self, key: UsageKey, counts: Counts) -> None:
        found = self._open.get(key)
        if found is not None:
            found.add(counts)
        elif len(self._open) < _MOST_ROWS:
            self._open[key] = counts
        else:
            self.lost += counts.requests

    def _write_now(self) -> None:
        self._due = None
        Deferred.fromCoroutine(self.flush())

    async def flush(self) -> None:
        """Write what is counted so far. What can't be written now is kept for the next time."""
        await self._writing.acquire()
        taken, self._open = self._open, {}
        try:
            if taken:
                await self._store.add(taken)
        except Exception as error:
            self._log.error(
                "Usage of {rows} rows is not written yet: {error}",
                rows=len(taken),
                error=str(error),
            )
            for key, counts in taken.items():
                self._count(key, counts)
            if self._due is None:
                self._due = self._reactor.callLater(self._every, self._write_now)
        finally:
            self._writing.release()

    async def of(self, user_id: str) -> Usage:
        """A user's usage, this process' latest included.

        :raises Unavailable: the store can't be asked.
        """
        await self.flush()
        return await self._store.read(user_id)

    async def stop(self) -> None:
        """The last write."""
        await self.flush()
        if self._due is not None:
            self._due.cancel()
            self._due = None
