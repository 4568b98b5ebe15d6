"""A usage store in memory, for tests that need no disk; it keeps the same contract."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed

from naap_twisted.spend.counts import Counts, Usage, UsageKey
from naap_twisted.spend.totals import DIMENSIONS, Question, Total, Totals

TIMES = ("month", "day")


class MemoryUsageStore:
    """Forgets everything when the process ends."""

    def __init__(self) -> None:
        self._rows: dict[UsageKey, Counts] = {}

    def add(self, usage: Usage) -> Deferred[None]:
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""
        for key, counts in usage.items():
            self._rows.setdefault(key, Counts()).add(counts)
        return succeed(None)

    def totals(self, question: Question) -> Deferred[Totals]:
        """See :class:`~naap_twisted.interfaces.IUsageStore`."""
        sums: dict[tuple[str, ...], Counts] = {}
        whole = Counts()
        by = [name for name in DIMENSIONS if name in question.by]
        for key, counts in self._rows.items():
            names = {"user": key.user_id, "route": key.route, "model": key.model, "day": key.day}
            names["month"] = key.day[:7]
            if any(names[name] != value for name, value in question.where.items()):
                continue
            if not question.first <= key.day <= (question.last or "~"):
                continue
            whole.add(counts)
            sums.setdefault(tuple(names[name] for name in by), Counts()).add(counts)
        rows = [Total(dict(zip(by, key, strict=True)), each) for key, each in sorted(sums.items())]
        rows.sort(key=_dearest, reverse=True)
        for name in reversed(TIMES):
            if name in by:
                rows.sort(key=lambda row, name=name: row.names[name], reverse=True)  # type: ignore[misc]
        end = question.offset + question.limit
        return succeed(Totals(tuple(rows[question.offset : end]), whole, len(rows) > end))


def _dearest(row: Total) -> tuple[int, ...]:
    counts = row.counts
    return counts.usd_nanos, counts.total_tokens, counts.requests
