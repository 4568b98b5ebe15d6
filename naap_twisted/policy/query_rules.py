"""Which query parameters a route opens: the option ``query``. Pure.

A listed parameter has one spelling, stands once, and has a value that every reader reads alike, so
that no upstream reads another value than the one that was judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, unquote_plus

from attrs import field, frozen

from ..errors import EndpointNotAllowed
from .likely_endpoint import is_name
from .own_query import folded, readings

#: Parameters in which frameworks read another method than the request's: Rails, Symfony and
#: Laravel; Salesforce's; Google's system parameter; IBM's spellings of the headers.
METHOD_PARAMETERS = (
    *(
        "_method",
        "_HttpMethod",
        "$httpMethod",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-HTTP-Method",
    ),
)

_OVERRIDES = {folded(name): name for name in METHOD_PARAMETERS}
_CLOSED = "!"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_QUOTED = 64
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class _Values:
    """The values that one parameter may have.

    :ivar name: as the route's owner wrote it.
    :ivar stems: what a value may open with; one that is empty allows every value.
    """

    name: str
    exact: frozenset[str]
    stems: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """The values as written, in an order of their own."""
        return [*sorted(self.exact), *(f"{stem}*" for stem in self.stems)]

    def take(self, value: str) -> bool:
        return value in self.exact or value.startswith(self.stems)


@frozen
class QueryRules:
    """The rules of one route; without any, only what would override the method is refused.

    :ivar closed: parameters that are not listed are refused.
    """

    _listed: dict[str, _Values] = field(factory=dict)
    closed: bool = False

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> QueryRules:
        """Read the option, such as ``{"model": ["gpt-realtime*"], "!": True}``.

        :raises ValueError: the text names the parameter and says what to write instead.

        >>> QueryRules.from_table({"model": ["gpt-*"]}).refusal("model=gpt-4o") is None
        True
        """
        listed: dict[str, _Values] = {}
        for name, values in table.items():
            if name == _CLOSED:
                if values is not True:
                    raise ValueError('"!" is true, or left out')
                continue
            rule = _values(name, values)
            # "expand" and "expand[0]" are "expand[]" to some.
            for key in {folded(name), folded(name.removesuffix("[]"))}:
                other = listed.setdefault(key, rule)
                if other is not rule:
                    both = f"{_quoted(name)} is {_quoted(other.name)}"
                    raise ValueError(f"{both} to some servers; write one of them")
        return cls(listed, closed=_CLOSED in table)

    @property
    def text(self) -> str:
        """The rules in words, for the operator."""
        named = {rule.name: rule for rule in self._listed.values()}
        words = [f"{name} = {', '.join(rule.texts)}" for name, rule in named.items()]
        return "; ".join([*words, "no other" if self.closed else "any other"])

    def lists(self, name: str) -> bool:
        """Whether the values of a parameter are listed."""
        return folded(name) in self._listed

    def refusal(self, query: str) -> EndpointNotAllowed | None:
        """Why a request with this query is refused, or ``None`` where it may pass.

        :param query: as it came, without its question mark.
        """
        if not query:
            return None
        if ";" in query and (self._listed or self.closed):
            return _refusal(
                "A semicolon in the query is not allowed on this route; write %3B",
                "semicolon in the query, which some servers take for an ampersand",
            )
        seen: set[str] = set()
        for pair in filter(None, re.split("[&;]", query)):
            name, _, value = pair.partition("=")
            refusal = self._judge(name, value, seen)
            if refusal is not None:
                return refusal
        return None

    def _judge(self, name: str, value: str, seen: set[str]) -> EndpointNotAllowed | None:
        spelled = unquote_plus(name)
        names = [outer for reading in readings(name) for outer in _outer_names(reading)]
        override = next((_OVERRIDES[each] for each in names if each in _OVERRIDES), None)
        if override is not None:
            return _refusal(
                f'Query parameter "{override}" is not allowed on this route',
                f'query parameter "{override}", which some servers read as the method',
                param=override,
            )
        # The fullest name comes first: "filter[a]" may be listed beside "filter".
        rule = next((self._listed[each] for each in names if each in self._listed), None)
        if rule is None:
            return self._unlisted(spelled, value) if self.closed else None
        if spelled != rule.name or unquote_plus(spelled) != spelled:
            return _refusal(
                f'Write the query parameter "{rule.name}" so, and in no other spelling',
                f'another spelling of the query parameter "{rule.name}"',
                param=rule.name,
            )
        # "expand[]" is a list to those who write it so; each of its values is judged.
        if rule.name in seen and not rule.name.endswith("[]"):
            return _refusal(
                f'Query parameter "{rule.name}" may stand once only',
                f'repeated query parameter "{rule.name}"',
                param=rule.name,
            )
        seen.add(rule.name)
        return self._judge_value(rule, value)

    def _judge_value(self, rule: _Values, value: str) -> EndpointNotAllowed | None:
        text = unquote_plus(value)
        if _CONTROL.search(text):
            fault = "has a control character"
        elif "" in rule.stems:
            return None
        elif unquote(text) != text or _ESCAPE.search(value):
            fault = "can be decoded in more than one way"
        elif not all(map(rule.take, _values_read(value))):
            line = self._line(rule.name, text)
            return _refusal(
                f'Query parameter "{rule.name}" has a value that this route does not open',
                f'query lists no such value of "{rule.name}"',
                param=rule.name,
                remedy=line,
            )
        else:
            return None
        return _refusal(
            f'The value of the query parameter "{rule.name}" {fault}',
            f'the value of the query parameter "{rule.name}" {fault}',
            param=rule.name,
        )

    def _unlisted(self, name: str, value: str) -> EndpointNotAllowed:
        shown = ascii(name)[1:-1]
        if len(shown) > _MOST_QUOTED:
            shown = f"{shown[: _MOST_QUOTED - 3]}..."
        return _refusal(
            f'Query parameter "{shown}" is not allowed on this route',
            f'query lists no "{shown}"',
            param=shown,
            remedy=self._line(name, unquote_plus(value)),
        )

    def _line(self, name: str, value: str) -> str:
        """The option with the value beside what it has; an unusual one stays out of it."""
        if not re.fullmatch(r"[A-Za-z0-9_.\[\]$-]{1,64}", name):
            return ""
        added = value if is_name(value) else "*"
        listed = {rule.name: rule.texts for rule in self._listed.values()}
        # A star opens every value, so that the others say nothing beside it.
        listed[name] = ["*"] if added == "*" else [*listed.get(name, ()), added]
        pairs = [
            f"{each if _BARE.fullmatch(each) else json.dumps(each)} = {json.dumps(texts)}"
            for each, texts in listed.items()
        ]
        pairs += ['"!" = true'] if self.closed else []
        return f"query = {{ {', '.join(pairs)} }}"


def _outer_names(name: str) -> Iterator[str]:
    """*name*, and what it is a member of: ``a[b][c]``, ``a[b]``, ``a``."""
    yield name
    while name.endswith("]") and (at := name.rfind("[")) > 0:
        name = name[:at]
        yield name


def _values_read(value: str) -> Iterator[str]:
    """The texts that readers take a value for: a plus is a blank in forms only (RFC 3986)."""
    yield unquote_plus(value)
    if "+" in value:
        yield unquote(value)


def _values(name: str, values: object) -> _Values:
    shown = _quoted(name)
    if not name or name != name.strip() or _CONTROL.search(name) or unquote_plus(name) != name:
        raise ValueError(f"{shown} is not the name of a parameter; write it decoded")
    if "*" in name or any(mark in name for mark in "&=;#"):
        raise ValueError(f"{shown} is not the name of a parameter; write each name out")
    if folded(name) in _OVERRIDES:
        raise ValueError(f"{shown} chooses the method at some servers; it is never passed")
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
        raise ValueError(f'{shown} wants a list of texts, such as ["gpt-realtime*"], or ["*"]')
    if not values:
        raise ValueError(f'{shown} lists no value; write ["*"] for any, or "!" = true without it')
    if any("*" in each[:-1] for each in values):
        raise ValueError(f'{shown}: a star may only stand last, as in "gpt-realtime*"')
    if len(set(values)) != len(values):
        raise ValueError(f"{shown} lists a value twice")
    exact = frozenset(each for each in values if not each.endswith("*"))
    return _Values(name, exact, tuple(each[:-1] for each in values if each.endswith("*")))


def _quoted(name: str) -> str:
    return f'"{ascii(name[:_MOST_QUOTED])[1:-1]}"'


def _refusal(
    message: str, reason: str, *, param: str | None = None, remedy: str = ""
) -> EndpointNotAllowed:
    return EndpointNotAllowed(message, reason=reason, param=param, remedy=remedy, rule="query")
