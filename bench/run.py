"""One run: everything in turn, each scenario with fresh processes."""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import machine
from .field import Field
from .missing import Missing, program
from .peers import DOWNLOAD, NAMES, OURS, PEERS, UPLOAD, npm
from .plan import Plan
from .report import LATEST, QUICK_RESULTS, regenerate
from .scenarios import auth, bulk, profile, rules, slow_reader, small, spend, startup, streams
from .tables import as_text

_FILES = 65_536

#: Name on the command line -> keys of the results and what measures them, in order.
SCENARIOS: dict[str, dict[str, Callable[[Field], Any]]] = {
    "start": {"startup": startup.measure},
    "small": {"small": small.measure},
    "auth": {"auth": auth.measure},
    "rules": {"rules": rules.measure},
    "spend": {"spend": spend.measure},
    "bulk": {
        "download": lambda bench: bulk.measure(bench, DOWNLOAD),
        "upload": lambda bench: bulk.measure(bench, UPLOAD),
    },
    "streams": {"streams": streams.measure},
    "slow": {"slow_reader": slow_reader.measure},
    "profile": {"profile": profile.measure},
}


def run(
    plan: Plan,
    *,
    peers_folder: Path | None = None,
    only: tuple[str, ...] = (),
    scenarios: tuple[str, ...] = (),
) -> None:
    """Measure, print the tables; a full run also writes results and docs.

    :param only: peers by name; empty for all.
    :param scenarios: by name; empty for all.
    :raises Missing: a program, a package, or a name that does not exist.
    """
    unknown = [*set(only).difference(NAMES), *set(scenarios).difference(SCENARIOS)]
    if unknown:
        raise Missing(f"unknown: {', '.join(unknown)}")
    wanted = only or plan.peers or NAMES
    peers = tuple(peer for peer in PEERS if peer.name in wanted)
    folder = peers_folder or npm.default_folder()
    _prepare({peer.name for peer in peers}, folder)
    results: dict[str, Any] = {"plan": plan.name, "rounds": plan.rounds, "seconds": plan.seconds}
    results |= machine.describe(folder)
    results["about"] = {peer.name: peer.about for peer in peers}
    with tempfile.TemporaryDirectory(prefix="naap-bench-") as temporary:
        bench = Field(plan, peers, Path(temporary), folder)
        for name, measures in SCENARIOS.items():
            if scenarios and name not in scenarios:
                continue
            if name in ("profile", "auth") and OURS not in peers:
                continue
            for key, measure in measures.items():
                results[key] = measure(bench)
        bench.say("done")
    print(as_text(results))
    if only or scenarios:
        return
    where = LATEST if plan.name == "full" else QUICK_RESULTS
    where.write_text(json.dumps(results, indent=1) + "\n")
    if where is LATEST:
        regenerate()


def part_only(plan: Plan, part: str) -> None:
    """Print a part that is about ours alone; into the stored results and docs as well."""
    _prepare(set(), None)
    with tempfile.TemporaryDirectory(prefix="naap-bench-") as temporary:
        bench = Field(plan, (OURS,), Path(temporary), npm.default_folder())
        measured = SCENARIOS[part][part](bench)
    print(as_text({part: measured}))
    if LATEST.exists():
        results = json.loads(LATEST.read_text())
        results[part] = measured
        LATEST.write_text(json.dumps(results, indent=1) + "\n")
        regenerate()


def _prepare(peers: set[str], folder: Path | None) -> None:
    for name in ("nginx", "wrk"):
        program(name)
    if folder is not None and any("cors" in name or "http-proxy" in name for name in peers):
        program("node")
        npm.install(folder)
    if "aiohttp" in peers:
        try:
            import aiohttp  # noqa: F401
        except ImportError:
            raise Missing("aiohttp is missing: pip install -e '.[bench]'") from None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = max(hard, _FILES)
    for limit in (wanted, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
        except (ValueError, PermissionError):
            continue  # raising the hard limit is root's, and not everywhere
