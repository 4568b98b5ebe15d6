"""A usage store in memory, for tests that need no disk; it keeps the same contract."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from naap_twisted.spend.counts import Counts, Usage, UsageKey


class MemoryUsageStore:
    """Forgets everything when the process ends."""

    def __init__(self) -> None:
        self._rows: dict[UsageKey, Counts] = {}

    def add(self, usage: Usage) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""
        for key, counts in usage.items():
            self._rows.setdefault(key, Counts()).add(counts)
        return succeed(None)

    def read(self, user_id: str) -> Deferred[Usage]:
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""
        rows = self._rows.items()
        return succeed({key: evolve(counts) for key, counts in rows if key.user_id == user_id})
