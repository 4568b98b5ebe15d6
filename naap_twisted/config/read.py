"""Tables walked by their schema: every problem is noted, none ends the walk."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs

from .secrets import Surroundings
from .unbuilt import refusal
from .values import expected, flaws_of

Section = TypeVar("Section", bound=attrs.AttrsInstance)


class Problems:
    """What is wrong with a config, in the order it was found.

    :ivar lines: ``"proxy[0].timeout: must be more than zero"``.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._paths: list[str] = []

    def add(self, path: str, reason: str) -> None:
        """Note one problem of the key at *path*."""
        self._paths.append(path)
        self.lines.append(f"{path}: {reason}")

    def touch(self, path: str) -> bool:
        """Whether a problem of *path* or of something inside it is noted."""
        return any(re.match(re.escape(path) + r"(?![\w-])", noted) for noted in self._paths)


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
        problems.add(f"{path}{_shown(key)}", f"unknown key{hint}")


def _shown(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,64}", key, re.ASCII) else ascii(key[:64])


def read_section(
    schema: type[Section], table: object, path: str, surroundings: Surroundings, problems: Problems
) -> Section:
    """*table* as an instance of *schema*; a bad key is noted and stands at its default."""
    if not isinstance(table, Mapping):
        problems.add(path, str(expected("a table", table)))
        return schema()
    fields = attrs.fields_dict(schema)
    refuse_unknown(table, fields, f"{path}.", problems)
    values: dict[str, Any] = {}
    for key, attribute in fields.items():
        where = f"{path}.{key}"
        if key in table:
            try:
                values[key] = _parse(attribute, table[key], surroundings)
            except ValueError as error:
                for below, reason in flaws_of(error):
                    problems.add(where + below, reason)
                continue
        elif attribute.metadata.get("required"):
            problems.add(where, "is missing")
            continue
        unbuilt = refusal(re.sub(r"\[\d+\]", "[]", where), values.get(key, attribute.default))
        if unbuilt is not None:
            problems.add(where, unbuilt)
    return schema(**values)


def _parse(attribute: Any, value: object, surroundings: Surroundings) -> Any:
    parse = attribute.metadata["parse"]
    return parse(value, surroundings) if attribute.metadata.get("local") else parse(value)
