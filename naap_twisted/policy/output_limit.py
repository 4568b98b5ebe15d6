"""How much a model may put out: the option ``max_output_tokens``. Pure.

An API has several names for it, one for each endpoint, some of old. Each that is there is held to
the bound, and where an endpoint knows one and none is there, it is set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..documents.document import Document, Member
from ..errors import BodyNotAllowed
from .body_rules import kinds_of
from .endpoints import Endpoints
from .members import Members, member_of

_SLASHES = re.compile(r"/+")


@frozen
class OutputBound:
    """The option's value.

    :ivar tokens: of one answer.
    :ivar clamp: a request for more is lowered to it, not refused.
    """

    tokens: int
    clamp: bool = False


def covers(endpoints: Endpoints, method: bytes, path: str) -> bool:
    """Whether *path* is one of *endpoints*, also to a server that is loose about its slashes."""
    if endpoints.match(method, "", path) is not None:
        return True
    loose = _SLASHES.sub("/", path).rstrip("/")
    return loose != path and endpoints.match(method, "", loose) is not None


@frozen
class LimitedEndpoints:
    """Endpoints, and the members that bound what they put out; the first is the one to set.

    :ivar tokens: of one answer at most, where no member bounds it, and no option of the route.
    """

    endpoints: Endpoints
    members: tuple[str, ...]
    tokens: int | None = None


class OutputLimit:
    """The bound of one route."""

    def __init__(self, bound: OutputBound, limits: Sequence[LimitedEndpoints]) -> None:
        self._bound = bound
        self._limits = tuple(limits)
        self._members = Members((path for limit in limits for path in limit.members), through=True)

    def judge(self, document: Document, method: bytes, path: str) -> dict[Member, object]:
        """What has to change in *document*, a request to *path* below the provider's base.

        :raises BodyNotAllowed: it asks for more than the bound.
        """
        found = self._members.found(document)
        changes: dict[Member, object] = {}
        for name, values in found.items():
            for value in values:
                if value is not None and not self._within(value):
                    if not self._bound.clamp:
                        raise self._refusal(name, value)
                    changes[member_of(name)] = self._bound.tokens
        for limit in self._limits:
            if limit.members and covers(limit.endpoints, method, path):
                there = [n for n in limit.members if any(v is not None for v in found.get(n, ()))]
                if not there:
                    changes[member_of(_to_set(limit.members, document.value))] = self._bound.tokens
        return changes

    def _within(self, value: Any) -> bool:
        number = kinds_of(value).get("integer")
        # Below zero some servers take a number for no bound at all.
        return number is not None and 0 <= number <= self._bound.tokens

    def _refusal(self, name: str, value: Any) -> BodyNotAllowed:
        number = kinds_of(value).get("integer")
        return BodyNotAllowed(
            f'Body member "{name}": at most {self._bound.tokens}, as a whole number',
            reason=f"{name} is over max_output_tokens",
            param=name,
            remedy="" if number is None else f"max_output_tokens = {number}",
            rule="max_output_tokens",
        )


def _to_set(members: Sequence[str], value: Any) -> str:
    """The first of *members*, or the first that stands in an object that is there."""
    for path in members:
        outer = member_of(path)[:-1]
        if len(outer) == 1 and isinstance(value, dict) and isinstance(value.get(outer[0]), dict):
            return path
    return members[0]
