"""Where in a config file a problem is: the line of the place that the problem names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PIECE = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")
# What opens and closes values of several lines. Brackets in texts and comments are not among it.
_TOKEN = re.compile(
    r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]{}]',
)


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each table and key of TOML *text*, by its place: ``proxy[1].key``.

    It is for people: it reads what TOML allows well enough to point at it, and judges nothing.
    """
    lines: dict[str, int] = {}
    tables: Counter[str] = Counter()
    within, current = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not within:
            table, key = _TABLE.match(line), _KEY.match(line)
            if table is not None:
                current = _table(table[1] == "[[", table[2], tables)
                lines.setdefault(current, number)
                continue
            if key is not None:
                pieces = _PIECE.findall(key[1])
                lines.setdefault(".".join(filter(None, [current, *map(_plain, pieces)])), number)
        within = _open_at_end(line, within)
    return lines


def _plain(piece: str) -> str:
    return piece.strip("\"'")


def _table(is_list: bool, written: str, tables: Counter[str]) -> str:
    """The place of a table's head; tables below ``[[proxy]]`` belong to the last one."""
    place = ""
    pieces = [_plain(piece) for piece in _PIECE.findall(written)]
    for position, piece in enumerate(pieces):
        place = f"{place}.{piece}" if place else piece
        if is_list and position == len(pieces) - 1:
            tables[place] += 1
        if tables[place]:
            place += f"[{tables[place] - 1}]"
    return place


def _open_at_end(line: str, within: str) -> str:
    """What is open at the end of *line*: brackets, or the quotes of a text of several lines."""
    if within in ('"""', "'''"):
        _, found, rest = line.partition(within)
        return _open_at_end(rest, "") if found else within
    depth = within
    for match in _TOKEN.finditer(line):
        token = match[0]
        if token in ('"""', "'''"):
            return _open_at_end(line[match.end() :], token) or depth
        if token in "[{":
            depth += token
        elif token in "]}":
            depth = depth[:-1]
    # A table's head is no value; its brackets close on its line.
    return depth


def located_in(path: Path, problems: Sequence[str], name: str) -> list[str]:
    """*problems* of the config at *path* as :func:`located` has them, or as they are without it."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return [*problems]  # They say so themselves.
    return [*located(problems, text, name)]


def located(problems: Iterable[str], text: str, name: str) -> Iterator[str]:
    """Each of *problems*, after the file's *name* and the line of what it is about."""
    lines = lines_of(text)
    for problem in problems:
        place = problem.partition(":")[0]
        while place and place not in lines:
            place = re.sub(r"(?:\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", place)
        yield f"{name}:{lines[place]}: {problem}" if place else f"{name}: {problem}"
