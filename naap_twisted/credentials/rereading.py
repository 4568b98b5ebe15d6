"""Options whose secrets stand in files, found and read again, wherever they are in an option."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, fields, has

from ..secret import Secret

T = TypeVar("T")
_OURS = __name__.partition(".")[0]


def _members(value: object) -> dict[Any, object]:
    """What *value* is made of, by the name or number of each; nothing for what is one thing."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return dict(enumerate(value))
    kind: Any = type(value)
    # An object of a plugin's own is none of ours to walk through: it may lead anywhere.
    if has(kind) and kind.__module__.partition(".")[0] == _OURS:
        return {each.name: getattr(value, each.name) for each in fields(kind) if each.init}
    return {}


def secrets_in_files(value: object) -> Iterator[Secret]:
    """The secrets in *value* that a file has a part in."""
    if isinstance(value, Secret):
        if value.files:
            yield value
        return
    for member in _members(value).values():
        yield from secrets_in_files(member)


def files_of(value: object) -> tuple[Path, ...]:
    """The files that secrets in *value* come from."""
    return tuple(dict.fromkeys(file for each in secrets_in_files(value) for file in each.files))


def read_again(value: T) -> T:
    """*value* with its secrets as their files have them now; *value* itself where none changed.

    :raises ValueError: a file can't be read, or holds no secret.
    """
    whole: Any = value
    if isinstance(whole, Secret):
        now = whole.read_again()
        return value if now == whole else now  # type: ignore[return-value]
    before = _members(whole)
    after = {name: read_again(member) for name, member in before.items()}
    if all(after[name] is before[name] for name in before):
        return value
    if isinstance(whole, Mapping):
        return after  # type: ignore[return-value]
    if isinstance(whole, tuple):
        return tuple(after.values())  # type: ignore[return-value]
    return evolve(whole, **after)  # type: ignore[no-any-return]
