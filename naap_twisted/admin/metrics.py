"""``/metrics``: the server's numbers in Prometheus' text format, collected at each scrape.

Labels are routes as mounted, statuses by class and outcomes as the log line has them: their number
is bounded, and none of them tells of a user or a target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..limits.replays import Replays
from ..observe.outlets import LOG_QUEUE
from ..route.scrub import Guard
from ..server.tally import BOUNDS, Tally
from ..spend.budget import NANOS

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer
    from ..spend.ledger_watch import LedgerWatch
    from ..spend.purse import Purse

_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_UNROUTED = "(none)"


def metrics_of(server: PluginServer) -> CollectorRegistry:
    """The registry of the numbers of *server* and of its process."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(server))
    ProcessCollector(registry=registry)
    return registry


class ServerCollector(Collector):
    """Makes Prometheus' metrics out of the server's plain numbers."""

    def __init__(self, server: PluginServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """Every metric, at the moment of the scrape; ``prometheus_client`` calls it."""
        parts = self._server.parts
        yield from _exchanges(parts.tally)
        site, pool = self._server.site(), parts.upstream.pool
        yield _gauge("in_flight", "Proxied exchanges in progress", parts.capacity.in_flight)
        yield _gauge("connections", "Open connections of browsers", len(site.open))
        yield _gauge("config_generation", "1, and one more with each reload", parts.generation)
        reloads = CounterMetricFamily(
            "naap_config_reloads",
            "Reloads of the config; refused: nothing has changed",
            labels=["outcome"],
        )
        for outcome in ("done", "refused"):
            reloads.add_metric([outcome], parts.tally.reloads[outcome])
        yield reloads
        uptime = parts.clock.seconds() - parts.born
        yield _gauge("uptime_seconds", "Since the server was made", uptime)
        yield _gauge("held_body_bytes", "Of request bodies that are held whole", site.held.total)
        refused = "Request bodies refused with 503 for want of room"
        yield _counter("held_bodies_refused", refused, site.held.refused)
        yield _counter("log_lines_dropped", "Not written, or not in time", LOG_QUEUE.dropped)
        upstream = GaugeMetricFamily(
            "naap_upstream_connections",
            "Connections to upstreams: in use or being made ready for it, and idle",
            labels=["state"],
        )
        upstream.add_metric(["busy"], pool.opened - len(pool))
        upstream.add_metric(["idle"], len(pool))
        yield upstream
        yield from _replays(parts.state.replays)
        yield from _ways_out(self._server)
        redis, usage = parts.state.redis, parts.state.usage
        if redis is not None:
            yield _gauge("redis_up", "1: Redis answered last time", int(redis.up))
            yield _counter("redis_outages", "How often Redis was lost", redis.outages)
        yield from _spend(parts.state.purses)
        yield from _ledger(parts.state.watch)
        if usage is not None:
            yield _counter("usage_lost", "Exchanges missing in users' usage", usage.lost)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"naap_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"naap_{name}", text, value=value)


def _spend(purses: Mapping[str, Purse]) -> Iterator[Metric]:
    tokens = CounterMetricFamily(
        "naap_spend_tokens",
        "Tokens booked under budgets; cached and reasoning ones are parts of input and output",
        labels=["route", "kind"],
    )
    usd = CounterMetricFamily("naap_spend_usd", "What they cost", labels=["route"])
    text = "Of the tokens, those that nobody reported"
    estimated = CounterMetricFamily("naap_spend_estimated_tokens", text, labels=["route"])
    for route, purse in purses.items():
        if not purse.has_budgets:
            continue
        spent = purse.spent
        for kind in ("input", "cached_input", "output", "reasoning"):
            tokens.add_metric([route, kind], getattr(spent, f"{kind}_tokens"))
        usd.add_metric([route], spent.usd_nanos / NANOS)
        estimated.add_metric([route], spent.estimated_tokens)
    if tokens.samples:
        yield from (tokens, usd, estimated)


def _ledger(watch: LedgerWatch | None) -> Iterator[Metric]:
    if watch is None:
        return
    yield _gauge("ledger_up", "1: what was spent is booked in the shared ledger", not watch.gone)
    yield _counter("ledger_losses", "How often the shared ledger of budgets was lost", watch.losses)
    without = CounterMetricFamily(
        "naap_ledger_requests_without",
        "Requests under a budget without the shared ledger, by what was done",
        labels=["done"],
    )
    without.add_metric(["local"], watch.alone)
    without.add_metric(["refused"], watch.refused)
    yield without
    lost = "Requests whose cost never got to the ledger, which has what was reserved for them"
    yield _counter("ledger_unbooked", lost, watch.unbooked)


def _replays(replays: Replays[Guard]) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "naap_replays",
        "Requests with an Idempotency-Key on routes with replay, by what became of them",
        labels=["route", "outcome"],
    )
    for labels, count in replays.counts.items():
        requests.add_metric([*labels], count)
    yield requests
    yield _gauge("replay_bytes", "Of answers that are kept for retries", replays.size)
    alone = "Exchanges that go on after their callers have left"
    yield _gauge("replays_going_on", alone, replays.going_on)


def _ways_out(server: PluginServer) -> Iterable[Metric]:
    now = GaugeMetricFamily(
        "naap_circuits_open", "Upstream origins that a route leaves alone now", labels=["route"]
    )
    opened = CounterMetricFamily(
        "naap_circuit_openings", "How often an upstream failed too often", labels=["route"]
    )
    again = CounterMetricFamily(
        "naap_upstream_retries", "Requests that were sent again", labels=["route"]
    )
    for mount in server.routes():
        if mount.proxy is not None:
            again.add_metric([mount.full_path], mount.proxy.retrying.retried)
            now.add_metric([mount.full_path], mount.proxy.breaking.open)
            opened.add_metric([mount.full_path], mount.proxy.breaking.opened)
    return now, opened, again


def _exchanges(tally: Tally) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "naap_requests", "Finished exchanges; none: no answer went out", labels=["route", "status"]
    )
    durations = HistogramMetricFamily(
        "naap_request_duration_seconds", "From request head to the answer's end", labels=["route"]
    )
    dropped = CounterMetricFamily(
        "naap_request_headers_dropped",
        "Request headers that a route did not pass on, by name in the log",
        labels=["route"],
    )
    for route, counts in tally.routes.items():
        name = route or _UNROUTED
        for label, count in zip(_CLASSES, counts.statuses, strict=True):
            if count:
                requests.add_metric([name, label], count)
        bounds = [*map(str, BOUNDS), "+Inf"]
        buckets = [*zip(bounds, accumulate(counts.durations), strict=True)]
        durations.add_metric([name], buckets=buckets, sum_value=counts.seconds)
        dropped.add_metric([name], counts.dropped)
    failures = CounterMetricFamily(
        "naap_failures",
        "Exchanges that did not end well: an error code, client_gone, upstream_cut or drained",
        labels=["route", "outcome"],
    )
    for (route, outcome), count in tally.outcomes.items():
        failures.add_metric([route or _UNROUTED, outcome], count)
    refusals = CounterMetricFamily(
        "naap_policy_refusals",
        "Requests that a rule of a route refused, by the option or the member that it is about",
        labels=["route", "code", "rule"],
    )
    for labels, count in tally.refusals.items():
        refusals.add_metric([*labels], count)
    return requests, failures, refusals, dropped, durations
