"""The table of docs/clients.md, made from the client tests: ``python -m tests.clients.table``.

A row is a test class; what works are the names of its tests, and CI runs them all. Versions are
those that CI installs.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .support import REQUIREMENTS, ProviderStage

HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "docs" / "clients.md"
MARK = "<!-- clients: python -m tests.clients.table -->"
_LOCK = HERE.parent / "browser" / "package.json"


def stages() -> Iterator[type[ProviderStage]]:
    """The test classes of stock clients, by module."""
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(f"{__package__}.{path.stem}")
        for value in vars(module).values():
            own = getattr(value, "__module__", "") == module.__name__
            if own and isinstance(value, type) and "client" in vars(value):
                yield value


def versions() -> dict[tuple[str, str], str]:
    """The pinned version of each package, by registry and name: some are in both."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = (re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", line) for line in lines)
    pinned = {("PyPI", pin[1]): pin[2] for pin in pins if pin}
    listed = json.loads(_LOCK.read_text(encoding="utf-8"))["dependencies"]
    return pinned | {("npm", name): version for name, version in listed.items()}


def table() -> str:
    """The table in Markdown."""
    known = versions()
    lines = ["| client | version | provider | what works |", "|---|---|---|---|"]
    for stage in stages():
        client = stage.client
        names = [name for name in dir(stage) if name.startswith("test_")]
        ordered = sorted(names, key=lambda name: _ORDER.get(name, name))
        words = ", ".join(name.removeprefix("test_").replace("_", " ") for name in ordered)
        where = "in a page" if client.in_page else _WHERE.get(client.registry, "command")
        variant = f", {client.variant}" if client.variant else ""
        package = f"`{client.package}` ({where}{variant})"
        pinned = client.registry in _WHERE
        version = known[client.registry, client.package] if pinned else f"{client.registry}'s"
        provider = f"`{stage.provider}`" if stage.provider else ""
        lines.append(
            f"| {package} | {version if client.registry else 'its own'} | {provider} | {words} |"
        )
    return "\n".join(lines) + "\n"


_WHERE = {"PyPI": "Python", "npm": "Node"}
_USUAL = ("chat", "stream", "list", "upload", "error", "retry", "cancel", "token")
_ORDER = {f"test_{word}": f" {place}" for place, word in enumerate(_USUAL)}


def main() -> int:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, after = text.partition(MARK + "\n")
    rest = after.lstrip("|").partition("\n\n")[2]
    DOCUMENT.write_text(f"{before}{MARK}\n{table()}\n{rest}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
