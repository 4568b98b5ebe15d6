"""``naap-proxy prices``: what a million tokens cost, as this server counts it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter

from ..config import load_config
from ..options.server import no_own_prices
from ..spend.prices import STALE_DAYS, Price, PriceList, Prices, priced_as
from .assembly import import_from_here

PRINTED, USAGE = 0, 2
_COLUMNS = {
    "input": "input",
    "cached_input": "cached",
    "cache_write": "written",
    "output": "output",
    "audio_input": "audio in",
    "audio_output": "audio out",
    "image_input": "image in",
    "per_second": "a second",
    "per_minute": "a minute",
    "per_hour": "an hour",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    about = "whose [prices] go before the package's own"
    parser.add_argument("config", metavar="CONFIG", nargs="?", help=about)
    parser.add_argument("--provider", metavar="NAME", help="only this one's, and your own")
    parser.add_argument("--json", action="store_true", help="as JSON, amounts as text")


def run(options: Namespace) -> int:
    """Print the prices in effect; that a list is old goes to stderr.

    :raises ConfigError: the config can't be used.
    """
    prices = no_own_prices()
    if options.config is not None:
        import_from_here()
        prices = load_config(options.config).prices
    lists = prices.shipped
    if options.provider is not None:
        if options.provider not in lists:
            known = ", ".join(lists)
            print(f"provider: no prices are shipped for it; there are {known}", file=sys.stderr)
            return USAGE
        lists = {options.provider: lists[options.provider]}
    shown = Prices(prices.own, lists)
    today = datetime.now(UTC).date()
    print(as_json(shown, today) if options.json else "\n".join(as_text(shown, today)))
    for line in stale(lists, today):
        print(line, file=sys.stderr)
    return PRINTED


def stale(lists: Mapping[str, PriceList], today: date) -> Iterator[str]:
    """One line about the lists that are older than :data:`STALE_DAYS`, if there are any."""
    old = [name for name, listed in lists.items() if listed.age(today) > STALE_DAYS]
    if old:
        yield (
            f"warning: over {STALE_DAYS} days old: {', '.join(old)};"
            " compare with the vendor's page, and write what has changed in [prices]"
        )


def as_text(prices: Prices, today: date) -> Iterator[str]:
    """The tables for people: the user's own first, then each provider's."""
    yield "US dollars for a million tokens, or for a time"
    if prices.own:
        yield "\nyour own, in [prices]"
        yield from _table(prices.own, "* ")
    for name, listed in prices.shipped.items():
        yield f"\n{name}: {listed.as_of}, {_days(listed.age(today))}, from {listed.source}"
        yield f"the vendor's page: {listed.page}"
        yield from _table(_in_effect(prices, listed), "  ")


def _days(age: int) -> str:
    return f"{age} day{'' if age == 1 else 's'} old"


def _in_effect(prices: Prices, listed: PriceList) -> dict[str, Price]:
    """Those of a list in whose place no price of the user's stands."""
    return {
        model: price
        for model, price in listed.models.items()
        if priced_as(model, prices.own) is None
    }


def _table(models: Mapping[str, Price], mark: str) -> Iterator[str]:
    shown = [name for name in _COLUMNS if any(map(attrgetter(name), models.values()))]
    rows = [("model", *(_COLUMNS[name] for name in shown))]
    for model, price in models.items():
        rows.append((model, *_cells(price, shown)))
        if price.above is not None:
            above = f"  over {price.above.input_tokens:,} tokens in"
            rows.append((above, *_cells(price.above.price, shown)))
    width = max(len(row[0]) for row in rows)
    for index, row in enumerate(rows):
        first = mark if index and not row[0].startswith(" ") else "  "
        amounts = "".join(cell.rjust(11) for cell in row[1:])
        yield f"{first}{row[0].ljust(width)}{amounts}".rstrip()


def _cells(price: Price, columns: Sequence[str]) -> list[str]:
    amounts = (getattr(price, column) for column in columns)
    return ["" if amount is None else _amount(amount) for amount in amounts]


def _amount(amount: Decimal) -> str:
    """The shortest text of an amount, without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json(prices: Prices, today: date) -> str:
    """The same for programs."""
    providers = {
        name: {
            "source": listed.source,
            "page": listed.page,
            "as_of": listed.as_of.isoformat(),
            "age_days": listed.age(today),
            "models": _members(_in_effect(prices, listed)),
        }
        for name, listed in prices.shipped.items()
    }
    return json.dumps({"own": _members(prices.own), "providers": providers}, indent=2)


def _members(models: Mapping[str, Price]) -> dict[str, dict[str, object]]:
    return {model: _member(price) for model, price in models.items()}


def _member(price: Price) -> dict[str, object]:
    amounts = {column: getattr(price, column) for column in _COLUMNS}
    member: dict[str, object] = {
        column: _amount(amount) for column, amount in amounts.items() if amount is not None
    }
    if price.above is not None:
        tokens = {"input_tokens": price.above.input_tokens}
        member["above"] = {**tokens, **_member(price.above.price)}
    return member
