"""What a process and its children used, as Linux counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """*pid* and its living descendants."""
    yield pid
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        for task in tasks:
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from family(int(child))
    except OSError:
        return  # it ended meanwhile


def cpu_seconds(pid: int) -> float:
    """User and system time so far: the process, its threads and its living descendants."""
    ticks = 0
    for member in family(pid):
        try:
            # The command name, in brackets, may hold anything; utime is the 12th field after it.
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def thread_seconds(pid: int) -> float:
    """User and system time of the process' first thread so far, finer than ticks tell it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid: int, key: str) -> int:
    total = 0
    for member in family(pid):
        try:
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
    return total * 1024


def resident_bytes(pid: int) -> int:
    """Resident memory now, descendants included."""
    return _memory(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most resident memory since the last :func:`reset_peak`, descendants included."""
    return _memory(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Begin a new peak (proc(5), ``clear_refs``)."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")
