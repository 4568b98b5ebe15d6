"""From the start of the process to listening, and the memory that it then has."""

from __future__ import annotations

import time
from typing import Any

from .. import usage
from ..field import Field, spread
from ..processes import free_port

_SETTLE = 0.3


def measure(bench: Field) -> dict[str, Any]:
    """``{peer: {seconds, idle_bytes}}``."""
    seconds: dict[str, list[float]] = {peer.name: [] for peer in bench.peers}
    idle: dict[str, list[float]] = {peer.name: [] for peer in bench.peers}
    nobody = free_port()  # an upstream that is never asked
    for number in range(1, bench.plan.starts + 1):
        bench.say(f"start-up: round {number}")
        for peer in bench.peers:
            with bench.started(nobody, [peer]) as started:
                running = started[peer.name][1]
                seconds[peer.name].append(running.start_seconds)
                time.sleep(_SETTLE)
                idle[peer.name].append(usage.resident_bytes(running.pid))
    return {
        name: {"seconds": spread(seconds[name]), "idle_bytes": spread(idle[name])}
        for name in seconds
    }
