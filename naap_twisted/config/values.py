"""One TOML value to one Python value. Pure; a parser raises ValueError with the reason.

A parser never quotes a value that could be a secret put in the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .. import units

T = TypeVar("T")
Parser = Callable[[object], T]

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
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
    """What *value* is, in the words of TOML."""
    return next((words for known, words in _KINDS if isinstance(value, known)), "a date or time")


def expected(wanted: str, value: object) -> ValueError:
    """The error for a value of the wrong type."""
    return ValueError(f"expected {wanted}, got {kind(value)}")


def text(value: object) -> str:
    """Any text, the empty one included."""
    if not isinstance(value, str):
        raise expected("text", value)
    return value


def name(value: object) -> str:
    """Text that goes to logs and /healthz: one to 100 printable characters."""
    parsed = text(value)
    if not parsed.strip() or len(parsed) > 100 or not parsed.isprintable():
        raise ValueError("must be 1 to 100 printable characters")
    return parsed


def flag(value: object) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def count(value: object) -> int:
    """A whole number above zero."""
    number = whole(value)
    if number <= 0:
        raise ValueError("must be more than zero")
    return number


def whole(value: object) -> int:
    """A whole number. TOML's ``true`` is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("a whole number", value)
    return value


def duration(value: object) -> float:
    """Seconds, see :func:`naap_twisted.units.parse_duration`."""
    try:
        return units.parse_duration(value)
    except OverflowError:
        raise ValueError("is too large") from None


def size(value: object) -> int:
    """Bytes, see :func:`naap_twisted.units.parse_size`."""
    try:
        return units.parse_size(value)
    except OverflowError:
        raise ValueError("is too large") from None


def list_of(item: Parser[T], *, what: str, empty: bool = True) -> Parser[tuple[T, ...]]:
    """A parser for a list of *item*; each bad item is a problem of its own."""

    def parse(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise expected(f"a list of {what}", value)
        if not value and not empty:
            raise ValueError(f"must list at least one of: {what}")
        parsed: list[T] = []
        flaws: list[tuple[str, str]] = []
        for index, element in enumerate(value):
            try:
                parsed.append(item(element))
            except ValueError as error:
                flaws += flaws_of(error, f"[{index}]")
        if flaws:
            raise Flaws(*flaws)
        return tuple(parsed)

    return parse


def one_or_list(item: Parser[T], *, what: str) -> Parser[tuple[T, ...]]:
    """A parser for one *item* written bare, or a list of at least one."""
    many = list_of(item, what=what, empty=False)

    def parse(value: object) -> tuple[T, ...]:
        return many(value) if isinstance(value, list) else (item(value),)

    return parse


def one_of(*choices: str) -> Parser[str]:
    """A parser for one of a few words."""
    wanted = ", ".join(f'"{choice}"' for choice in choices)

    def parse(value: object) -> str:
        parsed = text(value)
        if parsed not in choices:
            raise ValueError(f"must be one of {wanted}")
        return parsed

    return parse


def keys_of(value: object, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Check the keys of an inline table.

    :raises ValueError: not a table, or keys missing or unknown.
    """
    if not isinstance(value, dict):
        raise expected("a table", value)
    missing = [key for key in required if key not in value]
    unknown = [key for key in value if key not in required + optional]
    if missing or unknown:
        raise Flaws(
            *((f".{key}", "is missing") for key in missing),
            *((f".{key}", "unknown key") for key in unknown),
        )
