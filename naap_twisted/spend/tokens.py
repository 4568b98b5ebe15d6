"""A model's tokens, and where an answer reports them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ..model import Tokens

__all__ = ["TokenMembers", "Tokens", "USUAL_MEMBERS"]

#: No answer has as many; and a text of so many digits costs no time to read.
_MOST_TOKENS = 1 << 48
_MOST_DIGITS = len(str(_MOST_TOKENS))

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
    :ivar mark: what every text with such an object has in it.
    """

    reports: frozenset[tuple[bytes, ...]]
    places: Mapping[str, Sequence[Place]]
    beside: Mapping[str, Sequence[Place]]
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
        **paths: Iterable[str],
    ) -> TokenMembers:
        """Those at *paths* such as ``"usage.prompt_tokens"``, by the names of :class:`Tokens`.

        A report is an object with such a member; where one stands inside of another, the outer one
        is the report. What stands deeper is looked up in each of them.

        >>> TokenMembers.at(input=["usage.in"], cached_input=["usage.details.cached"]).reports
        frozenset({(b'usage',)})
        """
        listed = {**paths, "input+": input_beside, "output+": output_beside}
        split = {kind: [tuple(path.split(".")) for path in each] for kind, each in listed.items()}
        parents = {path[:-1] for each in split.values() for path in each}
        reports = {parent for parent in parents if not _inside(parent, parents)}
        below = {
            kind: tuple(dict.fromkeys(_below(path, reports) for path in each))
            for kind, each in split.items()
        }
        beside = {"input": below.pop("input+"), "output": below.pop("output+")}
        names = frozenset(tuple(key.encode() for key in report) for report in reports)
        return cls(names, below, beside)

    def read(self, report: bytes) -> dict[Kind, int]:
        """The numbers that *report*, the text of an object, has; what is no number is left out."""
        try:
            usage = _READER.decode(report.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return {}
        numbers: dict[Kind, int] = {}
        for name, places in self.places.items():
            found = (number for place in places if (number := _number(usage, place)) is not None)
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


def _inside(path: Place, outer: Iterable[Place]) -> bool:
    return any(len(each) < len(path) and path[: len(each)] == each for each in outer)


def _below(path: Place, reports: Iterable[Place]) -> Place:
    """The rest of *path*, which leads into one of *reports*."""
    return next(path[len(each) :] for each in reports if path[: len(each)] == each)


def _number(usage: Any, place: Place) -> int | None:
    for name in place:
        usage = usage.get(name) if isinstance(usage, dict) else None
    return usage if type(usage) is int and 0 <= usage < _MOST_TOKENS else None


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
)
