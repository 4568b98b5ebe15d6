"""What a route tells its owner while it serves: headers that are lost, a key that is refused."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..downstream.record import ExchangeRecord
from .request_headers import RequestRewrite

# Bounds on the names that a route logs once each: their number, and the length that is shown.
_MOST_MISSED = 64
_LONGEST = 100
# Seconds between two lines of one route that say that its key is refused.
_KEY_TOLD_EVERY = 3600.0


class Notices:
    """The log lines of one mounted route, each told once or now and then."""

    def __init__(self, log: Logger, clock: IReactorTime) -> None:
        self._log = log
        self._clock = clock
        self._missed: set[bytes] = set()
        self._key_told = -_KEY_TOLD_EVERY

    def dropped(self, record: ExchangeRecord, names: Sequence[bytes], rule: RequestRewrite) -> None:
        """Count headers that are lost, and log the first of each name with the line to write."""
        record.dropped += len(names)
        for name in names:
            if name.lower() in self._missed or len(self._missed) >= _MOST_MISSED:
                continue
            self._missed.add(name.lower())
            verdict = rule.explain(name.decode("latin-1")[:_LONGEST])
            self._log.info(
                "{route} drops the request header {name}, which no upstream gets;"
                " to pass it on: {line}",
                route=record.route,
                name=verdict.name,
                line=verdict.line or 'spell it with "-" for "_"',
            )

    def key_refused(self, record: ExchangeRecord, names: Sequence[str]) -> None:
        """Warn, once in a while, that the upstream answers 401 to the keys of these names.

        Callers take the refusal for one of their own key.
        """
        now = self._clock.seconds()
        if now - self._key_told < _KEY_TOLD_EVERY:
            return
        self._key_told = now
        self._log.warn(
            "{target} answers 401 to {route}; is the key right that the route sends in {names}?",
            target=record.target,
            route=record.route,
            names=", ".join(names),
        )
