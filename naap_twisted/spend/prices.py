"""What tokens cost, and which price is a model's. Pure.

Every amount is a Decimal: US dollars, for a million tokens or for a time. Nothing is rounded here
but what no Decimal holds: a third of a price has a 200th digit, which is rounded up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Context, Decimal
from typing import Protocol

from attrs import Factory, frozen

STALE_DAYS = 90

# The default context would round an amount to 28 digits.
_EXACT = Context(prec=200, rounding=ROUND_CEILING)
#: Prices for a time, and its milliseconds.
TIMES = {"per_second": 1_000, "per_minute": 60_000, "per_hour": 3_600_000}
# A version of a model has its name and a date, in one of the vendors' forms: -20250929,
# -2024-07-18, -08-2024, -0613, -001. One or two digits are another model: claude-opus-4 and -4-5.
# Behind "@" and ":" stand a date or a tag of the same model.
_VERSION = re.compile(r"-\d{4}-\d\d-\d\d|-\d\d-\d{4}|-\d{3,8}|[@:].+")


class CountedTokens(Protocol):
    """The tokens of one request."""

    @property
    def input(self) -> int:
        """All of the prompt."""

    @property
    def cached_input(self) -> int:
        """Those of it that a cache had."""

    @property
    def cache_write(self) -> int:
        """Those of it that a cache keeps now."""

    @property
    def audio_input(self) -> int:
        """Those of it that are audio."""

    @property
    def image_input(self) -> int:
        """Those of it that are images."""

    @property
    def output(self) -> int:
        """All of the answer."""

    @property
    def audio_output(self) -> int:
        """Those of it that are audio."""

    @property
    def milliseconds(self) -> int:
        """The length of a recording."""


@frozen
class Price:
    """A model's price, in US dollars for a million tokens.

    :ivar cached_input: of tokens that a cache had; as *input* when ``None``, and so are
        *cache_write*, *audio_input* and *image_input*; *audio_output* is as *output*.
    :ivar above: the price of a request with a long prompt.
    :ivar per_second: of a recording, beside its tokens, and so are *per_minute* and *per_hour*.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    above: Above | None = None
    image_input: Decimal | None = None
    per_second: Decimal | None = None
    per_minute: Decimal | None = None
    per_hour: Decimal | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the length of a recording is paid."""
        return any(getattr(self, name) is not None for name in TIMES)

    def cost(self, tokens: CountedTokens) -> Decimal:
        """What one request costs in US dollars."""
        total = self._cost_of_tokens(tokens)
        for name, length in TIMES.items():
            price = getattr(self, name)
            if price is not None and tokens.milliseconds:
                paid = _EXACT.multiply(tokens.milliseconds, price)
                total = _EXACT.add(total, _EXACT.divide(paid, length))
        return total

    def _cost_of_tokens(self, tokens: CountedTokens) -> Decimal:
        """What the tokens cost, exactly.

        Each token is paid once. Where parts of a prompt overlap (cached audio) nobody reports by
        how much; the least is assumed, and what is then in two parts has the dearer price.
        """
        if self.above is not None and tokens.input > self.above.input_tokens:
            return self.above.price._cost_of_tokens(tokens)
        prompt = (
            (tokens.cached_input, self.cached_input),
            (tokens.cache_write, self.cache_write),
            (tokens.audio_input, self.audio_input),
            (tokens.image_input, self.image_input),
        )
        answer = ((tokens.audio_output, self.audio_output),)
        total = _paid(tokens.input, self.input, prompt, Decimal(0))
        return _EXACT.scaleb(_paid(tokens.output, self.output, answer, total), -6)


@frozen
class Above:
    """Another price for a whole request whose prompt has more than *input_tokens*."""

    input_tokens: int
    price: Price


def _paid(
    count: int, usual: Decimal, parts: tuple[tuple[int, Decimal | None], ...], total: Decimal
) -> Decimal:
    """*total* and the price of *count* tokens, those of *parts* at their own."""
    special = [(usual if price is None else price, part) for part, price in parts if part]
    rest = max(0, count - sum(part for _, part in special))
    total = _EXACT.fma(rest, usual, total)
    left = count - rest
    for price, part in sorted(special, reverse=True):
        paid = min(part, left)
        total = _EXACT.fma(paid, price, total)
        left -= paid
    return total


@frozen
class PriceList:
    """A vendor's prices as they were at a date.

    :ivar source: where they were read.
    :ivar page: the vendor's own list.
    :ivar models: prices by a model's name.
    """

    source: str
    page: str
    as_of: date
    models: Mapping[str, Price]

    def age(self, today: date) -> int:
        """Days since *as_of*; a clock that is set back makes it none."""
        return max(0, (today - self.as_of).days)


@frozen
class Prices:
    """The prices in effect.

    :ivar own: the user's, by a model's name, or its beginning and ``*``; they win.
    :ivar shipped: the package's, by the name of a provider.
    """

    own: Mapping[str, Price] = Factory(dict)
    shipped: Mapping[str, PriceList] = Factory(dict)

    def owns(self, model: str) -> bool:
        """Whether a price of the user's is the price of *model*."""
        return priced_as(model, self.own) is not None

    def of(self, provider_name: str, model: str) -> Price | None:
        """The price of *model* at a provider, or ``None``: nobody knows it.

        The longest name counts that is the model's own, or the own name of a dated version:
        ``gpt-4o`` is the price of ``gpt-4o-2024-08-06``, not of ``gpt-4o-mini``.

        :param provider_name: ``""`` for a route without one; the user's own prices apply to all.
        """
        if provider_name == "gemini":
            model = model.removeprefix("models/")
        name = priced_as(model, self.own)
        if name is not None:
            return self.own[name]
        listed = self.shipped.get(provider_name)
        name = None if listed is None else priced_as(model, listed.models)
        return None if listed is None or name is None else listed.models[name]


def priced_as(model: str, names: Mapping[str, Price]) -> str | None:
    """The longest of *names* that prices *model*, without counting its ``*``; ``None`` for none."""
    if model in names:
        return model
    found = [name for name in names if _prices(name, model)]
    # At one length, a name written out is the nearer one.
    return max(
        found, key=lambda name: (len(name.rstrip("*")), not name.endswith("*")), default=None
    )


def _prices(name: str, model: str) -> bool:
    if name.endswith("*"):
        return model.startswith(name[:-1])
    if not model.startswith(name):
        return False
    return len(model) == len(name) or _VERSION.fullmatch(model, len(name)) is not None
