"""A model's tokens, and where an answer reports them. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from ..model import Tokens

__all__ = ["TokenMembers", "Tokens", "USUAL_MEMBERS"]

#: No answer has as many; and a text of so many digits costs no time to read.
_MOST_TOKENS = 1 << 48
_MOST_DIGITS = len(str(_MOST_TOKENS))
#: No recording is as long.
_MOST_SECONDS = 10_000_000
_TIME = "milliseconds"
#: The model's name in an answer: in one of OpenAI's, in the last event of its responses, in the
#: first one of Anthropic's messages.
USUAL_MODEL = ("model", "response.model", "message.model")

#: The path of a number in a report: ``("prompt_tokens_details", "cached_tokens")``.
Place = tuple[str, ...]
#: What a report is read for: each of :class:`Tokens`, or one number that is to be added to it.
Kind = str | Place


@frozen
class TokenMembers:
    """Where answers report tokens.

    :ivar reports: paths of the objects that have the numbers.
    :ivar places: of each number of :class:`Tokens`; of several in a report the first counts.
    :ivar beside: numbers that an API leaves out of its input or output, each to be added to it.
    :ivar models: paths of the members that name the model which answers.
    :ivar mark: what every text with such an object has in it.
    """

    reports: frozenset[tuple[bytes, ...]]
    places: Mapping[str, Sequence[Place]]
    beside: Mapping[str, Sequence[Place]]
    models: frozenset[tuple[bytes, ...]]
    mark: re.Pattern[bytes] = field(init=False)

    @mark.default
    def _mark(self) -> re.Pattern[bytes]:
        names = b"|".join(sorted({re.escape(report[-1]) for report in self.reports}))
        return re.compile(rb'"(?:%b)"\s*+:\s*+\{' % names)

    @classmethod
    def at(
        cls,
        *,
        input_beside: Iterable[str] = (),
        output_beside: Iterable[str] = (),
        seconds: Iterable[str] = (),
        model: Iterable[str] = (),
        **paths: Iterable[str],
    ) -> TokenMembers:
        """Those at *paths* such as ``"usage.prompt_tokens"``, by the names of :class:`Tokens`.

        *seconds* are those of a recording, as numbers, and *model* names the model; none: it is
        named in the usual places.

        A report is an object with such a member; where one stands inside of another, the outer one
        is the report. What stands deeper is looked up in each of them.

        >>> TokenMembers.at(input=["usage.in"], cached_input=["usage.details.cached"]).reports
        frozenset({(b'usage',)})
        """
        listed = {**paths, _TIME: seconds, "input+": input_beside, "output+": output_beside}
        split = {kind: [tuple(path.split(".")) for path in each] for kind, each in listed.items()}
        parents = {path[:-1] for each in split.values() for path in each}
        reports = {parent for parent in parents if not _inside(parent, parents)}
        below = {
            kind: tuple(dict.fromkeys(_below(path, reports) for path in each))
            for kind, each in split.items()
        }
        beside = {"input": below.pop("input+"), "output": below.pop("output+")}
        named = [tuple(path.split(".")) for path in tuple(model) or USUAL_MODEL]
        return cls(_encoded(reports), below, beside, _encoded(named))

    def read(self, report: bytes) -> dict[Kind, int]:
        """The numbers that *report*, the text of an object, has; what is no number is left out."""
        try:
            usage = _READER.decode(report.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
        numbers: dict[Kind, int] = {}
        for name, places in self.places.items():
            read = _milliseconds if name == _TIME else _number
            found = (number for place in places if (number := read(usage, place)) is not None)
            first = next(found, None)
            if first is not None:
                numbers[name] = first
        for places in self.beside.values():
            for place in places:
                number = _number(usage, place)
                if number is not None:
                    numbers[place] = number
        return numbers

    def sum(self, numbers: Mapping[Kind, int]) -> Tokens:
        """The tokens of *numbers*, the latest of each kind."""
        of_names = {name: numbers.get(name, 0) for name in self.places}
        for name, places in self.beside.items():
            more = sum(numbers.get(place, 0) for place in places)
            of_names[name] = of_names.get(name, 0) + more
        return Tokens(**of_names)


def _encoded(paths: Iterable[Place]) -> frozenset[tuple[bytes, ...]]:
    return frozenset(tuple(key.encode() for key in path) for path in paths)


def _inside(path: Place, outer: Iterable[Place]) -> bool:
    return any(len(each) < len(path) and path[: len(each)] == each for each in outer)


def _below(path: Place, reports: Iterable[Place]) -> Place:
    """The rest of *path*, which leads into one of *reports*."""
    return next(path[len(each) :] for each in reports if path[: len(each)] == each)


def _at(usage: Any, place: Place) -> Any:
    for name in place:
        usage = usage.get(name) if isinstance(usage, dict) else None
    return usage


def _number(usage: Any, place: Place) -> int | None:
    number = _at(usage, place)
    return number if type(number) is int and 0 <= number < _MOST_TOKENS else None


def _milliseconds(usage: Any, place: Place) -> int | None:
    """Those of a number of seconds, which may have a fraction; a part of one counts as a whole."""
    seconds = _at(usage, place)
    if type(seconds) not in (int, float) or not 0 <= seconds < _MOST_SECONDS:
        return None
    # The text of a double is the number that the vendor wrote, which the double only comes near.
    return math.ceil(Decimal(repr(seconds)) * 1000)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of an object; of a name that is repeated nobody knows which one was meant."""
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                table[name] = None
            seen.add(name)
    return table


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole)


# At the top of an answer or a chunk; in the last event of OpenAI's responses; in the first one of
# Anthropic's messages, whose later events report the rest.
USUAL_MEMBERS = TokenMembers.at(
    input=[
        f"{before}usage.{name}"
        for before in ("", "response.", "message.")
        for name in ("prompt_tokens", "input_tokens")
    ],
    input_beside=["usage.cache_read_input_tokens", "usage.cache_creation_input_tokens"],
    cached_input=[
        "usage.cache_read_input_tokens",
        "usage.prompt_tokens_details.cached_tokens",
        "usage.input_tokens_details.cached_tokens",
        "usage.input_token_details.cached_tokens",
    ],
    cache_write=["usage.cache_creation_input_tokens"],
    output=["usage.completion_tokens", "usage.output_tokens"],
    reasoning=[
        "usage.completion_tokens_details.reasoning_tokens",
        "usage.output_tokens_details.reasoning_tokens",
    ],
    audio_input=[
        "usage.prompt_tokens_details.audio_tokens",
        "usage.input_token_details.audio_tokens",
    ],
    audio_output=[
        "usage.completion_tokens_details.audio_tokens",
        "usage.output_token_details.audio_tokens",
    ],
    image_input=["usage.input_tokens_details.image_tokens"],
    seconds=["usage.seconds"],
)
