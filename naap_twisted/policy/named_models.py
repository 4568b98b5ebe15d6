"""Finds the models that a request names, where its API puts their names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, unquote

#: Stands in the pattern of a path for the segment, or its beginning, that names the model.
MODEL = "{model}"


class NamedModels:
    """The places of an API where a request names a model.

    :param body: members of a body, with dots between them; a list stands for each of its items.
    :param query: parameters.
    :param paths: patterns of a path, or of a URL, that hold ``{model}`` once.
    """

    def __init__(
        self, body: Sequence[str], query: Sequence[str] = (), paths: Sequence[str] = ()
    ) -> None:
        self._body = tuple(tuple(member.split(".")) for member in body)
        self._query = frozenset(query)
        self._paths = tuple(map(_pattern, paths))

    def in_target(self, origin: str, path: str, query: str) -> tuple[str, ...]:
        """The models that a URL names.

        >>> NamedModels((), ["model"], ["/m/{model}:*"]).in_target("", "/m/a:ask", "model=b")
        ('a', 'b')
        """
        matches = (
            pattern.fullmatch(path) or pattern.fullmatch(origin + path) for pattern in self._paths
        )
        found = [unquote(match["model"]) for match in matches if match is not None]
        found += [value for name, value in parse_qsl(query) if name in self._query]
        return tuple(dict.fromkeys(found))

    def in_body(self, document: Mapping[str, object]) -> tuple[str, ...]:
        """The models that a body names.

        >>> NamedModels(["tools.model"]).in_body({"tools": [{"model": "a"}, {"type": "b"}]})
        ('a',)
        """
        return tuple(
            dict.fromkeys(
                value
                for member in self._body
                for value in _values(document, member)
                if isinstance(value, str)
            )
        )


def _values(value: object, member: tuple[str, ...]) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, member)
    elif not member:
        yield value
    elif isinstance(value, Mapping) and member[0] in value:
        yield from _values(value[member[0]], member[1:])


def _pattern(written: str) -> re.Pattern[str]:
    """What matches the paths of a pattern, with a group for the model."""
    pattern = re.escape(written).replace(re.escape(MODEL), "(?P<model>[^/]+?)")
    return re.compile(pattern.replace(r"\*\*", ".+").replace(r"\*", "[^/]*"))
