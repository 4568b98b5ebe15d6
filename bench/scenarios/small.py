"""The small JSON exchange: CPU, rate and latency at several numbers of connections."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..field import DIRECT, Field, exchange, spread
from ..load.wrk import Exchange, Load, check, drive
from ..peers import JSON
from ..processes import Processes, Running
from ..upstreams import start_nginx


def measure(bench: Field) -> dict[str, Any]:
    """``{connections: {peer: {rate, cpu_us, p50_us, p99_us, added_p50_us, ...}}}``."""
    with Processes() as processes:
        upstream = start_nginx(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        with bench.started(upstream.port, bench.peers) as started:
            runners = {
                name: (running, exchange(peer, upstream.port, JSON))
                for name, (peer, running) in started.items()
            }
            runners = {DIRECT: (upstream, exchange(None, upstream.port, JSON)), **runners}
            _warm_up(bench, runners)
            return {
                str(connections): _at(bench, runners, connections)
                for connections in bench.plan.connections
            }


def _warm_up(bench: Field, runners: dict[str, tuple[Running, Exchange]]) -> None:
    for name, (running, request) in runners.items():
        bench.say(f"small exchange: {name} warms up")
        check(running.port, request)
        drive(running, request, 32, bench.plan.warm_up)


def _at(
    bench: Field, runners: dict[str, tuple[Running, Exchange]], connections: int
) -> dict[str, Any]:
    loads: dict[str, list[Load]] = {name: [] for name in runners}
    for number in range(1, bench.plan.rounds + 1):
        bench.say(f"small exchange: {connections} connections, round {number}")
        for name, (running, request) in runners.items():
            loads[name].append(drive(running, request, connections, bench.plan.seconds))
            running.empty_log()
    return {name: _summary(of_peer, loads[DIRECT]) for name, of_peer in loads.items()}


def _summary(loads: list[Load], direct: list[Load]) -> dict[str, Any]:
    pairs = list(zip(loads, direct, strict=True))
    return {
        "rate": spread([load.rate for load in loads]),
        "cpu_us": spread([load.cpu_us for load in loads]),
        "p50_us": spread([load.p50_us for load in loads]),
        "p99_us": spread([load.p99_us for load in loads]),
        # Against direct in the same round: both had the same neighbours on the machine.
        "added_p50_us": spread([load.p50_us - base.p50_us for load, base in pairs]),
        "added_p99_us": spread([load.p99_us - base.p99_us for load, base in pairs]),
        "requests": sum(load.requests for load in loads),
        "errors": sum(sum(load.errors.values()) for load in loads),
    }
