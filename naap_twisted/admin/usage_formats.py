"""Totals of usage as JSON, CSV and OpenMetrics. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ..spend.budget import NANOS, plain_usd
from ..spend.counts import Counts
from ..spend.routes import numbers
from ..spend.totals import DIMENSIONS, Question, Totals

_KINDS = (
    *("input", "cached_input", "cache_write", "output", "reasoning"),
    *("audio_input", "audio_output"),
)
# A spreadsheet takes a cell that opens so for a formula (OWASP, "CSV Injection"); the last four are
# the full-width forms of the first.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@frozen
class Format:
    """One way to write totals.

    :ivar file_name: under which a browser saves the answer; ``b""``: it shows it.
    """

    content_type: bytes
    write: Callable[[Question, Totals], bytes]
    file_name: bytes = b""


def _as_json(question: Question, totals: Totals) -> bytes:
    following = question.offset + question.limit if totals.more else None
    document = {
        "by": _dimensions(question),
        "rows": [{**row.names, **numbers(row.counts)} for row in totals.rows],
        "total": numbers(totals.whole),
        "next_offset": following,
    }
    return json.dumps(document).encode()


def _as_csv(question: Question, totals: Totals) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    by = _dimensions(question)
    tokens = [f"{kind}_tokens" for kind in _KINDS]
    writer.writerow([*by, "requests", "total_tokens", *tokens, "usd", "estimated_share"])
    for row in totals.rows:
        counts = row.counts
        writer.writerow(
            [
                *(cell(row.names[name]) for name in by),
                counts.requests,
                counts.total_tokens,
                *(getattr(counts, name) for name in tokens),
                plain_usd(counts.usd_nanos),
                counts.estimated_share,
            ]
        )
    return text.getvalue().encode()


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> cell("ada"), cell("=1+1"), cell(" @SUM(A1)")
    ('ada', "'=1+1", "' @SUM(A1)")
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


class _Rows(Collector):
    """Gauges: the sums of a time that moves can become smaller, which no counter does."""

    def __init__(self, question: Question, totals: Totals) -> None:
        self._by = _dimensions(question)
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """Each number of each row; ``prometheus_client`` calls it."""
        yield self._gauge("requests", "Requests that went upstream", lambda c: c.requests)
        tokens = GaugeMetricFamily(
            "naap_usage_tokens",
            "Tokens of models; input and output are all of them, the other kinds parts of these",
            labels=[*self._by, "kind"],
        )
        for row in self._totals.rows:
            for kind in _KINDS:
                labels = [*row.names.values(), kind]
                tokens.add_metric(labels, getattr(row.counts, f"{kind}_tokens"))
        yield tokens
        yield self._gauge("usd", "What they cost", lambda c: float(Decimal(c.usd_nanos) / NANOS))
        text = "The part of the tokens that is estimated"
        yield self._gauge("estimated_ratio", text, lambda c: c.estimated_share)

    def _gauge(self, name: str, text: str, value: Callable[[Counts], float]) -> Metric:
        gauge = GaugeMetricFamily(f"naap_usage_{name}", text, labels=self._by)
        for row in self._totals.rows:
            gauge.add_metric([*row.names.values()], value(row.counts))
        return gauge


def _as_openmetrics(question: Question, totals: Totals) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Rows(question, totals))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


def _dimensions(question: Question) -> list[str]:
    """What rows are told apart by, in the order in which they have it."""
    return sorted(question.by, key=DIMENSIONS.index)


OPENMETRICS = Format(CONTENT_TYPE_LATEST.encode("ascii"), _as_openmetrics)
#: By the name that a query gives them.
FORMATS = {
    "json": Format(b"application/json", _as_json),
    "csv": Format(b"text/csv; charset=utf-8", _as_csv, b"usage.csv"),
    "openmetrics": OPENMETRICS,
}
