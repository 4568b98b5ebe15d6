"""The kinds of values that options have: how one is read, from a file or from code.

A reader raises ValueError with the reason, and never quotes a value that could be a secret put in
the wrong place. What it takes it also tells: as an annotation for code, as JSON Schema for files.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from .. import units

T = TypeVar("T")
Schema = Mapping[str, Any]


@frozen
class Surroundings:
    """What a value may refer to.

    :ivar directory: relative paths start here: the config file's own directory.
    :ivar environ: the environment variables.
    """

    directory: Path
    environ: Mapping[str, str] = field(repr=False)


def here() -> Surroundings:
    """The surroundings of values that code gives: this process's own."""
    return Surroundings(Path.cwd(), os.environ)


@frozen
class Kind(Generic[T]):
    """One kind of value.

    :ivar read: makes the value, or raises ValueError with the reason.
    :ivar given: what code may give, as an annotation.
    :ivar schema: what a file may hold, as JSON Schema.
    """

    read: Callable[[object, Surroundings], T] = field(repr=False)
    given: str
    schema: Schema

    def __call__(self, value: object, surroundings: Surroundings | None = None) -> T:
        """:raises ValueError: the reason."""
        return self.read(value, surroundings or here())


def reads(given: str, schema: Schema) -> Callable[[Callable[[object], T]], Kind[T]]:
    """Makes a kind of a function that looks at the value alone."""
    return lambda parse: Kind(lambda value, _: parse(value), given, schema)


def reads_files(
    given: str, schema: Schema
) -> Callable[[Callable[[object, Surroundings], T]], Kind[T]]:
    """Makes a kind of a function that reads the environment or files, too."""
    return lambda read: Kind(read, given, schema)


TEXT: Schema = {"type": "string"}
NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    ((list, tuple), "a list"),
    (Mapping, "a table"),
    ((datetime.date, datetime.time), "a date or time"),
    (type(None), "nothing"),
)


class Flaws(ValueError):
    """Several problems inside one value.

    :ivar flaws: pairs of the path below the value (``"[0]"``, ``".name"``) and the reason.
    """

    def __init__(self, *flaws: tuple[str, str]) -> None:
        self.flaws = flaws
        super().__init__("; ".join(f"{where}: {reason}" for where, reason in flaws))


def flaws_of(error: ValueError, below: str = "") -> list[tuple[str, str]]:
    """What *error* says, one pair a problem, as seen from one level further out."""
    if isinstance(error, Flaws):
        return [(below + where, reason) for where, reason in error.flaws]
    return [(below, str(error))]


def kind(value: object) -> str:
    """What *value* is, in the words of TOML where it has some."""
    found = (words for known, words in _KINDS if isinstance(value, known))
    return next(found, type(value).__name__)


def expected(wanted: str, value: object) -> ValueError:
    """The error for a value of the wrong type."""
    return ValueError(f"expected {wanted}, got {kind(value)}")


@reads("str", TEXT)
def text(value: object) -> str:
    """Any text, the empty one included."""
    if not isinstance(value, str):
        raise expected("text", value)
    return value


@reads("str", {**TEXT, "minLength": 1, "maxLength": 100})
def name(value: object) -> str:
    """Text that goes to logs and /healthz: one to 100 printable characters."""
    parsed = text(value)
    if not parsed.strip() or len(parsed) > 100 or not parsed.isprintable():
        raise ValueError("must be 1 to 100 printable characters")
    return parsed


@reads("bool", {"type": "boolean"})
def flag(value: object) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


@reads("int", {"type": "integer", "minimum": 1})
def count(value: object) -> int:
    """A whole number above zero."""
    number = whole(value)
    if number <= 0:
        raise ValueError("must be more than zero")
    return number


@reads("int", {"type": "integer"})
def whole(value: object) -> int:
    """A whole number. TOML's ``true`` is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("a whole number", value)
    return value


@reads("float | str", NUMBER_OR_TEXT)
def duration(value: object) -> float:
    """Seconds, see :func:`naap_twisted.units.parse_duration`."""
    try:
        return units.parse_duration(value)
    except OverflowError:
        raise ValueError("is too large") from None


@reads("int | str", {"type": ["integer", "string"]})
def size(value: object) -> int:
    """Bytes, see :func:`naap_twisted.units.parse_size`."""
    try:
        return units.parse_size(value)
    except OverflowError:
        raise ValueError("is too large") from None


def list_of(item: Kind[T], *, what: str, empty: bool = True) -> Kind[tuple[T, ...]]:
    """A list of *item*; each bad item is a problem of its own."""

    def read(value: object, surroundings: Surroundings) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple)):
            raise expected(f"a list of {what}", value)
        if not value and not empty:
            raise ValueError(f"must list at least one of: {what}")
        parsed: list[T] = []
        flaws: list[tuple[str, str]] = []
        for index, element in enumerate(value):
            try:
                parsed.append(item(element, surroundings))
            except ValueError as error:
                flaws += flaws_of(error, f"[{index}]")
        if flaws:
            raise Flaws(*flaws)
        return tuple(parsed)

    least = {} if empty else {"minItems": 1}
    given = f"Sequence[{item.given}]"
    return Kind(read, given, {"type": "array", "items": item.schema, **least})


def one_or_list(item: Kind[T], *, what: str) -> Kind[tuple[T, ...]]:
    """One *item* written bare, or a list of at least one."""
    many = list_of(item, what=what, empty=False)

    def read(value: object, surroundings: Surroundings) -> tuple[T, ...]:
        if isinstance(value, (list, tuple)):
            return many(value, surroundings)
        return (item(value, surroundings),)

    return Kind(read, f"{item.given} | {many.given}", {"anyOf": [item.schema, many.schema]})


def one_of(*choices: str) -> Kind[str]:
    """One of a few words."""
    wanted = ", ".join(f'"{choice}"' for choice in choices)

    @reads(f"Literal[{wanted}]", {"enum": list(choices)})
    def parse(value: object) -> str:
        parsed = text(value)
        if parsed not in choices:
            raise ValueError(f"must be one of {wanted}")
        return parsed

    return parse


def optional(kind: Kind[T]) -> Kind[T | None]:
    """*kind*, or ``None`` in code, where a file leaves the key out."""

    def read(value: object, surroundings: Surroundings) -> T | None:
        return None if value is None else kind(value, surroundings)

    return Kind(read, f"{kind.given} | None", kind.schema)


def instance(known: type[T]) -> Kind[T | None]:
    """An object that only code can give, or ``None``."""

    @reads(f"{known.__name__} | None", {})
    def parse(value: object) -> T | None:
        if value is not None and not isinstance(value, known):
            raise expected(f"a {known.__name__}", value)
        return value

    return parse


def provider(interface: type[T]) -> Kind[T | None]:
    """An object that only code can give, with the methods of a protocol; or ``None``."""

    @reads(f"{interface.__name__} | None", {})
    def parse(value: object) -> T | None:
        # The class itself has the methods, too, and is a likely slip.
        if value is None or (isinstance(value, interface) and not isinstance(value, type)):
            return value
        raise expected(f"an {interface.__name__}", value)

    return parse


def keys_of(value: object, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Check the keys of an inline table.

    :raises ValueError: not a table, or keys missing or unknown.
    """
    if not isinstance(value, Mapping):
        raise expected("a table", value)
    missing = [key for key in required if key not in value]
    unknown = [key for key in value if key not in required + optional]
    if missing or unknown:
        raise Flaws(
            *((f".{key}", "is missing") for key in missing),
            *((f".{key}", "unknown key") for key in unknown),
        )
