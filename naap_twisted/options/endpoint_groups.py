"""The groups of endpoints that a route names, such as ``"@chat"``, and what its provider means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import partial

from . import values
from .provider import Provider


def expanded(entries: Sequence[str], provider: Provider | None) -> tuple[str, ...]:
    """*entries* with the endpoints of a group in the place of its name, each endpoint once.

    :param entries: endpoints as texts, and ``"@name"`` for a group of *provider*'s.
    :raises ValueError: an entry names no group; each such entry is a problem of its own.
    """
    readers = (partial(_endpoints_of, entry, provider) for entry in entries)
    found = values.read_all((f"[{index}]", read) for index, read in enumerate(readers))
    return tuple(dict.fromkeys(text for texts in found for text in texts))


def _endpoints_of(entry: str, provider: Provider | None) -> Iterable[str]:
    if not entry.startswith("@"):
        return (entry,)
    shown = entry if len(entry) <= 64 and entry.isprintable() else ascii(entry[:64])
    if provider is None:
        raise ValueError(
            f'"{shown}" needs provider, whose file has the groups;'
            ' write endpoints such as "POST /chat/completions"'
        )
    groups = provider.endpoints
    if entry[1:] in groups:
        return groups[entry[1:]]
    if not groups:
        raise ValueError(f'"{shown}": provider "{provider.name}" has no groups')
    near = difflib.get_close_matches(entry[1:65].lower(), groups, n=1)
    hint = f'did you mean "@{near[0]}"?' if near else f"there are {_listed(groups)}"
    raise ValueError(f'"{shown}": {hint}')


def _listed(groups: Iterable[str]) -> str:
    return ", ".join(f'"@{name}"' for name in groups)


def least_lines(provider: Provider) -> list[str]:
    """Lines of a route in TOML: ``endpoints`` with the least that *provider*'s pages need.

    A comment names the other groups. No line where the file says no least.
    """
    if not provider.least:
        return []
    others = [f"@{name}" for name in provider.endpoints if f"@{name}" not in provider.least]
    listed = ", ".join(f'"{name}"' for name in provider.least)
    more = f"; there are also {', '.join(others)}" if others else ""
    return [
        f"# What pages may call{more}.",
        f"endpoints = [{listed}]",
    ]
