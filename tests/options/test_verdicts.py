"""Every value gets the same verdict in the same words: from code, from a file, check and start."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from naap_twisted import ConfigError, create_external_proxy, create_plugin_server
from naap_twisted.config import parse_config
from naap_twisted.options.code import ROUTE_KEYWORDS, SERVER_KEYWORDS
from naap_twisted.options.option import options_of
from naap_twisted.options.route import RouteOptions
from naap_twisted.options.server import SECTIONS
from naap_twisted.start.assembly import checked_server
from naap_twisted.start.cli import main
from naap_twisted.start.twistd import Options, makeService

from .verdict_vectors import ENVIRON, KEY, ROWS, SECRET, Row, file_of, given, write

PLACES = {
    each.place: each for part in (*SECTIONS, RouteOptions) for each in options_of(part).values()
}
NAMES = {each.place: each.keyword or each.key for each in PLACES.values()}


CHECK = ("from naap_twisted.start.cli import main; raise SystemExit(main())", "check")
START = ("-n", "--pidfile=", "naap-proxy", "--config")
TWISTD = ("from twisted.scripts.twistd import run; run()", *START)


def in_code(line: str) -> str:
    """A line about a file with the option's name as code has it."""
    if line.startswith("prices"):
        return line  # a table of the file itself, of one name in code
    line = line.replace("proxy[0].", "proxy.", 1)
    found = re.match(r"\w+\.[A-Za-z_]+", line)
    assert found is not None, line
    return NAMES.get(found[0], found[0].partition(".")[2]) + line[found.end() :]


def words_of(attempt: Callable[[], object]) -> list[str]:
    try:
        attempt()
    except ConfigError as error:
        return list(error.problems)
    return []


def by_code(row: Row) -> list[str]:
    """The lines that code is refused with."""
    options = {"server": {}, "proxy": {}}
    path = ""
    for place, value in given(row).items():
        if place == "auth.mode":
            options["server"].setdefault("require_auth", value != "none")
        elif place == "proxy.path":
            path = value
        else:
            section = "proxy" if place.startswith("proxy.") else "server"
            options[section][NAMES.get(place, place.partition(".")[2])] = value
    made: list[Any] = []
    lines = words_of(lambda: made.append(create_plugin_server(**options["server"])))
    lines += words_of(lambda: made.append(create_external_proxy(**options["proxy"])))
    if not lines:
        server, proxy = made
        lines = words_of(lambda: server.mount(path, proxy))
        if not lines:
            lines = words_of(server.check_start)
            lines = [re.sub(r"^.*?authorize: ", "authorize: ", line) for line in lines]
    return lines


def by_file(row: Row) -> list[str]:
    """The lines that the file's text is refused with."""
    return words_of(lambda: checked_server(parse_config(file_of(row))))


def by_check(path: Path) -> list[str]:
    """What ``naap-proxy check`` prints of it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["check", str(path)])
    lines = err.getvalue().splitlines() if status else []
    assert bool(status) == bool(lines), (status, lines)
    return lines


class VerdictTests(TestCase):
    """The table, door by door."""

    maxDiff = None

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        self.patch(os, "environ", {**os.environ, **ENVIRON})

    def wrong(self, row: Row, lines: list[str]) -> str:
        """What is wrong with a verdict itself; ``""`` if nothing is."""
        if row.good == bool(lines):
            return f"{row}: {lines or 'taken'}"
        place = row.tells or row.place
        name = NAMES.get(place, place.partition(".")[2])
        if lines and not any(re.match(rf"{name}(?![\w-])", line) for line in lines):
            return f"{row}: not told by its name: {lines}"
        if any(secret in line for line in lines for secret in (KEY, SECRET)):
            return f"{row}: a secret is shown"
        return "".join(f"{row}: {line!r}" for line in lines if not line.isprintable())

    async def by_start(self, path: Path) -> list[str]:
        """What a start says; one that is let through listens, and is stopped again."""
        options = Options()
        options.parseOptions(["--config", str(path)])
        try:
            (server,) = makeService(options)
        except SystemExit as error:
            return str(error).splitlines()
        server.privilegedStartService()
        server.startService()
        self.assertTrue(server.addresses())
        stopped = server.stopService()
        server.hurry()
        await stopped
        return []

    def test_enough(self) -> None:
        """Over 400 inputs, and every option that a file has is among them."""
        self.assertGreater(len(ROWS), 400)
        asked = {row.place for row in ROWS}
        every = {place for place, each in PLACES.items() if each.in_file}
        self.assertEqual(every - asked, set())

    async def test_four_doors(self) -> None:
        """One verdict, one wording."""
        wrong = []
        for row in ROWS:
            path = write(row, self.folder)
            told = {
                "file": [in_code(line) for line in by_file(row)],
                "check": [in_code(line) for line in by_check(path)],
                "start": [in_code(line) for line in await self.by_start(path)],
            }
            place = PLACES.get(row.place)
            if place is None or place.keyword or place.key == "path":
                told["code"] = by_code(row)
            if len({tuple(sorted(lines)) for lines in told.values()}) > 1:
                wrong.append(f"{row}: {told}")
            elif self.wrong(row, told["file"]):
                wrong.append(self.wrong(row, told["file"]))
        self.assertEqual(wrong, [], "\n".join([f"{len(wrong)} rows", *wrong]))

    def test_keywords(self) -> None:
        """A keyword that no door knows is refused with the nearest that one knows."""
        for door, known, typo in (
            (create_plugin_server, SERVER_KEYWORDS, "server_nams"),
            (create_external_proxy, ROUTE_KEYWORDS, "forward_header"),
        ):
            self.assertNotIn(typo, known)
            (line,) = [
                line
                for line in words_of(lambda door=door, typo=typo: door(name="x", **{typo: 1}))
                if line.startswith(typo)
            ]
            self.assertIn("unknown key; did you mean", line)

    def test_processes(self) -> None:
        """A sample through real processes: what check prints is what the start dies with."""
        for place in ("proxy.timeout", "proxy.allowed_hosts", "server.listen", "server.workers"):
            row = next(row for row in ROWS if row.place == place and not row.good)
            path = write(row, self.folder)
            lines = by_file(row)
            for program, *arguments in (CHECK, TWISTD):
                done = subprocess.run(
                    [sys.executable, "-c", program, *arguments, str(path)],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.assertEqual((done.returncode, done.stderr.splitlines()), (1, lines))
