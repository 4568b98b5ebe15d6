"""wrk, closed loop: each connection sends its next request when the last one is answered."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import usage
from ..missing import program
from ..processes import Running

_SCRIPT = Path(__file__).with_name("exchange.lua")
_PATIENCE = 30


class WrongAnswer(Exception):
    """A proxy did not answer as the upstream does; the text says what came instead."""


@dataclass(frozen=True)
class Exchange:
    """A request and what a right answer is.

    :ivar body_size: send this many bytes instead of *body*.
    :ivar answer: the whole body, or its size.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    answer: bytes | int
    body: bytes = b""
    body_size: int = 0


@dataclass(frozen=True)
class Load:
    """What wrk saw, and what the proxy used meanwhile; times in microseconds.

    :ivar cpu_us: CPU of the proxy and its children, for each request.
    """

    requests: int
    seconds: float
    bytes: int
    p50_us: float
    p99_us: float
    cpu_us: float
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def check(port: int, exchange: Exchange) -> None:
    """One request.

    :raises WrongAnswer: it is not answered with 200 and the right body.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        body = b"x" * exchange.body_size if exchange.body_size else exchange.body
        connection.request(exchange.method, exchange.path, body or None, dict(exchange.headers))
        response = connection.getresponse()
        got = response.read()
    finally:
        connection.close()
    right = len(got) if isinstance(exchange.answer, int) else got
    if response.status != 200 or right != exchange.answer:
        raise WrongAnswer(f"{exchange.path}: {response.status}, {got[:300]!r}")


def drive(proxy: Running, exchange: Exchange, connections: int, seconds: int) -> Load:
    """Load *proxy* for *seconds*.

    :raises WrongAnswer: wrk failed, or nothing at all was answered.
    """
    environment = {
        "BENCH_METHOD": exchange.method,
        "BENCH_HEADERS": "".join(f"{name}: {text}\n" for name, text in exchange.headers.items()),
    }
    if exchange.body_size:
        environment["BENCH_BODY_SIZE"] = str(exchange.body_size)
    elif exchange.body:
        environment["BENCH_BODY"] = exchange.body.decode()
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={_PATIENCE}"]
    command += ["-s", str(_SCRIPT), f"http://127.0.0.1:{proxy.port}{exchange.path}"]
    before = usage.cpu_seconds(proxy.pid)
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=seconds + 3 * _PATIENCE,
    )
    cpu = usage.cpu_seconds(proxy.pid) - before
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result = json.loads(lines[0].removeprefix("RESULT ")) if lines else {"requests": 0}
    if not result["requests"]:
        raise WrongAnswer(f"{proxy.name}: wrk: {done.stdout[-500:]}{done.stderr[-500:]}")
    return Load(
        requests=result["requests"],
        seconds=result["microseconds"] / 1e6,
        bytes=result["bytes"],
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        cpu_us=cpu * 1e6 / result["requests"],
        errors={kind: count for kind, count in result["errors"].items() if count},
    )
