"""How far estimates are from what vendors report: the table of docs/spend.md.

``measured.csv`` has sizes and reports of real exchanges, and no text of any: bytes of a question,
bytes and events of a model's words in the answer as the meter counts them, and the tokens that the
vendor reported. They are of recordings that the repository pydantic/pydantic-ai keeps for its own
tests (at 4fda38988f29); up to sixteen of each kind, evenly from the list of their names, without
questions that have an image or a sound.

``python -m tests.spend.measured`` prints the table.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from naap_twisted.spend.estimate import Estimator

_MEASURED = Path(__file__).with_name("measured.csv")
_HEAD = (
    *("vendor", "answers", "exchanges", "input: usual", "least .. most"),
    *("output: usual", "least .. most"),
)


def table() -> str:
    """In Markdown: what is estimated where nothing is reported, over what is."""
    with _MEASURED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        ratios = _ratios({name: int(row[name]) for name in row if row[name].isdigit()})
        groups.setdefault((row["vendor"], row["answer"]), []).append(ratios)
    lines = [_line(_HEAD), "|---|---" + "|---:" * (len(_HEAD) - 2) + "|"]
    for (vendor, answer), found in groups.items():
        inputs, outputs = zip(*found, strict=True)
        cells = (vendor, answer, str(len(found)), *_spread(inputs), *_spread(outputs))
        lines.append(_line(cells))
    return "\n".join(lines)


def _ratios(numbers: dict[str, int]) -> tuple[float, float]:
    estimator = Estimator()
    sent = estimator.text_tokens(numbers["question_bytes"])
    received = estimator.answer_tokens(numbers["answer_bytes"], numbers["events"])
    return sent / numbers["input"], received / numbers["output"]


def _spread(ratios: Sequence[float]) -> tuple[str, str]:
    ordered = sorted(ratios)
    return f"{ordered[len(ordered) // 2]:.2f}", f"{ordered[0]:.2f} .. {ordered[-1]:.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(table())
