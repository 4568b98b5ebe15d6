"""``naap-proxy learn``: from the logs of observing routes to the least policy of each."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator

from ..policy.endpoints import Endpoint
from ..policy.learned import NAMESPACE, Learned, Sighting
from ..policy.least import least_policy

LEARNED, NOTHING, UNREADABLE = 0, 1, 2
_MOST_TOLD = 5
# Only the first [system] of a line is the observer's; what follows may hold anybody's text. So does
# a line that goes on from the one before: twistd puts a tab before it.
_TEXT_LINE = re.compile(
    r"(?:(?!#[a-z]+\])[^\t])*\d\d:\d\d:\d\d[+-]\d{4} " rf"\[{re.escape(NAMESPACE)}#info\] (.*)"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "logs",
        metavar="LOG",
        nargs="+",
        help="a log, as text or as JSON lines; - is standard input",
    )
    parser.add_argument("--route", metavar="PATH", help="only this one, such as /openai")


def run(options: Namespace) -> int:
    """Print the policy of each route; what was read, and what could not be, goes to stderr."""
    found: dict[str, Learned] = {}
    for name in options.logs:
        try:
            _read(name, found)
        except OSError as error:
            _tell(f"{name}: {error.strerror}")
            return UNREADABLE
    wanted = [route for route in sorted(found) if _is_meant(route, options.route)]
    if not wanted:
        where = f"; there is {', '.join(map(ascii, found))}" if found else ""
        _tell(f"nothing was seen on {options.route or 'a route with observe = true'}{where}")
        return NOTHING
    print("\n\n".join("\n".join(least_policy(found[route])) for route in wanted))
    return LEARNED


def _is_meant(route: str, wanted: str | None) -> bool:
    return wanted is None or route == wanted or (wanted[:1] == "/" and route.endswith(wanted))


def _read(name: str, found: dict[str, Learned]) -> None:
    """Add the sightings of one log to *found*, by route.

    :raises OSError: it can't be read.
    """
    if name == "-":
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
        _note(name, sys.stdin, found)
        return
    with open(name, encoding="utf-8", errors="replace") as log:
        _note(name, log, found)


def _note(name: str, log: Iterable[str], found: dict[str, Learned]) -> None:
    lines, noted, odd = 0, 0, []
    for lines, line in enumerate(log, 1):
        for text in messages(line):
            try:
                sighting = _sighting(text)
            except ValueError as error:
                odd.append(f"{name}:{lines}: left out, {error}")
                continue
            noted += 1
            found.setdefault(sighting.route, Learned(sighting.route)).add(sighting)
    for told in odd[:_MOST_TOLD]:
        _tell(told)
    more = f"; {len(odd)} were left out" if odd else ""
    _tell(f"{name}: {lines} lines, {noted} of them of observing routes{more}")


def _sighting(text: str) -> Sighting:
    """The sighting of a line, whose endpoint a config would take.

    :raises ValueError: it is none.
    """
    sighting = Sighting.parse(text)
    if sighting.endpoint:
        Endpoint.parse(sighting.endpoint)
    # Whoever wrote the line, no more than a name gets into a config.
    return sighting.noted()


def messages(line: str) -> Iterator[str]:
    """The message of a log's *line*, where an observing route wrote it."""
    if NAMESPACE not in line:
        return
    if line.startswith("{"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if event.get("system") == NAMESPACE:
            yield str(event.get("message"))
        return
    if written := _TEXT_LINE.match(line):
        yield written[1]


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
