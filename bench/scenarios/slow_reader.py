"""Clients that hardly read a 100 MB answer: what the proxy holds for each."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from .. import usage
from ..field import Field, exchange
from ..load.wrk import Exchange, check
from ..peers import DOWNLOAD, JSON
from ..processes import Processes, Running
from ..upstreams import start_nginx

#: Several, for one client's share is less than the noise of a process's resident memory.
READERS = 8
_READ = 16 * 1024
_PAUSE = 0.1


def measure(bench: Field) -> dict[str, Any]:
    """``{peer: {bytes_per_reader}}``; the kernel's socket buffers are not in it."""
    with Processes() as processes:
        upstream = start_nginx(processes, Path(tempfile.mkdtemp(dir=bench.folder)))
        upstream.wait_until_listening()
        peers = [peer for peer in bench.memory_peers() if peer.streams]
        with bench.started(upstream.port, peers) as started:
            results = {}
            for name, (peer, running) in started.items():
                bench.say(f"slow readers: {name}")
                check(running.port, exchange(peer, upstream.port, JSON))
                request = exchange(peer, upstream.port, DOWNLOAD, "/file/huge")
                results[name] = {"bytes_per_reader": _read(bench, running, request)}
            return results


def _read(bench: Field, running: Running, request: Exchange) -> float:
    lines = [f"GET {request.path} HTTP/1.1", f"Host: 127.0.0.1:{running.port}"]
    lines += [f"{name}: {text}" for name, text in request.headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    before = usage.resident_bytes(running.pid)
    usage.reset_peak(running.pid)
    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(READERS):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            reader.settimeout(10)
            reader.connect(("127.0.0.1", running.port))
            reader.sendall(head)
            readers.append(reader)
        end = time.monotonic() + bench.plan.slow_seconds
        while time.monotonic() < end:
            for reader in readers:
                if not reader.recv(_READ):
                    raise ConnectionError(f"{running.name} ended a slow reader's answer")
            time.sleep(_PAUSE)
        return (usage.peak_bytes(running.pid) - before) / READERS
