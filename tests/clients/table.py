"""The tables of docs/clients.md: ``python -m tests.clients.table`` writes them.

Of clients, made from the client tests: a row is a test class; what works are the names of its
tests, and CI runs them all. Versions are those that CI installs. Of groups of endpoints, made from
the providers' files.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from naap_twisted.options.provider import parse_provider, provider_names, provider_text

from .support import REQUIREMENTS, ProviderStage

HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "docs" / "clients.md"
MARK = "<!-- clients: python -m tests.clients.table -->"
GROUPS_MARK = "<!-- groups: python -m tests.clients.table -->"
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


def groups_table() -> str:
    """The groups of each provider in Markdown, those that a page needs at least before others."""
    lines = ["| provider | least | further groups |", "|---|---|---|"]
    for name in provider_names():
        known = parse_provider(name, provider_text(name))
        others = [f"@{group}" for group in known.endpoints if f"@{group}" not in known.least]
        cells = (", ".join(f"`{group}`" for group in groups) for groups in (known.least, others))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the tables into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for mark, written in ((GROUPS_MARK, groups_table()), (MARK, table())):
        before, _, after = text.partition(mark + "\n")
        rest = after.lstrip("|").partition("\n\n")[2]
        text = f"{before}{mark}\n{written}\n{rest}"
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
