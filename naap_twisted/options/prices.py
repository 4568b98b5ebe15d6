"""Prices of models, as ``[prices]`` of a config and the package's own table have them."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, partial
from importlib import resources
from typing import Any

from ..spend.prices import TIMES, Above, Price, PriceList, Prices
from . import values
from .values import Kind, Surroundings, expected

_MOST = 1_000_000
_MOST_DECIMALS = 20
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_BARE = re.compile(r"[\w-]+", re.ASCII)


@values.reads("Decimal | float | str", values.NUMBER_OR_TEXT)
def money(value: object) -> Decimal:
    """US dollars: a number, or one as text, which is exact in any language."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise expected('a number such as 0.15, or "0.15"', value)
    too_much = f"must be at most {_MOST:,}: it is in US dollars for a million tokens"
    if isinstance(value, int) and value > _MOST:
        raise ValueError(too_much)
    if _NUMBER.fullmatch(str(value)) is None:
        raise ValueError('must be a number from zero up, such as 0.15 or "0.15"')
    amount = Decimal(str(value))
    if amount > _MOST:
        raise ValueError(too_much)
    exponent = amount.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _MOST_DECIMALS:
        raise ValueError(f"must have at most {_MOST_DECIMALS} decimals")
    return amount


def _table(required: tuple[str, ...], members: Mapping[str, Kind[Any]]) -> Kind[dict[str, Any]]:
    """A table with some of *members*, whose unknown keys are told with the nearest one."""

    def read(value: object, surroundings: Surroundings) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise expected("a table such as { input = 0.15, output = 0.6 }", value)
        flaws = [(f".{key}", "is missing") for key in required if key not in value]
        flaws += [(_below(key), _unknown(key, members)) for key in value if key not in members]
        if flaws:
            raise values.Flaws(*flaws)
        kinds = {key: members[key] for key in value}
        readers = [(f".{key}", partial(kinds[key], value[key], surroundings)) for key in kinds]
        return dict(zip(kinds, values.read_all(readers), strict=True))

    properties = {key: kind.schema for key, kind in members.items()}
    return Kind(read, "Mapping[str, object]", values.object_schema(properties, list(required)))


def _unknown(key: object, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(str(key).lower()[:64], known, n=1)
    return f'unknown key; did you mean "{near[0]}"?' if near else "unknown key"


def _below(key: object) -> str:
    """The place of *key* below its table, as TOML would write it."""
    text = str(key)
    if _BARE.fullmatch(text):
        return f".{text[:100]}"
    return f".{json.dumps(text[:100])}"


_AMOUNTS = (
    *("input", "cached_input", "cache_write", "output"),
    *("audio_input", "audio_output", "image_input"),
)
_RATES = dict.fromkeys(_AMOUNTS, money)
_PLAIN = ("input", "output")
_LONG = _table(("input_tokens", *_PLAIN), {"input_tokens": values.count, **_RATES})
_MEMBERS: dict[str, Kind[Any]] = {**_RATES, **dict.fromkeys(TIMES, money), "above": _LONG}
_BY_TOKEN = _table(_PLAIN, _MEMBERS)
# What is paid by its length may have tokens that cost nothing.
_BY_TIME = _table((), _MEMBERS)
_SCHEMA = {"anyOf": [_BY_TOKEN.schema, *({**_BY_TIME.schema, "required": [n]} for n in TIMES)]}


def _price(value: object, surroundings: Surroundings) -> Price:
    times = [name for name in TIMES if isinstance(value, Mapping) and name in value]
    if len(times) > 1:
        raise ValueError(f"has {' and '.join(times)}; a recording has one price")
    read = (_BY_TIME if times else _BY_TOKEN)(value, surroundings)
    if times:
        read = {"input": Decimal(0), "output": Decimal(0), **read}
    above = read.pop("above", None)
    if above is None:
        return Price(**read)
    return Price(**read, above=Above(above.pop("input_tokens"), Price(**above)))


def _prices(value: object, surroundings: Surroundings) -> dict[str, Price]:
    if not isinstance(value, Mapping):
        raise expected("a table of models", value)
    readers = [
        (_below(model), partial(_priced, model, entry, surroundings))
        for model, entry in value.items()
    ]
    return dict(zip(value, values.read_all(readers), strict=True))


def _priced(model: object, entry: object, surroundings: Surroundings) -> Price:
    name = values.text(model)
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise ValueError("is not the name of a model: 1 to 200 printable characters")
    if "*" in name[:-1]:
        raise ValueError('has a "*" that is not its last character')
    return _price(entry, surroundings)


#: A table of prices by the model's name, whose last character may be a ``*``.
price_table: Kind[dict[str, Price]] = Kind(
    _prices,
    "Mapping[str, object]",
    {"type": "object", "additionalProperties": _SCHEMA},
    {},
)


@cache
def shipped_prices() -> Mapping[str, PriceList]:
    """The package's own prices, by the name of a provider."""
    file = resources.files("naap_twisted").joinpath("spend", "prices.toml")
    return price_lists(file.read_text(encoding="utf-8"))


def price_lists(written: str) -> dict[str, PriceList]:
    """The lists of a file such as the package's, in TOML.

    :raises ValueError: it is none.
    """
    lists: dict[str, PriceList] = {}
    for provider, table in tomllib.loads(written, parse_float=Decimal).items():
        known = lists[table["same_as"]].models if "same_as" in table else {}
        as_of, models = table["as_of"], price_table(table["models"])
        if type(as_of) is not date:
            raise expected("a date", as_of)
        lists[provider] = PriceList(table["source"], table["page"], as_of, {**known, **models})
    return lists


def prices_with(own: Mapping[str, Price]) -> Prices:
    """A user's prices, and the package's behind them."""
    return Prices(own, shipped_prices())
