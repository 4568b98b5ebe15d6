"""docs/architecture.md shows the rooms that there are; tests/test_docs.py looks for its files."""

import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "naap_twisted"
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def layers() -> list[str]:
    """The layers of the package, highest first, as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (rooms,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return list(rooms)


class ArchitectureTests(SynchronousTestCase):
    maxDiff = None

    def test_the_picture(self) -> None:
        """The block under ``<!-- rooms -->`` is the list of layers, one a line."""
        picture = re.search(r"<!-- rooms -->\n```text\n(.*?)\n```", DOCUMENT, re.DOTALL)
        assert picture is not None
        self.assertEqual(picture[1].splitlines(), layers())

    def test_a_row_for_each_room(self) -> None:
        """The table under it says of each folder what belongs there, and of no other."""
        table = DOCUMENT.partition("| room |")[2].partition("\n## ")[0]
        rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
        folders = [name for row in rows for name in re.findall(r"`(\w+)/`", row)]
        there = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
        self.assertEqual(sorted(folders), sorted(there))

    def test_types(self) -> None:
        """Every class that the way of a request names is one."""
        way = DOCUMENT.partition("## The way of a request")[2].partition("\n## ")[0]
        source = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
        classes = {name for name in re.findall(r"`([A-Z]\w+)`", way) if name != "None"}
        self.assertGreater(len(classes), 10)
        foreign = {"IResponse"}  # Twisted's own
        missing = [name for name in classes - foreign if f"class {name}" not in source]
        self.assertEqual(sorted(missing), [])
