"""The numbers of several processes as one: summed by name and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .metrics import metrics_of

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer
    from ..server.setting import Crew

# Sums of these say nothing: each process has the same, or its own.
_NO_SUMS = (
    *("naap_config_generation", "naap_config_reloads", "naap_uptime_seconds"),
    *("process_start_time_seconds", "process_max_fds"),
)
# Of these the worst counts.
_LEAST = ("naap_redis_up",)
_FOREVER = ("counter", "histogram")

#: A metric: its name, type and text, and its samples: name, labels and value.
Written = Sequence[Any]


def written(registry: CollectorRegistry) -> list[Written]:
    """The metrics of *registry* as JSON can have them."""
    return [written_metric(metric) for metric in registry.collect()]


def written_metric(metric: Metric) -> Written:
    """One metric, so."""
    samples = [[*sample[:3]] for sample in metric.samples]
    return [metric.name, metric.type, metric.documentation, samples]


def lasting(metrics: Iterable[Written]) -> list[Written]:
    """What is left of *metrics* when their process has ended: counts, which never go back."""
    return [metric for metric in metrics if metric[1] in _FOREVER]


def summed(own: Iterable[Written], others: Iterable[Iterable[Written]]) -> Iterator[Metric]:
    """The metrics of a supervisor and its workers as those of one server.

    :param own: of the supervisor, which alone tells of its config.
    """
    metrics: dict[str, Metric] = {}
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for is_own, source in ((True, own), *((False, each) for each in others)):
        for name, kind, text, samples in source:
            if name in _NO_SUMS and not is_own:
                continue
            metrics.setdefault(name, Metric(name, text, kind))
            for sample, labels, value in samples:
                key = name, sample, tuple(sorted(labels.items()))
                before = values.get(key)
                if before is None:
                    values[key] = value
                else:
                    values[key] = min(before, value) if name in _LEAST else before + value
    for (name, sample, pairs), value in values.items():
        metrics[name].add_sample(sample, dict(pairs), value)
    yield from metrics.values()


class CrewCollector(Collector):
    """What ``/metrics`` of a supervisor tells: its own numbers and those of its workers."""

    def __init__(self, server: PluginServer, crew: Crew) -> None:
        self._own = metrics_of(server)
        self._crew = crew

    def collect(self) -> Iterator[Metric]:
        """Every metric, as the workers were asked last; ``prometheus_client`` calls it."""
        yield from summed(written(self._own), self._crew.numbers())
        workers = GaugeMetricFamily("naap_workers", "Processes that serve", labels=["state"])
        for state, count in self._crew.states().items():
            workers.add_metric([state], count)
        yield workers
        restarts = "Workers put in the place of one that ended"
        yield CounterMetricFamily("naap_worker_restarts", restarts, value=self._crew.restarts)


def metrics_of_all(server: PluginServer) -> CollectorRegistry:
    """The registry of ``/metrics``, of whatever *server* is."""
    crew = server.parts.setting.crew
    if crew is None:
        return metrics_of(server)
    registry = CollectorRegistry()
    registry.register(CrewCollector(server, crew))
    return registry
