"""Walking a table by its schema."""

from pathlib import Path
from typing import ClassVar

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.option import option
from naap_twisted.options.read import Problems, read_section, refuse_unknown
from naap_twisted.options.values import TEXT, Surroundings, count, list_of, reads_files, text

AROUND = Surroundings(Path("/etc"), {"A": "1"})


@reads_files("str", TEXT)
def _where(value: object, surroundings: Surroundings) -> str:
    return f"{surroundings.directory}/{value}"


@frozen
class Sample:
    section: ClassVar[str] = "s"
    path: str = option(text, "Where.", required=True)
    limits: tuple[int, ...] = option(list_of(count, what="numbers"), "How many.", default=(7,))
    file: str = option(_where, "Which.", default="", unset="")


class ReadTests(SynchronousTestCase):
    def read(self, table: object) -> tuple[Sample, list[str]]:
        problems = Problems()
        return read_section(Sample, table, "s", AROUND, problems), problems.lines

    def test_good(self) -> None:
        """Values are parsed, defaults fill the rest."""
        self.assertEqual(self.read({"path": "/a"}), (Sample("/a"), []))
        full = {"path": "/a", "limits": [1, 2], "file": "k"}
        self.assertEqual(self.read(full), (Sample("/a", (1, 2), "/etc/k"), []))

    def test_every_problem_is_noted(self) -> None:
        """Unknown, missing and bad keys: one line each; a bad key stands at its default."""
        sample, lines = self.read({"limit": 1, "limits": [0, 1, "x"]})
        self.assertEqual(sample, Sample())
        self.assertEqual(
            lines,
            [
                's.limit: unknown key; did you mean "limits"?',
                "s.path: is missing",
                "s.limits[0]: must be more than zero",
                "s.limits[2]: expected a whole number, got text",
            ],
        )

    def test_not_a_table(self) -> None:
        """Anything but a table is one problem, not one for every key."""
        self.assertEqual(self.read(3)[1], ["s: expected a table, got a whole number"])


class UnknownTests(SynchronousTestCase):
    def test_hints(self) -> None:
        """The nearest key is named; where none is near, none is."""
        table = [
            ("allowedHosts", 'did you mean "allowed_hosts"?'),
            ("alowed_hosts", 'did you mean "allowed_hosts"?'),
            ("timeuot", 'did you mean "timeout"?'),
            ("zzz", "unknown key"),
        ]
        for key, hint in table:
            problems = Problems()
            refuse_unknown([key], ["allowed_hosts", "timeout"], "proxy[0].", problems)
            (line,) = problems.lines
            self.assertTrue(line.startswith(f"proxy[0].{key}: unknown key"), line)
            self.assertTrue(line.endswith(hint), line)

    def test_one_line_each(self) -> None:
        """A key that holds a line end does not make a line of its own."""
        problems = Problems()
        refuse_unknown(["a\nb", "x" * 500], [], "", problems)
        self.assertEqual(len("\n".join(problems.lines).splitlines()), 2)
        self.assertLess(max(map(len, problems.lines)), 100)


class ProblemsTests(SynchronousTestCase):
    def test_touch(self) -> None:
        """A key is touched by its own problems and by those inside it, not by its namesakes."""
        problems = Problems()
        problems.add("proxy[1].forward_headers.X-A", "no")
        for path in ("proxy", "proxy[1]", "proxy[1].forward_headers"):
            self.assertTrue(problems.touch(path), path)
        for path in ("proxy[0]", "proxy[1].forward", "server", "proxy[1].forward_headers.X"):
            self.assertFalse(problems.touch(path), path)
