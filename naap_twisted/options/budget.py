"""The option ``budget``, of a route or of the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ..spend.budget import CALENDAR, CALLERS, UNITS, Budget, Window, nanos
from ..units import parse_duration
from .values import (
    NUMBER_OR_TEXT,
    TEXT,
    Kind,
    Surroundings,
    count,
    expected,
    list_of,
    object_schema,
    one_of,
    read_all,
    reads,
    reads_text,
    text,
)

#: Ten million dollars: sums of billionths stay whole numbers in every store up to there.
_MOST_USD = 10_000_000
_LEAST_ROLLING = 60.0
_LOCAL = Path("/etc/localtime")
_EXAMPLE = 'a table such as { tokens = 200_000, per = "day" }'


@reads("float | int | str | Decimal", NUMBER_OR_TEXT)
def usd(value: object) -> int:
    """Dollars, as billionths of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise expected("a number of US dollars", value)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("is not a number of US dollars, such as 5 or 0.25") from None
    if not amount.is_finite() or not 0 < amount <= _MOST_USD:
        raise ValueError(f"must be more than zero, and {_MOST_USD} US dollars at most")
    return nanos(amount)


@reads_text()
def per(written: str) -> tuple[str, int]:
    """A window's name, and its seconds where it rolls."""
    if written in CALENDAR:
        return written, 0
    listed = ", ".join(f'"{name}"' for name in CALENDAR)
    wrong = f'must be one of {listed}, or a duration such as "24h" for a window that rolls'
    try:
        seconds = parse_duration(written)
    except ValueError:
        raise ValueError(wrong) from None
    if not _LEAST_ROLLING <= seconds <= 400 * 86_400:
        raise ValueError("a window that rolls lasts from 1m to 400d")
    return written, int(seconds)


@reads_text()
def zone(written: str) -> tzinfo:
    """A time zone of the IANA database; ``local`` for the machine's own."""
    try:
        if written == "local":
            with _LOCAL.open("rb") as file:
                return ZoneInfo.from_file(file)
        return ZoneInfo(written)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(
            'is no time zone that this machine knows, such as "UTC", "Europe/Berlin" or "local"'
        ) from None


_UTC = zone("UTC")
_LIMITS: Mapping[str, Kind[int]] = {"requests": count, "tokens": count, "usd": usd}
_KINDS: Mapping[str, Kind[Any]] = {
    **_LIMITS,
    "per": per,
    "of": one_of(*CALLERS),
    "mode": one_of("enforce", "audit"),
    "zone": zone,
}


def _read_budget(value: object, surroundings: Surroundings) -> Budget:
    if isinstance(value, Budget):
        return value
    if not isinstance(value, Mapping):
        raise expected(_EXAMPLE, value)
    unknown = next((key for key in value if key not in _KINDS), None)
    if unknown is not None:
        raise ValueError(f"unknown key {text(unknown)!r}; the keys are {', '.join(_KINDS)}")
    units = [unit for unit in UNITS if unit in value]
    if len(units) != 1:
        raise ValueError(f"names one of {', '.join(UNITS)}; write {_EXAMPLE}")
    if "per" not in value:
        raise ValueError(f"lacks per; write {_EXAMPLE}")
    given = [key for key in _KINDS if key in value]
    read = dict(
        zip(
            given,
            read_all((f".{key}", partial(_KINDS[key], value[key], surroundings)) for key in given),
            strict=True,
        )
    )
    name, seconds = read["per"]
    if seconds and "zone" in read:
        raise ValueError("zone is of hours, days and months; a window that rolls has none")
    window = Window(name, seconds, read.get("zone", _UTC))
    return Budget(
        units[0],
        read[units[0]],
        window,
        read.get("of", "caller"),
        read.get("mode", "enforce") == "audit",
    )


_SCHEMA = object_schema(
    {
        **{key: kind.schema for key, kind in _KINDS.items()},
        "usd": NUMBER_OR_TEXT,
        "zone": TEXT,
    },
    ["per"],
)
_one = Kind(_read_budget, "Budget | Mapping[str, object]", _SCHEMA)
_many = list_of(_one, what="budgets")


def _read_budgets(value: object, surroundings: Surroundings) -> tuple[Budget, ...]:
    budgets = _many(value, surroundings)
    counted = Counter((b.unit, b.window.name, b.of, b.audit) for b in budgets)
    for (unit, name, of, _), times in counted.items():
        if times > 1:
            raise ValueError(
                f'has two budgets of {unit} per "{name}" of {of}; the lower one is enough'
            )
    return budgets


#: A list of budgets.
budget_list = Kind(_read_budgets, _many.annotation, _many.schema, ())
