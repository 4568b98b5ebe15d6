"""Tells a route's owner of request headers that are lost, each name once."""

from __future__ import annotations

from twisted.logger import Logger

from ..downstream.record import ExchangeRecord
from .request_headers import RequestRewrite

# Bounds on the names that a route logs once each: their number, and the length that is shown.
_MOST = 64
_LONGEST = 100


class MissedHeaders:
    """The names that one route has lost so far."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._names: set[bytes] = set()

    def tell(self, record: ExchangeRecord, name: bytes, rewrite: RequestRewrite) -> None:
        """Count a header that is lost, and log the first of each name with the line to write."""
        record.dropped += 1
        if name.lower() in self._names or len(self._names) >= _MOST:
            return
        self._names.add(name.lower())
        verdict = rewrite.explain(name.decode("latin-1")[:_LONGEST])
        self._log.info(
            "{route} drops the request header {name}, which no upstream gets;"
            " to pass it on: {line}",
            route=record.route,
            name=verdict.name,
            line=verdict.line or 'spell it with "-" for "_"',
        )
