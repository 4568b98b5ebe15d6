"""Event streams held: how late events come, and what an open stream costs in memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import usage
from ..field import DIRECT, Field, exchange
from ..load import wrk
from ..load.wrk import Exchange, WrongAnswer
from ..peers import EVENTS, OURS
from ..plan import PEER_STREAMS
from ..processes import Processes, Running
from ..upstreams import start_events

_CLIENT = Path(wrk.__file__).with_name("event_client.py")
_LIMIT = 120
_OTHER_FILES = 200


def measure(bench: Field) -> dict[str, Any]:
    """``{streams: {peer: {worst, p99, median, bytes_per_stream, ...}}}``; times in seconds."""
    results: dict[str, Any] = {}
    for wanted in bench.plan.stream_counts:
        count = min(wanted, _most())
        peers = [peer for peer in bench.memory_peers() if peer.streams]
        if count > PEER_STREAMS:
            peers = [peer for peer in peers if peer is OURS]
        with Processes() as processes:
            upstream = start_events(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
            upstream.wait_until_listening()
            bench.say(f"{count} event streams: direct")
            request = exchange(None, upstream.port, EVENTS)
            results[str(count)] = {DIRECT: _hold(bench, upstream, request, count)}
            for peer in peers:
                bench.say(f"{count} event streams: {peer.name}")
                # One at a time: idle, others still answer the kernel's every wake-up.
                with bench.started(upstream.port, [peer]) as started:
                    running = started[peer.name][1]
                    request = exchange(peer, upstream.port, EVENTS)
                    results[str(count)][peer.name] = _hold(bench, running, request, count)
    return results


def _most() -> int:
    """A proxied stream is two sockets, and a process may open only so many files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (files - _OTHER_FILES) // 2 // 100 * 100


def _hold(bench: Field, running: Running, request: Exchange, count: int) -> dict[str, Any]:
    _client(running, request, 1, 0.1).communicate()  # code that is loaded on first use
    before = usage.resident_bytes(running.pid)
    client = _client(running, request, count, bench.plan.stream_seconds)
    try:
        assert client.stdout is not None
        opened = client.stdout.readline()
        begun = usage.cpu_seconds(running.pid)
        out = client.communicate(timeout=_LIMIT)[0]
        cpu = usage.cpu_seconds(running.pid) - begun
        during = usage.peak_bytes(running.pid)
    finally:
        client.kill()
        client.wait()
    if opened.strip() != "OPEN" or not out.strip():
        raise WrongAnswer(f"{running.name}: the event client failed: {opened}{out}")
    result: dict[str, Any] = json.loads(out)
    result["bytes_per_stream"] = (during - before) / count
    result["cpu_share"] = cpu / bench.plan.stream_seconds
    return result


def _client(
    running: Running, request: Exchange, count: int, seconds: float
) -> subprocess.Popen[str]:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: 127.0.0.1:{running.port}"]
    lines += [f"{name}: {text}" for name, text in request.headers.items()]
    head = "\r\n".join([*lines, "Accept: text/event-stream", "", ""])
    client = subprocess.Popen(
        [sys.executable, str(_CLIENT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    asked = {"port": running.port, "request": head, "streams": count, "seconds": seconds}
    assert client.stdin is not None
    client.stdin.write(json.dumps(asked) + "\n")
    client.stdin.flush()
    return client
