"""Where our own microseconds go: a profile of the small exchange, by layer and by function.

The profiler makes every call dearer, so its seconds are not used: only each part's share is, and
shares are scaled to the CPU per request of a run without the profiler just before.
"""

from __future__ import annotations

import pstats
import signal
import tempfile
from pathlib import Path
from typing import Any

from ..field import Field, exchange
from ..load.wrk import check, drive
from ..peers import JSON, OURS, ROOT
from ..processes import Processes
from ..upstreams import start_nginx
from . import heads

CONNECTIONS = 32
_SHOWN = 25
_SAVING = 60.0

# pstats: function -> (primitive calls, calls, own time, time, {caller: the same four})
_Function = tuple[str, int, str]

#: By the first that fits, from the file's path; what is left is the standard library.
_LAYERS = (
    ("naap_twisted/downstream", "browser side: connection, request, answer"),
    ("naap_twisted/framing", "framing: reading both heads and both bodies"),
    ("naap_twisted/upstream", "API side: pool, connection, response"),
    ("naap_twisted/wrappers", "wrappers: CORS, ids, security headers, limit, compression"),
    ("naap_twisted/limits", "wrappers: CORS, ids, security headers, limit, compression"),
    ("naap_twisted/observe", "log line"),
    ("twisted/logger", "log line"),
    ("twisted/python/log", "log line"),
    ("/json/", "log line"),
    ("naap_twisted/routing", "routing"),
    ("klein/", "routing"),
    ("werkzeug/", "routing"),
    ("naap_twisted/", "the spine: target, egress, body, headers, relay"),
    ("twisted/web/", "twisted.web"),
    ("twisted/internet/defer", "Deferreds and coroutines"),
    ("twisted/internet/", "Twisted's reactor and transports"),
    ("twisted/", "other Twisted"),
)


def measure(bench: Field) -> dict[str, Any]:
    """``{cpu_us, layers: [...], functions: [...]}``, dearest first; times in microseconds."""
    with Processes() as processes:
        upstream = start_nginx(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        request = exchange(OURS, upstream.port, JSON)
        with bench.started(upstream.port, [OURS]) as started:
            bench.say("profile: the same load without the profiler")
            running = started[OURS.name][1]
            check(running.port, request)
            drive(running, request, CONNECTIONS, bench.plan.warm_up)
            cpu_us = drive(running, request, CONNECTIONS, bench.plan.profile_seconds).cpu_us
        bench.say("profile: with it")
        saved, requests = _profiled(bench, f"http://127.0.0.1:{upstream.port}", request)
    bench.say("profile: reading heads, beside a C parser")
    return {"cpu_us": cpu_us, **evaluate(saved, cpu_us, requests), "heads": heads.measure()}


def _profiled(bench: Field, upstream: str, request: Any) -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(dir=bench.folder))
    saved = folder / "profile"
    with Processes() as processes:
        running = OURS.start(
            processes, folder, upstream, bench.npm, ("--savestats", f"--profile={saved}")
        )
        running.wait_until_listening()
        load = drive(running, request, CONNECTIONS, bench.plan.profile_seconds)
        running.signal_and_wait(signal.SIGTERM, _SAVING)
    return saved, load.requests


def evaluate(saved: Path, cpu_us: float, requests: int) -> dict[str, Any]:
    """Layers and functions of a saved profile, scaled to *cpu_us*."""
    stats: dict[_Function, Any] = pstats.Stats(str(saved)).stats  # type: ignore[attr-defined]
    # Waiting for something to do is wall-clock time, not CPU.
    stats = {name: value for name, value in stats.items() if not _is_wait(name)}
    # A layer is charged for the C code it calls: parsing, dict and bytes work.
    layers: dict[str, float] = {}
    for function, (_, _, own, _, callers) in stats.items():
        if function[0] != "~" or _is_kernel(function) or not callers:
            layers[_layer(function)] = layers.get(_layer(function), 0.0) + own
            continue
        for caller, (_, _, part, _) in callers.items():
            layers[_layer(caller)] = layers.get(_layer(caller), 0.0) + part
    total = sum(layers.values())
    scale = cpu_us / total
    dearest = sorted(stats.items(), key=lambda item: -item[1][2])[:_SHOWN]
    return {
        "layers": [
            {"layer": name, "us": seconds * scale, "share": seconds / total}
            for name, seconds in sorted(layers.items(), key=lambda item: -item[1])
            if seconds > total / 1000
        ],
        "functions": [
            {
                "function": _readable(function),
                "us": value[2] * scale,
                "share": value[2] / total,
                "calls": value[1] / requests,
            }
            for function, value in dearest
        ],
        "calls": sum(value[1] for value in stats.values()) / requests,
    }


def _is_wait(function: _Function) -> bool:
    return function[0] == "~" and "'poll' of 'select.epoll'" in function[2]


def _is_kernel(function: _Function) -> bool:
    name = function[2]
    return "_socket.socket" in name or "select.epoll" in name or "posix.write" in name


def _layer(function: _Function) -> str:
    if function[0] == "~":
        return "system calls: send, recv, epoll" if _is_kernel(function) else "C code"
    return next((layer for part, layer in _LAYERS if part in function[0]), "standard library")


def _readable(function: _Function) -> str:
    file, _, name = function
    if file == "~":
        return name.strip("<>")
    for marker in (f"{ROOT}/", "site-packages/", "lib/python3"):
        if marker in file:
            file = file.partition(marker)[2]
            file = file.partition("/")[2] if marker.startswith("lib") else file
            break
    return f"{file}: {name}"
