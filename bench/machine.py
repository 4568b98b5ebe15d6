"""What it ran on: machine and versions, as the machine says them."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from .missing import Missing, program
from .peers import ROOT, npm

_PYTHON_PACKAGES = ("twisted", "treq", "klein", "httptools", "aiohttp")


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            [program(command[0]), *command[1:]], capture_output=True, text=True, timeout=10
        )
    except (Missing, OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip()


def _version(*command: str) -> str:
    found = re.search(r"\d+\.\d+[\w.]*", _output(*command))
    return found[0] if found else "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _python_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def describe(npm_folder: Path) -> dict[str, dict[str, str]]:
    """``machine`` and ``versions``, name to text."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "naap_twisted")
    return {
        "machine": {
            "CPU": _cpu_model(),
            "cores": str(os.cpu_count()),
            "memory": f"{memory / 2**30:.0f} GiB",
            "system": f"{platform.system()} {platform.release()}",
            "load before the run": f"{os.getloadavg()[0]:.2f}",
            "date": datetime.date.today().isoformat(),
        },
        "versions": {
            "naap_twisted": f"commit {commit}" + (" with changes" if changed else ""),
            "Python": platform.python_version(),
            **{name: _python_version(name) for name in _PYTHON_PACKAGES},
            "nginx": _version("nginx", "-v"),
            "Node": _version("node", "--version"),
            **npm.versions(npm_folder),
            "wrk": _version("wrk", "-v"),
        },
    }
