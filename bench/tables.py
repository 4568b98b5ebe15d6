"""Results as tables: rows of text, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .targets import judged

Results = dict[str, Any]
_OURS = "ours"


@dataclass(frozen=True)
class Table:
    """A titled table; the first column is text, the others are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For a terminal."""
        lines = [list(self.head), *map(list, self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        out = [self.title, "-" * len(self.title)]
        for line in lines:
            first, *rest = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            out.append("  ".join([first, *rest]).rstrip())
        return "\n".join(out) + "\n"

    def markdown(self) -> str:
        """For the docs."""
        out = ["| " + " | ".join(self.head) + " |", "|---" + "|---:" * (len(self.head) - 1) + "|"]
        out += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(out)


def spread(value: dict[str, float], scale: float = 1.0, digits: int = 0) -> str:
    """``median (min .. max)``."""
    low, middle, high = (f"{value[key] * scale:,.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} ({low} .. {high})"


def ratio(ours: float | None, other: float) -> str:
    """Ours over the peer's; empty where there is nothing to compare."""
    return "" if ours is None or not other else f"{ours / other:.2f}"


def _median(rows: Results, peer: str, key: str) -> float | None:
    return rows[peer][key]["median"] if peer in rows else None


def small(results: Results) -> list[Table]:
    """One table for each number of connections."""
    tables = []
    for connections, rows in results.get("small", {}).items():
        ours = _median(rows, _OURS, "cpu_us")
        lines = []
        for name, row in rows.items():
            direct = name == "direct"
            lines.append(
                [
                    name,
                    spread(row["cpu_us"]) if not direct else "",
                    ratio(ours, row["cpu_us"]["median"]) if not direct else "",
                    spread(row["rate"]),
                    spread(row["p50_us"]) if direct else spread(row["added_p50_us"]),
                    spread(row["p99_us"]) if direct else spread(row["added_p99_us"]),
                    str(row["errors"]),
                ]
            )
        head = [
            "",
            "CPU us/request",
            "ours/its",
            "requests/s",
            "p50 added us",
            "p99 added us",
            "errors",
        ]
        title = f"Small JSON exchange, {connections} connection{'s' * (connections != '1')}"
        tables.append(Table(title, head, lines))
    return tables


def auth(results: Results) -> list[Table]:
    """With and without a session."""
    title = "Small JSON exchange, 32 connections, with and without a session"
    return _beside(results.get("auth", {}), title, "auth")


def _beside(found: Mapping[str, Any], title: str, what: str) -> list[Table]:
    """Cases, and what each adds to the one that it is measured against."""
    lines = [
        [
            name,
            spread(row["cpu_us"]),
            spread(row["added_cpu_us"], digits=1) if "added_cpu_us" in row else "",
            spread(row["rate"]),
            str(row["errors"]),
        ]
        for name, row in found.items()
    ]
    head = [what, "CPU us/request", "added us", "requests/s", "errors"]
    return [Table(title, head, lines)] if lines else []


def rules(results: Results) -> list[Table]:
    """With and without rules of a route."""
    title = "Small JSON exchange, 32 connections, with and without rules"
    return _beside(results.get("rules", {}), title, "rules")


def spend(results: Results) -> list[Table]:
    """The ledger's steps, and a metered event."""
    found = results.get("spend")
    if not found:
        return []
    ledger, trips = found["ledger"], f"{found['ledger']['trips']:.3g}"
    rows = [
        ["reserve and settle, in memory", spread(ledger["memory"], digits=1), ""],
        ["a round trip to Redis, of a script that does nothing", spread(ledger["trip"]), "1"],
        ["reserve in Redis, beyond a round trip", spread(ledger["reserve"], digits=1), trips],
        ["settle in Redis, beyond a round trip", spread(ledger["settle"], digits=1), trips],
    ]
    events = [
        [
            name,
            spread(row["cpu_us"], digits=1),
            spread(row["added_cpu_us"], digits=1) if "added_cpu_us" in row else "",
            spread(row["ratio"], digits=2) if "ratio" in row else "",
        ]
        for name, row in found["events"].items()
    ]
    return [
        Table("The ledger", ["", "CPU us", "round trips"], rows),
        Table("An event of a stream", ["", "CPU us/event", "added us", "ratio"], events),
    ]


def bulk(results: Results) -> list[Table]:
    """Down and up."""
    tables = []
    for kind in ("download", "upload"):
        rows = results.get(kind, {})
        ours = _median(rows, _OURS, "mb_s")
        lines = [
            [
                name,
                spread(row["mb_s"]),
                ratio(ours, row["mb_s"]["median"]),
                spread(row["cpu_ms"], digits=1) if name != "direct" else "",
                f"{row['growth_bytes'] / 1e6:.1f}" if name != "direct" else "",
                str(row["errors"]),
            ]
            for name, row in rows.items()
        ]
        head = ["", "MB/s", "ours/its", "CPU ms each", "peak memory growth, MB", "errors"]
        if lines:
            tables.append(Table(f"10 MB {kind}, 8 clients", head, lines))
    return tables


def streams(results: Results) -> list[Table]:
    """One table for each number of streams."""
    head = ["", "worst ms late", "p99 ms late", "median ms late", "KB each", "CPU, cores", "lost"]
    tables = []
    for count, rows in results.get("streams", {}).items():
        lines = [
            [
                name,
                *(_milliseconds(row[key]) for key in ("worst", "p99", "median")),
                f"{row['bytes_per_stream'] / 1e3:.1f}" if name != "direct" else "",
                f"{row['cpu_share']:.2f}" if name != "direct" else "",
                str(row["closed"] + row["missed"] + row["never_opened"]),
            ]
            for name, row in rows.items()
        ]
        tables.append(Table(f"{int(count):,} event streams, an event a second each", head, lines))
    return tables


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.1f}"


def start(results: Results) -> list[Table]:
    """Start-up and idle memory."""
    lines = [
        [name, spread(row["seconds"], digits=2), spread(row["idle_bytes"], 1e-6, 1)]
        for name, row in results.get("startup", {}).items()
    ]
    title = "Start to listening, and memory then"
    return [Table(title, ["", "seconds", "MB resident"], lines)] if lines else []


def slow(results: Results) -> list[Table]:
    """Slow readers."""
    lines = [
        [name, f"{row['bytes_per_reader'] / 1e3:,.0f}"]
        for name, row in results.get("slow_reader", {}).items()
    ]
    title = "A slow reader of a 100 MB answer"
    return [Table(title, ["", "KB held in the process"], lines)] if lines else []


def targets(results: Results) -> list[Table]:
    """Each target and its verdict."""
    lines = [
        [row["title"], row["figure"], row["must"], row["aim"], row["verdict"]]
        for row in judged(results)
    ]
    return [Table("Targets", ["", "measured", "must", "aim", "verdict"], lines)]


def profile(results: Results) -> list[Table]:
    """By layer, by function."""
    found = results.get("profile")
    if not found:
        return []
    layers = [[row["layer"], f"{row['us']:.1f}", f"{row['share']:.0%}"] for row in found["layers"]]
    functions = [
        [f"`{row['function']}`", f"{row['us']:.1f}", f"{row['share']:.1%}", f"{row['calls']:.1f}"]
        for row in found["functions"]
    ]
    heads = [
        [name, *(f"{row[key]:.1f}" for key in ("first", "again", "c"))]
        for name, row in found.get("heads", {}).items()
    ]
    return [
        Table("By layer", ["", "us/request", "share"], layers),
        Table("Dearest functions, their own time", ["", "us", "share", "calls/request"], functions),
        Table("Reading a head, us", ["", "ours, new lines", "ours, known", "C parser"], heads),
    ]


def as_text(results: Results) -> str:
    """All that was measured, for a terminal."""
    parts = [start, small, auth, rules, spend, bulk, streams, slow, profile]
    tables = [table for part in parts for table in part(results)]
    if "plan" in results:
        tables += targets(results)
    return "\n" + "\n".join(table.text() for table in tables)
