"""How long each step of the spine took."""

from __future__ import annotations

from time import perf_counter

from .record import ExchangeRecord


class PhaseClock:
    """Writes the seconds since the last mark into a record."""

    __slots__ = ("_last", "_phases")

    def __init__(self, record: ExchangeRecord) -> None:
        self._phases = record.phases
        self._last = perf_counter()

    def mark(self, phase: str) -> None:
        """*phase* ends now."""
        now = perf_counter()
        self._phases[phase] = now - self._last
        self._last = now
