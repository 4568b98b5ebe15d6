"""Counts of finished exchanges: made where the log line is written, read by ``/metrics``.

Counting costs a look-up and a few additions. Neither users nor targets are kept: only routes and
outcomes are labels, so the number of counts is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field

from ..downstream.record import ExchangeRecord

if TYPE_CHECKING:
    from ..downstream.request import DownstreamRequest

#: Upper bounds of the histogram of durations, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_OVER = len(BOUNDS)


@define
class RouteTally:
    """One route's numbers.

    :ivar statuses: exchanges by the first digit of their status; 0: no answer went out.
    :ivar durations: exchanges by the first of :data:`BOUNDS` that is not below their duration; the
        last count is of those above every bound.
    :ivar seconds: the sum of all durations.
    :ivar dropped: request headers that the route did not pass on.
    """

    statuses: list[int] = field(factory=lambda: [0] * 6)
    durations: list[int] = field(factory=lambda: [0] * (_OVER + 1))
    seconds: float = 0.0
    dropped: int = 0


class Tally:
    """Counts exchanges.

    :ivar routes: by path as mounted; ``""`` holds the requests that met no route.
    :ivar outcomes: exchanges that did not end well, by route and outcome as the log line has them.
    :ivar reloads: of the config: how many were ``"done"`` and ``"refused"``.
    :ivar refusals: those that a rule of a route refused, by route, outcome and rule.
    """

    def __init__(self) -> None:
        self.routes: dict[str, RouteTally] = {}
        self.outcomes: dict[tuple[str, str], int] = {}
        self.refusals: dict[tuple[str, str, str], int] = {}
        self.reloads: Counter[str] = Counter()

    def ended(self, request: DownstreamRequest) -> None:
        """Count the exchange of *request*, which is over."""
        record = request.record
        status = request.code if request.startedWriting else 0
        self.count(record, status, request.site.ticker.now() - record.started)

    def count(self, record: ExchangeRecord, status: int, seconds: float) -> None:
        """Count one exchange.

        :param status: the answer's; 0: no answer went out.
        """
        route = self.routes.get(record.route)
        if route is None:
            route = self.routes[record.route] = RouteTally()
        # A client takes a status of an unknown class for a 5xx (RFC 9110 section 15).
        route.statuses[min(status // 100, 5)] += 1
        route.durations[bisect_left(BOUNDS, seconds)] += 1
        route.seconds += seconds
        route.dropped += record.dropped
        if record.outcome != "ok":
            key = (record.route, record.outcome)
            self.outcomes[key] = self.outcomes.get(key, 0) + 1
            if record.rule:
                by_rule = (*key, record.rule)
                self.refusals[by_rule] = self.refusals.get(by_rule, 0) + 1
