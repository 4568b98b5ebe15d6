"""What an observing route saw, as lines of a log and as the least policy that allows it. Pure.

A request's sender chooses the names that are noted here, so each has a bounded length and plain
characters only, and a route notes a bounded number of them. No value is noted but a model's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

#: The logger of the lines that ``naap-proxy learn`` reads.
NAMESPACE = "naap.observed"
#: Different names that one route notes, with the endpoints at which they were seen.
MOST = 1_000
#: Names of one kind that are noted of one request.
MOST_AT_ONCE = 200
#: Stands for a name that is not noted.
ANY = "*"
#: The parts of a policy, in :attr:`Sighting.unlisted`.
ENDPOINT, QUERY, MODEL, BODY = "endpoint", "query", "model", "body"
#: And that a path has an encoded slash, for which a route has an option.
SLASHES = "encoded_slashes"
_PLAIN = re.compile(r"(?=.*[0-9A-Za-z])[!#-)+-\[\]-~]{1,100}")
_LONGEST_ENDPOINT = 300
# Names in one line. An observer may cut a line off at 4,000 characters.
_IN_ONE_LINE = 25


def plain(name: str) -> str:
    """*name*, or ``*`` where it is long, or has more than letters, digits and signs of ASCII.

    Blanks, quotes, a backslash and ``*`` are none of these signs: a name stands in lines of a log
    and in a config as it is, and is no pattern there.

    >>> plain("max_tokens"), plain("a b"), plain("x" * 101)
    ('max_tokens', '*', '*')
    """
    return name if _PLAIN.fullmatch(name) else ANY


@frozen
class Sighting:
    """What one exchange used of an upstream, or what was new about it.

    :ivar route: the mount's path.
    :ivar endpoint: as ``endpoints`` would name it; ``""`` where it can't be named.
    :ivar query: names of the query's parameters.
    :ivar models: the models that it named.
    :ivar members: names of the top-level members of its body.
    :ivar unlisted: of ``endpoint``, ``query``, ``model`` or ``body``, why a list of these names
        would refuse the exchange; or that only ``encoded_slashes`` lets it pass.
    """

    route: str
    endpoint: str
    query: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    unlisted: Mapping[str, str] = field(factory=dict)

    @property
    def text(self) -> str:
        """This sighting as JSON, without what it lacks."""
        told = {
            "route": self.route,
            "endpoint": self.endpoint,
            **{kind: names for kind in _KINDS if (names := getattr(self, kind))},
            **({"unlisted": dict(self.unlisted)} if self.unlisted else {}),
        }
        return json.dumps(told)

    @classmethod
    def parse(cls, text: str) -> Sighting:
        """The sighting of a :attr:`text`.

        :raises ValueError: it is none.
        """
        try:
            told = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(told, dict):
            raise ValueError("not an object")
        unlisted = told.pop("unlisted", {})
        names = {kind: told.pop(kind, []) for kind in _KINDS}
        route, endpoint = told.pop("route", None), told.pop("endpoint", None)
        listed = all(isinstance(each, list) and _are_texts(each) for each in names.values())
        if told or not listed or not isinstance(unlisted, dict):
            raise ValueError("not a sighting")
        if not _are_texts((route, endpoint, *unlisted, *unlisted.values())):
            raise ValueError("not a sighting")
        return cls(route, endpoint, unlisted=unlisted, **{k: tuple(v) for k, v in names.items()})

    def noted(self) -> Sighting:
        """This sighting with plain names only, and why others are missing."""
        unlisted = dict(self.unlisted)
        kept: dict[str, Any] = {}
        for kind, part in _KINDS.items():
            names = tuple(map(plain, dict.fromkeys(getattr(self, kind)[:MOST_AT_ONCE])))
            if ANY in names or len(getattr(self, kind)) > MOST_AT_ONCE:
                unlisted.setdefault(part, "a name is odd or long, or there are too many")
            kept[kind] = tuple(sorted({*names} - {ANY}))
        endpoint = self.endpoint
        if len(endpoint) > _LONGEST_ENDPOINT or not endpoint.isascii():
            endpoint = ""
            unlisted.setdefault(ENDPOINT, "a path is too long, or not of ASCII")
        return evolve(self, endpoint=endpoint, unlisted=unlisted, **kept)

    def pieces(self) -> Iterator[Sighting]:
        """This sighting in parts whose texts are short enough for a line each."""
        pairs = [(kind, name) for kind in _KINDS for name in getattr(self, kind)]
        first, rest = pairs[:_IN_ONE_LINE], pairs[_IN_ONE_LINE:]
        yield Sighting(self.route, self.endpoint, unlisted=self.unlisted, **_by_kind(first))
        while rest:
            some, rest = rest[:_IN_ONE_LINE], rest[_IN_ONE_LINE:]
            yield Sighting(self.route, self.endpoint, **_by_kind(some))


#: The lists of a sighting, and which part of a policy is written of each.
_KINDS = {"query": QUERY, "models": MODEL, "members": BODY}


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _by_kind(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, name in pairs:
        found[kind] = (*found.get(kind, ()), name)
    return found


class Learned:
    """Everything that was seen on one route.

    :ivar size: the number of different names, each at each endpoint.
    """

    def __init__(self, route: str) -> None:
        self.route = route
        self.size = 0
        self._seen: dict[str, dict[str, set[str]]] = {}
        self._unlisted: dict[str, dict[str, str]] = {}

    def add(self, sighting: Sighting) -> Sighting | None:
        """Note *sighting*, and return what is new about it; ``None`` where nothing is."""
        endpoint = sighting.endpoint
        fresh = endpoint not in self._seen
        seen = self._seen.setdefault(endpoint, {kind: set() for kind in _KINDS})
        known = self._unlisted.setdefault(endpoint, {})
        new: dict[str, tuple[str, ...]] = {}
        for kind in _KINDS:
            new[kind] = tuple(n for n in getattr(sighting, kind) if n not in seen[kind])
            seen[kind].update(new[kind])
        unlisted = {part: why for part, why in sighting.unlisted.items() if part not in known}
        known.update(unlisted)
        count = fresh + len(unlisted) + sum(map(len, new.values()))
        self.size += count
        return Sighting(self.route, endpoint, unlisted=unlisted, **new) if count else None

    @property
    def endpoints(self) -> list[str]:
        """The endpoints that can be named, sorted by path."""
        return sorted(filter(None, self._seen), key=by_path)

    def names(self, kind: str) -> dict[str, list[str]]:
        """The names of *kind*, sorted, each with the endpoints at which it was seen."""
        found: dict[str, list[str]] = {}
        for endpoint in sorted(self._seen, key=by_path):
            for name in self._seen[endpoint][kind]:
                found.setdefault(name, []).append(endpoint)
        return dict(sorted(found.items()))

    def unlisted(self, part: str) -> tuple[str, str]:
        """The first endpoint where a list of names is not enough, and why; else two ``""``."""
        for endpoint in sorted(self._unlisted, key=by_path):
            if part in self._unlisted[endpoint]:
                return endpoint, self._unlisted[endpoint][part]
        return "", ""


def by_path(endpoint: str) -> tuple[str, str]:
    """An endpoint's place in a list: what has one path stands together."""
    method, _, path = endpoint.partition(" ")
    return path, method
