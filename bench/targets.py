"""What the proxy has to reach, against what was measured. Ratios are of medians of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]
_OURS, _PEER = "ours", "cors-anywhere"


@dataclass(frozen=True)
class Target:
    """One figure.

    :ivar value: from results to the figure; a ``KeyError`` means that it was not measured.
    :ivar must: its bound, or ``None`` for a figure to compare with only.
    :ivar aim: the better bound that is aimed at, or ``None``.
    :ivar least: the bound is a least one, not a most one.
    """

    title: str
    value: Callable[[Results], float]
    must: Callable[[Results], float] | None
    aim: float | None = None
    unit: str = ""
    least: bool = False

    def judge(self, results: Results) -> dict[str, Any]:
        """``title``, ``figure``, ``must``, ``aim`` and ``verdict``, all text."""
        aim = "" if self.aim is None else self._text(self.aim)
        row = {"title": self.title, "figure": "", "must": "", "aim": aim}
        try:
            value = self.value(results)
            must = None if self.must is None else self.must(results)
        except KeyError:
            return {**row, "verdict": "not measured"}
        row["figure"] = f"{_number(value)}{self.unit}"
        if must is None:
            return {**row, "verdict": "no target"}
        verdict = "met" if self._holds(value, must) else "NOT met"
        if verdict == "met" and self.aim is not None and self._holds(value, self.aim):
            verdict = "met, aim too"
        return {**row, "must": self._text(must), "verdict": verdict}

    def _holds(self, value: float, bound: float) -> bool:
        return value >= bound if self.least else value <= bound

    def _text(self, bound: float) -> str:
        return f"{'>=' if self.least else '<='} {_number(bound)}{self.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _fixed(bound: float) -> Callable[[Results], float]:
    return lambda results: bound


def _cpu(results: Results, peer: str) -> float:
    return float(results["small"]["32"][peer]["cpu_us"]["median"])


def _cpu_ratio(peer: str) -> Callable[[Results], float]:
    return lambda results: _cpu(results, _OURS) / _cpu(results, peer)


def _added_ms(key: str) -> Callable[[Results], float]:
    return lambda results: float(results["small"]["1"][_OURS][key]["median"]) / 1e3


def _speed(kind: str) -> Target:
    return Target(
        f"10 MB {kind}, 8 clients: throughput; 400 MB/s or 0.9 of cors-anywhere's",
        lambda results: float(results[kind][_OURS]["mb_s"]["median"]),
        lambda results: max(400.0, 0.9 * float(results[kind][_PEER]["mb_s"]["median"])),
        unit=" MB/s",
        least=True,
    )


def _growth(kind: str) -> Target:
    return Target(
        f"10 MB {kind}, 8 clients: growth of peak memory",
        lambda results: float(results[kind][_OURS]["growth_bytes"]) / 1e6,
        _fixed(16.0),
        unit=" MB",
    )


def _stall(count: int) -> Target:
    return Target(
        f"{count:,} event streams: worst lateness of an event",
        lambda results: _stream(results, count, "worst") * 1e3,
        _fixed(500.0),
        unit=" ms",
    )


def _stream(results: Results, count: int, key: str) -> float:
    of_ours = results["streams"][str(count)][_OURS]
    if key == "worst" and (of_ours["closed"] or of_ours["missed"] or of_ours["never_opened"]):
        return float("inf")
    return float(of_ours[key])


def _per_stream(count: int) -> Target:
    return Target(
        f"{count:,} event streams: memory for each",
        lambda results: _stream(results, count, "bytes_per_stream") / 1e3,
        _fixed(40.0),
        aim=25.0,
        unit=" KB",
    )


TARGETS: tuple[Target, ...] = (
    Target("CPU per small request / cors-anywhere's", _cpu_ratio(_PEER), _fixed(0.75), 0.6),
    Target("CPU per small request / nginx's", _cpu_ratio("nginx"), _fixed(5.0), 4.0),
    Target(
        "CPU per small request / Klein + treq's", _cpu_ratio("klein + treq"), _fixed(1 / 5), 1 / 6
    ),
    Target(
        "CPU per small request / cors-anywhere's with a keep-alive agent",
        _cpu_ratio("cors-anywhere keep-alive"),
        None,
    ),
    Target(
        "CPU per small request / nginx's with upstream keep-alive",
        _cpu_ratio("nginx keep-alive"),
        None,
    ),
    Target(
        "added latency at one connection, p50", _added_ms("added_p50_us"), _fixed(0.5), unit=" ms"
    ),
    Target(
        "added latency at one connection, p99", _added_ms("added_p99_us"), _fixed(2.0), unit=" ms"
    ),
    Target(
        "CPU that a remembered session adds to a small request",
        lambda results: float(results["auth"]["session"]["added_cpu_us"]["median"]),
        _fixed(15.0),
        unit=" us",
    ),
    Target(
        "CPU that 50 endpoints add to a small request",
        lambda results: float(results["rules"]["endpoints"]["added_cpu_us"]["median"]),
        _fixed(2.0),
        unit=" us",
    ),
    Target(
        "CPU that body rules add to a request of 2 kB",
        lambda results: float(results["rules"]["body rules, 2 kB"]["added_cpu_us"]["median"]),
        _fixed(25.0),
        unit=" us",
    ),
    Target(
        "reserve and settle in memory",
        lambda results: float(results["spend"]["ledger"]["memory"]["median"]),
        _fixed(8.0),
        unit=" us",
    ),
    Target(
        "Redis: round trips of reserve, and of settle",
        lambda results: float(results["spend"]["ledger"]["trips"]),
        _fixed(1.0),
    ),
    *(
        Target(
            f"Redis: CPU of {step} beyond a round trip",
            lambda results, step=step: float(results["spend"]["ledger"][step]["median"]),
            _fixed(30.0),
            unit=" us",
        )
        for step in ("reserve", "settle")
    ),
    Target(
        "CPU per metered event of a stream / not metered",
        lambda results: float(results["spend"]["events"]["metered"]["ratio"]["median"]),
        _fixed(1.3),
    ),
    _speed("download"),
    _growth("download"),
    _speed("upload"),
    _growth("upload"),
    Target(
        "from start to listening, ten routes",
        lambda results: float(results["startup"][_OURS]["seconds"]["median"]),
        _fixed(1.0),
        unit=" s",
    ),
    Target(
        "slow reader of a 100 MB answer: memory held",
        lambda results: float(results["slow_reader"][_OURS]["bytes_per_reader"]) / 1e3,
        _fixed(512.0),
        unit=" KB",
    ),
)


def judged(results: Results) -> list[dict[str, Any]]:
    """All targets that this run can say something about."""
    counts = [int(count) for count in results.get("streams", {})]
    streams = [target for count in counts for target in (_stall(count), _per_stream(count))]
    return [target.judge(results) for target in (*TARGETS, *streams)]
