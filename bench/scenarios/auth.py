"""What a session costs once it is remembered: the small exchange with and without one.

Two processes of ours with the same routes; one asks a session service who calls, the other nobody.
Their difference holds the door, the longer request, and the counts of the user's limits.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from ..field import Field, exchange, spread
from ..load.wrk import Exchange, Load, check, drive
from ..peers import JSON, OURS, WITH_SESSION
from ..processes import Processes, Running
from ..upstreams import start_nginx

CONNECTIONS = 32
_TOKEN = "a-session-token-of-the-benchmark"


def measure(bench: Field) -> dict[str, Any]:
    """``{"none": {rate, cpu_us}, "session": {..., added_cpu_us}}``."""
    with Processes() as processes:
        upstream = start_nginx(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        plain = exchange(OURS, upstream.port, JSON)
        session = dataclasses.replace(
            plain, headers={**plain.headers, "Authorization": f"Bearer {_TOKEN}"}
        )
        with bench.started(upstream.port, (OURS, WITH_SESSION)) as started:
            runners = {
                "none": (started[OURS.name][1], plain),
                "session": (started[WITH_SESSION.name][1], session),
            }
            for name, (running, request) in runners.items():
                bench.say(f"sessions: {name} warms up")
                check(running.port, request)
                drive(running, request, CONNECTIONS, bench.plan.warm_up)
            return _summary(_rounds(bench, runners))


def _rounds(bench: Field, runners: dict[str, tuple[Running, Exchange]]) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {name: [] for name in runners}
    for number in range(1, bench.plan.auth_rounds + 1):
        bench.say(f"sessions: round {number}")
        # Each goes first in turn, so that a machine that slows down favours neither.
        for name in sorted(runners, reverse=bool(number % 2)):
            running, request = runners[name]
            loads[name].append(drive(running, request, CONNECTIONS, 1))
            running.empty_log()
    return loads


def _summary(loads: dict[str, list[Load]]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        name: {
            "rate": spread([load.rate for load in of_one]),
            "cpu_us": spread([load.cpu_us for load in of_one]),
            "errors": sum(sum(load.errors.values()) for load in of_one),
        }
        for name, of_one in loads.items()
    }
    pairs = zip(loads["session"], loads["none"], strict=True)
    summary["session"]["added_cpu_us"] = spread([one.cpu_us - base.cpu_us for one, base in pairs])
    return summary
