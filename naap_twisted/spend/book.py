"""Usage on its way to the store: an exchange is counted at once, sums are written together.

Users and models are names that others choose, so the number of both is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from ..downstream.record import ExchangeRecord
from ..interfaces import IUsageStore
from .counts import Counts, Usage, UsageKey
from .totals import Question, Totals

#: The name under which the usage of all guests is kept together.
ALL_GUESTS = "guest"
_MOST_ROWS = 100_000
# Exchanges whose records are kept until the next write.
_MOST_FRESH = 10_000
#: Names that one process tells apart in a day; past that users and models are counted together.
MOST_USERS, MOST_MODELS = 20_000, 200
OTHER_USERS, OTHER_MODELS = "(others)", "(other)"
#: Seconds between two writes.
EVERY = 2.0
# The spine's last phase before a request goes out.
_SENT = "headers"
# Rows of one user's own usage: some years of months, of many routes.
_MOST_OWN = 2_000


class UsageBook:
    """Counts exchanges and writes the sums every few seconds.

    A process that is killed loses the exchanges of *every* seconds at most.

    :param every: seconds between two writes.
    :param now: seconds since 1970; they choose the day.
    :ivar lost: exchanges that were not counted, because the store was gone for too long.
    """

    _log = Logger()

    def __init__(
        self,
        store: IUsageStore[Usage, Question, Totals],
        reactor: Any,
        *,
        every: float = EVERY,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._every = every
        self._now = now
        self._fresh: list[tuple[ExchangeRecord, str]] = []
        self._open: dict[UsageKey, Counts] = {}
        self._due: Any = None
        self._writing = DeferredLock()
        self._day = ""
        self._users: set[str] = set()
        self._models: set[str] = set()
        self.lost = 0

    def ended(self, record: ExchangeRecord) -> None:
        """Count a finished exchange if its request went upstream.

        Its record is read a little later: what it did cost is settled when its answer is out.
        """
        if _SENT not in record.phases:
            return
        if len(self._fresh) >= _MOST_FRESH:
            self._read(_MOST_FRESH // 2)
        self._fresh.append((record, self._today()))
        self._write_later()

    def _read(self, most: int) -> None:
        """Add the numbers of the *most* exchanges that ended first to the sums."""
        fresh, self._fresh = self._fresh[:most], self._fresh[most:]
        for record, day in fresh:
            self._count(self._key(record, day), Counts.of(record))

    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self._now()))

    def _key(self, record: ExchangeRecord, day: str) -> UsageKey:
        if day != self._day:
            self._day = day
            self._users.clear()
            self._models.clear()
        user = _known(_name_of(record), self._users, MOST_USERS, OTHER_USERS)
        model = _known(record.answer_model or record.model, self._models, MOST_MODELS, OTHER_MODELS)
        return UsageKey(user, record.route, day, model)

    def late(self, record: ExchangeRecord) -> None:
        """Count what an exchange cost that was counted when its caller left, and is over now."""
        if any(record is fresh for fresh, _ in self._fresh):
            return  # It is read with what it cost.
        self._count(self._key(record, self._today()), Counts.spent(record))

    def _count(self, key: UsageKey, counts: Counts) -> None:
        sums = self._open.get(key)
        if sums is not None:
            sums.add(counts)
        elif len(self._open) < _MOST_ROWS:
            self._open[key] = counts
        else:
            self.lost += counts.requests

    def _write_later(self) -> None:
        if self._due is None:
            self._due = self._reactor.callLater(self._every, self._write_now)

    def _write_now(self) -> None:
        self._due = None
        Deferred.fromCoroutine(self.flush())

    async def flush(self) -> None:
        """Write the sums up to now; sums that the store refuses wait for the next time."""
        await self._writing.acquire()
        self._read(len(self._fresh))
        batch, self._open = self._open, {}
        try:
            if batch:
                await self._store.add(batch)
        except Exception as error:
            message = "Usage of {rows} rows is not written yet: {error}"
            self._log.error(message, rows=len(batch), error=str(error))
            for key, counts in batch.items():
                self._count(key, counts)
            self._write_later()
        finally:
            self._writing.release()

    async def totals(self, question: Question) -> Totals:
        """Sums; the exchanges of this process are in them up to this moment.

        :raises Unavailable: the store can't be asked.
        """
        await self.flush()
        return await self._store.totals(question)

    async def of(self, user_id: str) -> Totals:
        """A user's own usage by month and route.

        :raises Unavailable: the store can't be asked.
        """
        by = ("month", "route")
        return await self.totals(Question(by, {"user": user_id}, limit=_MOST_OWN))

    async def stop(self) -> None:
        """Write for the last time and leave no timer behind; what can't be written is lost."""
        await self.flush()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._open:
            requests = sum(counts.requests for counts in self._open.values())
            self.lost += requests
            self._open.clear()
            self._log.error("Usage of {requests} requests is lost", requests=requests)


def _known(name: str, names: set[str], most: int, other: str) -> str:
    """*name*, if it is one of *names* or there is room for it; else *other*."""
    if name in names or not name:
        return name
    if len(names) >= most:
        return other
    names.add(name)
    return name


def _name_of(record: ExchangeRecord) -> str:
    """Under which name usage is kept: guests are without number, and nobody asks for one's."""
    user = record.user
    if user is None:
        return ""
    return ALL_GUESTS if user.guest else user.id
