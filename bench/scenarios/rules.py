"""What the rules of a route cost: the small exchange with and without them, in one process.

Endpoints are measured on the small body, body rules on a chat of two kilobytes.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from ..field import Field, exchange, spread
from ..load.wrk import Exchange, Load, check, drive
from ..peers import JSON, OURS, WITH_RULES
from ..processes import Processes, Running
from ..upstreams import start_nginx

CONNECTIONS = 32
PATTERNS = 50
#: Cases by name: what each is measured against, and its route.
CASES = {
    "none": ("", "/api/v1/open"),
    "endpoints": ("none", "/api/v1/endpoints"),
    "none, 2 kB": ("", "/api/v1/open"),
    "body rules, 2 kB": ("none, 2 kB", "/api/v1/body"),
}


def chat() -> bytes:
    """A request of two kilobytes as a chat page sends it."""
    turns = ("Which of these three gateways keeps a key on the server, and how? ", "All of them. ")
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": "You answer in one sentence. " * 8}]
    messages += [{"role": roles[n % 2], "content": turns[n % 2] * 4} for n in range(8)]
    document: dict[str, Any] = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.7}
    document |= {"n": 1, "stream": True, "stream_options": {"include_usage": True}}
    return json.dumps({**document, "max_tokens": 800}).encode()


def measure(bench: Field) -> dict[str, Any]:
    """``{"none": {rate, cpu_us}, "endpoints": {..., added_cpu_us}, ...}``."""
    with Processes() as processes:
        upstream = start_nginx(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        plain = exchange(OURS, upstream.port, JSON, "/v1/chat")
        with bench.started(upstream.port, (WITH_RULES,)) as started:
            running = started[WITH_RULES.name][1]
            requests = {name: _request(plain, name) for name in CASES}
            for name, request in requests.items():
                bench.say(f"rules: {name} warms up")
                check(running.port, request)
                drive(running, request, CONNECTIONS, bench.plan.warm_up)
            return _summary(_rounds(bench, running, requests))


def _request(plain: Exchange, name: str) -> Exchange:
    body = chat() if "2 kB" in name else plain.body
    headers = {key: value for key, value in plain.headers.items() if key != "X-Target-URL"}
    return dataclasses.replace(plain, path=f"{CASES[name][1]}/v1/chat", headers=headers, body=body)


def _rounds(bench: Field, running: Running, requests: dict[str, Exchange]) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {name: [] for name in requests}
    for number in range(1, bench.plan.auth_rounds + 1):
        bench.say(f"rules: round {number}")
        # The order turns, so that a machine that slows down favours none.
        names = [*requests] if number % 2 else [*requests][::-1]
        for name in names:
            loads[name].append(drive(running, requests[name], CONNECTIONS, 1))
            running.empty_log()
    return loads


def _summary(loads: dict[str, list[Load]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name, of_one in loads.items():
        summary[name] = {
            "rate": spread([load.rate for load in of_one]),
            "cpu_us": spread([load.cpu_us for load in of_one]),
            "errors": sum(sum(load.errors.values()) for load in of_one),
        }
        base = CASES[name][0]
        if base:
            pairs = zip(of_one, loads[base], strict=True)
            summary[name]["added_cpu_us"] = spread([a.cpu_us - b.cpu_us for a, b in pairs])
    return summary
