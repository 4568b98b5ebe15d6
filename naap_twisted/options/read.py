"""Tables read by their description: every problem is noted, none ends the walk."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from ..errors import ConfigError
from .option import options_of
from .values import Surroundings, expected, flaws_of

Section = TypeVar("Section", bound=attrs.AttrsInstance)


class Problems:
    """What is wrong with some options, in the order it was found.

    :param spell: a place of a file, such as ``"auth.secret[0]"``, as whoever gave it wrote it.
    :ivar lines: ``"proxy[0].timeout: must be more than zero"``.
    """

    def __init__(self, spell: Callable[[str], str] = str) -> None:
        self.lines: list[str] = []
        self._spell = spell
        self._paths: list[str] = []

    def add(self, path: str, reason: str) -> None:
        """Note one problem of the option at *path*."""
        self._paths.append(path)
        self.lines.append(f"{self._spell(path)}: {reason}")

    @contextmanager
    def noting(self, path: str) -> Iterator[None]:
        """A ValueError that is raised inside becomes a problem of the option at *path*."""
        try:
            yield
        except ValueError as error:
            for below, reason in flaws_of(error, path):
                self.add(below, reason)

    def touch(self, *paths: str) -> bool:
        """Whether a problem of one of *paths*, or of something inside one, is noted."""
        return any(
            re.match(re.escape(path) + r"(?![\w-])", noted)
            for path in paths
            for noted in self._paths
        )

    def refuse(self) -> None:
        """:raises ConfigError: something is noted."""
        if self.lines:
            raise ConfigError(*self.lines)


def refuse_unknown(
    table: Iterable[str], known: Iterable[str], path: str, problems: Problems
) -> None:
    """Note every key of *table* that is not *known*, with the nearest one that is."""
    known = tuple(known)
    for key in table:
        if key in known:
            continue
        near = difflib.get_close_matches(key.lower(), known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        shown = key if re.fullmatch(r"[\w-]{1,64}", key, re.ASCII) else ascii(key[:64])
        problems.add(f"{path}{shown}", f"unknown key{hint}")


def read_section(
    section: type[Section], table: object, path: str, surroundings: Surroundings, problems: Problems
) -> Section:
    """*table* of a file as an instance of *section*; a bad key is noted and stays unset."""
    if not isinstance(table, Mapping):
        problems.add(path, str(expected("a table", table)))
        return section()
    options = options_of(section)
    known = {key: about for key, about in options.items() if about.in_file}
    refuse_unknown((key for key in table if key not in options), known, f"{path}.", problems)
    for key, about in options.items():
        if key in table and not about.in_file:
            hint = f"; in a file write {about.instead}" if about.instead else ""
            problems.add(f"{path}.{key}", f"is for code only{hint}")
    for key, about in known.items():
        if about.required and key not in table:
            problems.add(f"{path}.{key}", "is missing")
    named = {key: value for key, value in table.items() if key in known}
    return read_values(section, named, path, surroundings, problems)


def read_values(
    section: type[Section],
    table: Mapping[str, object],
    path: str,
    surroundings: Surroundings,
    problems: Problems,
) -> Section:
    """The values that somebody gave for keys of *section*, read in the order of its options.

    :param path: the section's; ``""`` for what stands at the top of a file.
    """
    values: dict[str, Any] = {}
    for key, about in options_of(section).items():
        if key not in table:
            continue
        with problems.noting(f"{path}.{key}" if path else key):
            values[key] = about.kind(table[key], surroundings)
    return section(**values)
