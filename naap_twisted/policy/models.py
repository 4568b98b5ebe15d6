"""Which models a route opens: the option ``models``, in bodies, queries and paths. Pure.

An API names its model in more than one place, and each that is there has to name a listed one. A
body that names none would leave the choice to the upstream, so it is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote, unquote_plus

from attrs import field, frozen

from ..documents.document import Document
from ..errors import ModelNotAllowed
from .members import Members, member_of, shown
from .query_rules import QueryRules

#: Stands in a path for what names the model.
MODEL = "{model}"
_MOST_DECODINGS = 4
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")
_PARAMETERS = re.compile(r";[^/\\]*")
_SLASHES = re.compile(r"[/\\]+(?:\.[/\\]+)*")
_PIECE = re.compile(r"(\{model\}|\*\*|\*)")
_PATTERNS = {MODEL: "([^/]+)", "*": "[^/]*", "**": ".+"}
#: How Gemini's bodies name a model that its path names without.
_COLLECTION = "models/"


@frozen
class ModelPlaces:
    """Where an API names its model.

    :ivar body: dotted members; of a list each item.
    :ivar query: parameters.
    :ivar path: patterns of the end of a path, or of a URL, with ``{model}`` once.
    """

    body: tuple[str, ...] = ("model",)
    query: tuple[str, ...] = ("model",)
    path: tuple[str, ...] = ()
    _members: Members = field(init=False, repr=False, eq=False)
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, eq=False)

    @_members.default
    def _listed(self) -> Members:
        return Members(self.body, through=True)

    @_patterns.default
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_pattern, self.path))

    def in_path(self, origin: str, path: str) -> tuple[str, ...]:
        """The models that the readings of a path name.

        >>> ModelPlaces(path=("/m/{model}:*",)).in_path("", "/m/a:ask")
        ('a',)
        """
        return tuple(dict.fromkeys(self._readings(origin + path))) if self._patterns else ()

    def in_query(self, query: str) -> tuple[str, ...]:
        """The models that the parameters of a query name."""
        if not query or not self.query:
            return ()
        pairs = (pair.partition("=") for pair in query.split("&"))
        return tuple(unquote_plus(value) for name, _, value in pairs if name in self.query)

    def in_body(self, document: Document) -> Iterator[tuple[str, object]]:
        """What a body has where it names models, each with its place; null names none.

        :raises BodyNotAllowed: a place is spelled or filled so that readers differ about it.
        """
        for path, values in self._members.found(document).items():
            for value in values:
                for model in value if isinstance(value, list) else (value,):
                    if model is not None:
                        yield path, model

    def _readings(self, url: str) -> Iterator[str]:
        for _ in range(_MOST_DECODINGS):
            # Servers that drop path parameters, merge slashes or take a backslash for one find the
            # model there, too.
            plain = _PARAMETERS.sub("", url)
            for reading in dict.fromkeys((url, plain, _SLASHES.sub("/", plain))):
                for pattern in self._patterns:
                    match = pattern.fullmatch(reading)
                    if match is not None:
                        yield match[1]
            decoded = unquote(url)
            if decoded == url:
                return
            url = decoded


class Models:
    """The models of one route.

    :param patterns: names; with a ``*`` at the end whatever begins so.
    :ivar naming: members of a body that say which model is asked.
    """

    def __init__(self, patterns: Sequence[str], places: ModelPlaces) -> None:
        self._patterns = tuple(patterns)
        names = [_without_collection(name) for name in patterns]
        self._exact = frozenset(name for name in names if not name.endswith("*"))
        self._stems = tuple(name[:-1] for name in names if name.endswith("*"))
        self._places = places
        # A session is what such a request asks for; others inside name helpers and substitutes.
        self.naming = frozenset(
            path for path in places.body if "." not in path or path == "session.model"
        )
        self._query = QueryRules.from_table(dict.fromkeys(places.query, self._patterns))

    def in_target(self, origin: str, path: str, query: str) -> tuple[str, ...]:
        """Every model that a URL names.

        :raises ModelNotAllowed: one of them is not listed, or can be read in two ways.
        """
        named = self._places.in_path(origin, path)
        for model in named:
            if not self._lists(model):
                raise self._refusal(model, None)
        if not query or not self._places.query:
            return named
        refusal = self._query.refusal(query)
        if refusal is not None:
            raise ModelNotAllowed(
                refusal.message,
                reason=refusal.reason,
                param=refusal.param,
                remedy=refusal.remedy and self._line(_value_of(query, refusal.param)),
                rule="models",
            )
        return (*named, *self._places.in_query(query))

    def judge_body(self, document: Document, *, named: Callable[[], bool]) -> None:
        """Let a body pass whose every model is listed.

        :param named: whether the URL, or the server, names one where the body does not.
        :raises ModelNotAllowed: one is not listed, or nothing names one.
        :raises BodyNotAllowed: a place is spelled or filled so that readers differ about it.
        """
        names = False
        for path, model in self._places.in_body(document):
            if not isinstance(model, str) or not self._lists(model):
                raise self._refusal(model, path)
            names = names or (path in self.naming and _is_there(document, path))
        if not names and not named():
            first = self._patterns[0]
            example = "" if first.endswith("*") else f"default = {{ model = {json.dumps(first)} }}"
            raise ModelNotAllowed(
                "The request names no model, and this route opens some only",
                reason="the body names no model",
                param="model",
                remedy=example and f"[proxy.body] {example}",
                rule="models",
            )

    def _lists(self, model: str) -> bool:
        name = _without_collection(model)
        return name in self._exact or name.startswith(self._stems)

    def _refusal(self, model: object, path: str | None) -> ModelNotAllowed:
        name = f'"{shown(model)}"' if isinstance(model, str) else "that is no text"
        return ModelNotAllowed(
            f"Model {name} is not in the allowed list",
            reason=f"model {name} is not in models",
            param=path,
            remedy=self._line(model),
            rule="models",
        )

    def _line(self, model: object) -> str:
        if not isinstance(model, str) or _PLAIN.fullmatch(model) is None:
            return ""
        return f"models = {json.dumps([*self._patterns, model])}"


def _without_collection(model: str) -> str:
    name = model.removeprefix(_COLLECTION)
    return model if name == "*" else name


def _pattern(path: str) -> re.Pattern[str]:
    """What matches the end of a path, with a group for the model.

    A star behind the model's separator holds no other one: the last separator counts, as it does at
    Google, and a path of separators alone takes no quadratic time.
    """
    before, _, behind = path.partition(MODEL)
    separator, star, rest = behind.partition("*")
    pieces = [_PATTERNS.get(piece) or re.escape(piece) for piece in _PIECE.split(before)]
    pieces.append(_PATTERNS[MODEL])
    if star and separator and "/" not in separator:
        pieces += (re.escape(separator), f"[^/{re.escape(separator[-1])}]*")
        behind = rest
    pieces += [_PATTERNS.get(piece) or re.escape(piece) for piece in _PIECE.split(behind)]
    return re.compile(f".*{''.join(pieces)}", re.IGNORECASE | re.DOTALL)


def _is_there(document: Document, path: str) -> bool:
    """Whether no list stands on the way to *path*: what a tool or a fallback asks is not it."""
    value = document.value
    for name in member_of(path)[:-1]:
        value = value.get(name) if isinstance(value, dict) else None
    return not isinstance(value, list)


def _value_of(query: str, name: str | None) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return next((unquote_plus(value) for key, _, value in pairs if key == name), "")
