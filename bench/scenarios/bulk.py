"""10 MB down and up with eight clients: throughput, and how much memory it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .. import usage
from ..field import DIRECT, Field, exchange, spread
from ..load.wrk import Exchange, check, drive
from ..peers import DOWNLOAD, UPLOAD
from ..processes import Processes, Running
from ..upstreams import BULK, start_nginx, start_sink

CLIENTS = 8
_STARTERS = {DOWNLOAD: start_nginx, UPLOAD: start_sink}


def measure(bench: Field, kind: str) -> dict[str, Any]:
    """``{peer: {mb_s, cpu_ms, growth_bytes, errors}}``; *kind* is ``DOWNLOAD`` or ``UPLOAD``."""
    with Processes() as processes:
        upstream = _STARTERS[kind](processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        with bench.started(upstream.port, bench.memory_peers()) as started:
            runners = {
                name: (running, exchange(peer, upstream.port, kind))
                for name, (peer, running) in started.items()
            }
            runners = {DIRECT: (upstream, exchange(None, upstream.port, kind)), **runners}
            return _rounds(bench, kind, runners)


def _rounds(
    bench: Field, kind: str, runners: dict[str, tuple[Running, Exchange]]
) -> dict[str, Any]:
    rates: dict[str, list[float]] = {name: [] for name in runners}
    cpu: dict[str, list[float]] = {name: [] for name in runners}
    growth = dict.fromkeys(runners, 0)
    errors = dict.fromkeys(runners, 0)
    before = {name: usage.resident_bytes(running.pid) for name, (running, _) in runners.items()}
    for running, request in runners.values():
        usage.reset_peak(running.pid)
        check(running.port, request)
    for number in range(1, bench.plan.bulk_rounds + 1):
        bench.say(f"10 MB {kind}: round {number}")
        for name, (running, request) in runners.items():
            load = drive(running, request, CLIENTS, bench.plan.bulk_seconds)
            rates[name].append(load.rate * BULK / 1e6)
            cpu[name].append(load.cpu_us / 1e3)
            errors[name] += sum(load.errors.values())
            growth[name] = max(growth[name], usage.peak_bytes(running.pid) - before[name])
    return {
        name: {
            "mb_s": spread(rates[name]),
            "cpu_ms": spread(cpu[name]),
            "growth_bytes": growth[name],
            "errors": errors[name],
        }
        for name in runners
    }
