"""Results to ``docs/benchmarks.md`` and its plot. No figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from . import tables
from .chart import Bar, bars
from .missing import Missing
from .peers import ROOT
from .plan import FULL
from .scenarios import slow_reader, spend

HERE = Path(__file__).parent
LATEST = HERE / "results" / "latest.json"
QUICK_RESULTS = HERE / "results" / "quick.json"
DOCS = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"


def regenerate() -> None:
    """Write the docs and the plot from the stored results.

    :raises Missing: there are none.
    """
    if not LATEST.exists():
        raise Missing("no results yet: python -m bench")
    results = json.loads(LATEST.read_text())
    PLOT.write_text(plot(results))
    DOCS.write_text(page(results))
    print(f"wrote {DOCS.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}", flush=True)


def page(results: dict[str, Any]) -> str:
    """The document."""
    template = Template((HERE / "benchmarks.md.template").read_text())
    return template.substitute(
        targets=tables.targets(results)[0].markdown(),
        machine=_pairs(results["machine"]),
        versions=_pairs(results["versions"]),
        peers="\n".join(f"- **{name}**: {about}" for name, about in results["about"].items()),
        rounds=results["rounds"],
        seconds=results["seconds"],
        connections=", ".join(results["small"]),
        auth_rounds=FULL.auth_rounds,
        chat_streams=spend.STREAMS,
        bulk_rounds=FULL.bulk_rounds,
        stream_seconds=FULL.stream_seconds,
        readers=slow_reader.READERS,
        small=_sections(tables.small(results)),
        auth=_sections(tables.auth(results)),
        rules=_sections(tables.rules(results)),
        spend=_sections(tables.spend(results)) or "Not measured in this run.",
        bulk=_sections(tables.bulk(results)),
        streams=_sections(tables.streams(results)),
        slow=_sections(tables.slow(results)),
        start=_sections(tables.start(results)),
        profile=_sections(tables.profile(results)),
        profiled_us=f"{results['profile']['cpu_us']:.0f}",
        profiled_calls=f"{results['profile']['calls']:.0f}",
    )


def _pairs(values: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items())


def _sections(found: list[tables.Table]) -> str:
    return "\n\n".join(f"### {table.title}\n\n{table.markdown()}" for table in found)


def plot(results: dict[str, Any]) -> str:
    """CPU per small request and bulk throughput, as SVG."""
    panels = [
        (
            "CPU per small JSON request, 32 connections (us; less is better)",
            _bars(results["small"]["32"], "cpu_us"),
        ),
        ("10 MB download, 8 clients (MB/s; more is better)", _bars(results["download"], "mb_s")),
        ("10 MB upload, 8 clients (MB/s; more is better)", _bars(results["upload"], "mb_s")),
    ]
    return bars(panels)


def _bars(rows: dict[str, Any], key: str) -> list[Bar]:
    return [
        (name, row[key]["median"], row[key]["min"], row[key]["max"])
        for name, row in rows.items()
        if name != "direct"
    ]
