"""What spend costs: a reservation and its settlement, and a stream's event that is metered."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import usage
from ..field import Field, spread
from ..load.wrk import WrongAnswer
from ..missing import program
from ..peers import ROOT, WITH_SPEND
from ..processes import Processes, Running, free_port

#: At once; the upstream sends an event every 5 ms to each.
STREAMS = 40
ROUTES = {"not metered": "/api/v1/open", "metered": "/api/v1/metered"}
_HERE = Path(__file__).parent.parent
_LIMIT = 300


def measure(bench: Field) -> dict[str, Any]:
    """``{"ledger": {memory, reserve, settle, trips}, "events": {not metered, metered}}``."""
    return {"ledger": _ledger(bench), "events": _events(bench)}


def _ledger(bench: Field) -> dict[str, Any]:
    bench.say("spend: the ledger")
    rounds = bench.plan.auth_rounds
    with Processes() as processes:
        port, folder = free_port(), Path(tempfile.mkdtemp(dir=bench.folder))
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        redis = processes.start("redis", [program("redis-server"), *options], port, folder)
        redis.wait_until_listening()
        found = json.loads(_child("-m", "bench.load.ledger_client", rounds, port))
    told = found["redis"]
    beyond = {
        name: spread([one - base for one, base in zip(told[name], told["empty"], strict=True)])
        for name in ("reserve", "settle")
    }
    trip = spread(told["empty"])
    return {"memory": spread(found["memory"]), "trip": trip, "trips": told["trips"], **beyond}


def _child(*arguments: str | int) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
    )
    if done.returncode:
        raise WrongAnswer(f"{arguments}: {done.stderr[-500:]}")
    return done.stdout


def _events(bench: Field) -> dict[str, Any]:
    with Processes() as processes:
        port, folder = free_port(), Path(tempfile.mkdtemp(dir=bench.folder))
        script = [sys.executable, str(_HERE / "upstreams" / "chat_stream.py"), str(port)]
        processes.start("chat upstream", script, port, folder).wait_until_listening()
        with bench.started(port, (WITH_SPEND,)) as started:
            running = started[WITH_SPEND.name][1]
            for name in ROUTES:
                bench.say(f"spend: {name} warms up")
                _event_us(running, name)
            return _compared(bench, running)


def _compared(bench: Field, running: Running) -> dict[str, Any]:
    costs: dict[str, list[float]] = {name: [] for name in ROUTES}
    for number in range(1, bench.plan.auth_rounds + 1):
        bench.say(f"spend: round {number}")
        # Each goes first in turn, so that a machine that slows down favours neither.
        for name in sorted(ROUTES, reverse=bool(number % 2)):
            costs[name].append(_event_us(running, name))
            running.empty_log()
    found: dict[str, Any] = {name: {"cpu_us": spread(each)} for name, each in costs.items()}
    pairs = [*zip(costs["metered"], costs["not metered"], strict=True)]
    found["metered"]["added_cpu_us"] = spread([one - base for one, base in pairs])
    found["metered"]["ratio"] = spread([one / base for one, base in pairs])
    return found


def _event_us(running: Running, name: str) -> float:
    """CPU of the proxy for each event, its stream's beginning and end included."""
    client = str(_HERE / "load" / "stream_client.py")
    path = f"{ROUTES[name]}/chat/completions"
    before = usage.thread_seconds(running.pid)
    events = int(_child(client, running.port, path, STREAMS))
    return (usage.thread_seconds(running.pid) - before) * 1e6 / events
