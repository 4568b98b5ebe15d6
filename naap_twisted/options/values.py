"""The kinds of values that options have: how one is read, from a file or from code.

A reader raises ValueError with the reason, and never quotes a value that could be a secret put in
the wrong place. What it takes it also tells: as an annotation for code, as JSON Schema for files.
"""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from .. import units
from ..errors import ConfigError

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
    :ivar annotation: what code may give, as an annotation.
    :ivar schema: what a file may hold, as JSON Schema.
    :ivar nothing: the value where nobody gave one: false, an empty text or list, or ``None``.
    """

    read: Callable[[object, Surroundings], T] = field(repr=False)
    annotation: str
    schema: Schema
    nothing: object = None

    def __call__(self, value: object, surroundings: Surroundings | None = None) -> T:
        """:raises ValueError: the reason."""
        try:
            return self.read(value, surroundings or here())
        except OverflowError:
            raise ValueError("is too large") from None


def reads(annotation: str, schema: Schema) -> Callable[[Callable[[object], T]], Kind[T]]:
    """Makes a kind of a function that looks at the value alone."""
    return lambda parse: Kind(lambda value, _: parse(value), annotation, schema)


def reads_files(
    annotation: str, schema: Schema
) -> Callable[[Callable[[object, Surroundings], T]], Kind[T]]:
    """Makes a kind of a function that reads the environment or files, too."""
    return lambda read: Kind(read, annotation, schema)


def reads_text(**schema: object) -> Callable[[Callable[[str], T]], Kind[T]]:
    """Makes a kind of a function of a text; what is no text never reaches the function."""
    return lambda parse: Kind(lambda value, _: parse(text(value)), "str", {**TEXT, **schema}, "")


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


def object_schema(properties: Mapping[str, Schema], required: list[str]) -> dict[str, Any]:
    """The JSON Schema of a table that has no other keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


class Flaws(ValueError):
    """Several problems inside one value.

    :ivar flaws: pairs of the path below the value (``"[0]"``, ``".name"``) and the reason.
    """

    def __init__(self, *flaws: tuple[str, str]) -> None:
        self.flaws = flaws
        super().__init__("; ".join(": ".join(filter(None, flaw)) for flaw in flaws))


def flaws_of(error: ValueError, below: str = "") -> list[tuple[str, str]]:
    """What *error* says, one pair a problem, as seen from one level further out."""
    if isinstance(error, Flaws):
        return [(below + where, reason) for where, reason in error.flaws]
    return [(below, str(error))]


def read_all(readers: Iterable[tuple[str, Callable[[], T]]]) -> list[T]:
    """What every reader makes; the problems of all of them are told together.

    :param readers: pairs of the path below the value and the reader of what is there.
    """
    parsed: list[T] = []
    flaws: list[tuple[str, str]] = []
    for below, read in readers:
        try:
            parsed.append(read())
        except ValueError as error:
            flaws += flaws_of(error, below)
    if flaws:
        raise Flaws(*flaws)
    return parsed


@contextmanager
def option_left_out() -> Iterator[None]:
    """Another part's ConfigError leaves as a ValueError, without the name that its line opens with.

    The reader's caller knows the option's place and puts it before the reason.
    """
    try:
        yield
    except ConfigError as error:
        raise ValueError(error.problems[0].partition(": ")[2]) from None


def expected(wanted: str, value: object) -> ValueError:
    """The error for a value of the wrong type, which is named in the words of TOML if it can be."""
    names = (words for known, words in _KINDS if isinstance(value, known))
    return ValueError(f"expected {wanted}, got {next(names, type(value).__name__)}")


def unreadable(path: Path, error: Exception) -> ValueError:
    """The error for a file that *error* keeps from being read."""
    return ValueError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")


def _typed(known: type[T], wanted: str, schema: Schema, nothing: object = None) -> Kind[T]:
    def read(value: object, _: Surroundings) -> T:
        # TOML's true is no number, though Python's is one.
        if not isinstance(value, known) or (isinstance(value, bool) and known is not bool):
            raise expected(wanted, value)
        return value

    return Kind(read, known.__name__, schema, nothing)


#: Any text, the empty one included.
text = _typed(str, "text", TEXT, "")
flag = _typed(bool, "true or false", {"type": "boolean"}, False)
integer = _typed(int, "a whole number", {"type": "integer"})


@reads_text(minLength=1, maxLength=100)
def name(written: str) -> str:
    """Text that goes to logs and /healthz: one to 100 printable characters."""
    if not written.strip() or len(written) > 100 or not written.isprintable():
        raise ValueError("must be 1 to 100 printable characters")
    return written


@reads("int", {"type": "integer", "minimum": 1})
def count(value: object) -> int:
    """A whole number above zero."""
    number = integer(value)
    if number <= 0:
        raise ValueError("must be more than zero")
    return number


def upto(most: int) -> Kind[int]:
    """A whole number from zero to *most*."""

    @reads("int", {"type": "integer", "minimum": 0, "maximum": most})
    def parse(value: object) -> int:
        number = integer(value)
        if not 0 <= number <= most:
            raise ValueError(f"must be 0 to {most}")
        return number

    return parse


#: Seconds and bytes, see :mod:`naap_twisted.units`.
duration = reads("float | str", NUMBER_OR_TEXT)(units.parse_duration)
size = reads("int | str", {"type": ["integer", "string"]})(units.parse_size)


def list_of(item: Kind[T], *, what: str, empty: bool = True) -> Kind[tuple[T, ...]]:
    """A list of *item*; each bad item is a problem of its own."""

    def read(value: object, surroundings: Surroundings) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple)):
            raise expected(f"a list of {what}", value)
        if not value and not empty:
            raise ValueError(f"must list at least one of: {what}")
        readers = (partial(item, element, surroundings) for element in value)
        return tuple(read_all((f"[{index}]", read) for index, read in enumerate(readers)))

    least = {} if empty else {"minItems": 1}
    annotation = f"Sequence[{item.annotation}]"
    return Kind(read, annotation, {"type": "array", "items": item.schema, **least}, ())


def one_or_list(item: Kind[T], *, what: str) -> Kind[tuple[T, ...]]:
    """One *item* written bare, or a list of at least one."""
    many = list_of(item, what=what, empty=False)

    def read(value: object, surroundings: Surroundings) -> tuple[T, ...]:
        if isinstance(value, (list, tuple)):
            return many(value, surroundings)
        return (item(value, surroundings),)

    schema = {"anyOf": [item.schema, many.schema]}
    return Kind(read, f"{item.annotation} | {many.annotation}", schema, ())


def one_of(*choices: str) -> Kind[str]:
    """One of a few words."""
    wanted = ", ".join(f'"{choice}"' for choice in choices)

    @reads(f"Literal[{wanted}]", {"enum": list(choices)})
    def parse(value: object) -> str:
        if text(value) not in choices:
            raise ValueError(f"must be one of {wanted}")
        return text(value)

    return parse


def optional(kind: Kind[T]) -> Kind[T | None]:
    """*kind*, or ``None`` in code, where a file leaves the key out."""

    def read(value: object, surroundings: Surroundings) -> T | None:
        return None if value is None else kind(value, surroundings)

    return Kind(read, f"{kind.annotation} | None", kind.schema)


def instance(known: type[T]) -> Kind[T | None]:
    """An object that only code can give, of a class or with the methods of a protocol; or none."""
    article = "an" if known.__name__.startswith("I") else "a"

    @reads(f"{known.__name__} | None", {})
    def parse(value: object) -> T | None:
        # The class itself has a protocol's methods, too, and is a likely slip.
        if value is None or (isinstance(value, known) and not isinstance(value, type)):
            return value
        raise expected(f"{article} {known.__name__}", value)

    return parse


_DEEPEST = 16


@reads("Mapping[str, object]", {"type": "object"})
def json_object(value: object) -> dict[str, object]:
    """A table that JSON can hold: of text, numbers, true and false, lists and tables."""
    if not isinstance(value, Mapping):
        raise expected("a table", value)
    plain: dict[str, object] = _plain(value, _DEEPEST)
    return plain


def _plain(value: object, depth: int) -> Any:
    if depth == 0:
        raise ValueError(f"is nested deeper than {_DEEPEST} levels")
    if isinstance(value, Mapping):
        return {text(key): _plain(member, depth - 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member, depth - 1) for member in value]
    finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, str | bool | int | float) and finite:
        return value
    raise expected("text, a finite number, true, false, a list or a table", value)


def table_of(
    may: Mapping[str, Kind[Any]] | None = None, /, **members: Kind[Any]
) -> Kind[dict[str, Any]]:
    """An inline table that has to have all of *members*, and has no other key.

    :param may: keys that can be left out; what is read lacks them then.
    """
    kinds = {**members, **(may or {})}

    def read(value: object, surroundings: Surroundings) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise expected("a table", value)
        flaws = [(f".{key}", "is missing") for key in members if key not in value]
        flaws += [(f".{key}", "unknown key") for key in value if key not in kinds]
        if flaws:
            raise Flaws(*flaws)
        given = {key: kind for key, kind in kinds.items() if key in value}
        readers = {key: partial(kind, value[key], surroundings) for key, kind in given.items()}
        parsed = read_all((f".{key}", read) for key, read in readers.items())
        return dict(zip(given, parsed, strict=True))

    properties = {key: kind.schema for key, kind in kinds.items()}
    return Kind(read, "Mapping[str, object]", object_schema(properties, list(members)))
