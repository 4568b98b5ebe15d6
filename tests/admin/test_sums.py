"""Tests of naap_twisted.admin.sums: numbers of several processes."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.sums import Written, lasting, summed, written


def process(requests: int, running: int, generation: int = 1, up: int = 1) -> list[Written]:
    """The numbers of a process, as they come from another."""
    registry = CollectorRegistry()
    Counter("naap_requests", "Requests", ["route"], registry=registry).labels("/a").inc(requests)
    Gauge("naap_in_flight", "Now", registry=registry).set(running)
    Gauge("naap_config_generation", "Config", registry=registry).set(generation)
    Gauge("naap_redis_up", "Redis", registry=registry).set(up)
    Histogram("naap_seconds", "Time", registry=registry, buckets=[1, 5]).observe(running)
    told: list[Written] = json.loads(json.dumps(written(registry)))
    return told


def text_of(metrics: list[Metric]) -> str:
    class Given(Collector):
        def collect(self) -> list[Metric]:
            return metrics

    registry = CollectorRegistry()
    registry.register(Given())
    return str(generate_latest(registry).decode())


class SumTests(SynchronousTestCase):
    def test_sums(self) -> None:
        """Counts, gauges and histograms are summed; of Redis the worst counts."""
        text = text_of([*summed(process(0, 0, 7), [process(3, 2), process(4, 9, up=0)])])
        for line in (
            'naap_requests_total{route="/a"} 7.0',
            "naap_in_flight 11.0",
            "naap_config_generation 7.0",
            "naap_redis_up 0.0",
            'naap_seconds_bucket{le="1.0"} 1.0',
            'naap_seconds_bucket{le="5.0"} 2.0',
            'naap_seconds_bucket{le="+Inf"} 3.0',
            "naap_seconds_sum 11.0",
            "naap_seconds_count 3.0",
        ):
            self.assertIn(f"\n{line}\n", text)

    def test_one_text(self) -> None:
        """The sum of one process is what the process itself tells, its own numbers excepted."""
        registry = CollectorRegistry()
        Counter("naap_b", "B", ["x", "a"], registry=registry).labels("1", "2").inc(5)
        alone = text_of([*summed(written(registry), [])])
        kept = [line for line in alone.splitlines() if "_created" not in line]
        self.assertIn('naap_b_total{a="2",x="1"} 5.0', kept)
        self.assertIn("# TYPE naap_b_total counter", kept)

    def test_lasting(self) -> None:
        """Of a process that has ended the counts stay, and nothing that it held."""
        left = lasting(process(3, 2))
        self.assertEqual({metric[0] for metric in left}, {"naap_requests", "naap_seconds"})
        text = text_of([*summed(process(0, 0), [left, process(1, 1)])])
        self.assertIn('naap_requests_total{route="/a"} 4.0', text)
        self.assertIn("naap_in_flight 1.0", text)
