"""The rules about the members of a route's bodies: ``[proxy.body]``. Pure.

They judge what the page sent, in this order: which members may be there, which may not, and what
each may be. The defaults fill in what is missing, and the server's own words come last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from attrs import Factory, field, frozen

from ..documents.document import Document, FieldText, Member, Upload
from ..errors import BodyNotAllowed, Unauthorized
from ..model import User
from .members import Members, member_of, shown
from .own_query import OwnNames
from .own_query import folded as folded_parameter

#: Texts of ``set`` that stand for what the server knows of the caller.
USER_WORDS: Mapping[str, Callable[[User], str | None]] = {
    "${user:id}": lambda user: user.id,
    "${user:email}": lambda user: user.email,
}
TYPES = ("string", "integer", "number", "boolean", "object", "array", "null", "file")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MOST_LISTED = 12

Scalar = str | int | float | bool | None
_FINE: tuple[str, str, object] = ("", "", None)


@frozen
class MemberRule:
    """What one member may be; ``None`` sets no bound.

    :ivar allowed: the option ``in``.
    :ivar min: of a number; *max* as well.
    :ivar min_length: characters of a text; *max_length* as well.
    :ivar max_items: of a list.
    :ivar texts: those that pass at once.
    """

    allowed: tuple[Scalar, ...] | None = None
    min: int | float | None = None
    max: int | float | None = None
    type: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    max_items: int | None = None
    required: bool = False
    _allowed_keys: frozenset[tuple[str, object]] = field(init=False, repr=False, eq=False)
    # What passes at once: a listed text, or a whole number between the bounds. It halves the time
    # of a chat's rules (bench, "body rules").
    texts: frozenset[str] = field(init=False, repr=False, eq=False)
    _numeric: bool = field(init=False, repr=False, eq=False)

    @_allowed_keys.default
    def _keys(self) -> frozenset[tuple[str, object]]:
        return frozenset((type_of(item), item) for item in self.allowed or ())

    @texts.default
    def _plain_texts(self) -> frozenset[str]:
        lengths = self.min_length, self.max_length, self.max_items, self.min, self.max
        alone = lengths == (None,) * 5 and self.type in (None, "string")
        return frozenset(item for item in self.allowed or () if alone and isinstance(item, str))

    @_numeric.default
    def _numbers_alone(self) -> bool:
        lengths = self.min_length, self.max_length, self.max_items, self.allowed
        return lengths == (None,) * 4 and self.type in (None, "number", "integer")

    def breach(self, value: Any) -> tuple[str, str, object]:
        """What is wrong with *value*: words, the key that says so, what that key would have to be.

        ``("", "", None)`` where nothing is.
        """
        kind = type(value)
        if kind is str and value in self.texts:
            return _FINE
        if kind is int and self._numeric and self._between(value):
            return _FINE
        kinds = kinds_of(value)
        if self.type is not None and self.type not in kinds:
            return f"must be of type {self.type}", "type", None
        if self.allowed is not None and self._allowed_keys.isdisjoint(kinds.items()):
            listed = ", ".join(json.dumps(item) for item in self.allowed[:_MOST_LISTED])
            plain = value if isinstance(value, str | int | float) else None
            return f"must be one of {listed}", "in", [*self.allowed, plain]
        if self.min is not None or self.max is not None:
            number = next((kinds[kind] for kind in ("integer", "number") if kind in kinds), None)
            if number is None:
                return "must be a number", "type", None
            if not self._between(number):
                if self.max is not None and number > self.max:
                    return f"at most {self.max}", "max", number
                return f"at least {self.min}", "min", number
        return self._length_breach(value)

    def _between(self, number: int | float) -> bool:
        # A number whose text is not what a double's is, the reader of JSON has refused: so doubles
        # compare as the decimals that are written.
        low, high = self.min, self.max
        return (high is None or number <= high) and (low is None or number >= low)

    def _length_breach(self, value: Any) -> tuple[str, str, object]:
        if self.max_length is not None or self.min_length is not None:
            if not isinstance(value, str):
                return "must be of type string", "type", None
            if self.max_length is not None and len(value) > self.max_length:
                return f"at most {self.max_length} characters", "max_length", len(value)
            if self.min_length is not None and len(value) < self.min_length:
                return f"at least {self.min_length} characters", "min_length", len(value)
        if self.max_items is not None:
            if not isinstance(value, list):
                return "must be of type array", "type", None
            if len(value) > self.max_items:
                return f"at most {self.max_items} items", "max_items", len(value)
        return _FINE

    @property
    def text(self) -> str:
        """The rule in words."""
        values = {
            "in": self.allowed and ", ".join(json.dumps(item) for item in self.allowed),
            **{name: getattr(self, name) for name in ("type", "min", "max", "min_length")},
            **{name: getattr(self, name) for name in ("max_length", "max_items")},
        }
        words = [f"{name} {value}" for name, value in values.items() if value is not None]
        return " ".join([*words, *(["required"] if self.required else [])])


def type_of(value: object) -> str:
    """The JSON type of *value*; of what is none ``"file"``."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"  # 1 and 1.0 are one number
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    if isinstance(value, Mapping):
        return "object"
    return "null" if value is None else "file"


def kinds_of(value: Any) -> dict[str, Any]:
    """What a reader may take *value* for, by type: a form's text for a number or a truth, too."""
    if isinstance(value, FieldText):
        kinds: dict[str, Any] = {"string": str(value)}
        if _INTEGER.fullmatch(value):
            kinds |= {"integer": int(value), "number": int(value)}
        elif _NUMBER.fullmatch(value):
            kinds["number"] = float(value)
        if value in ("true", "false"):
            kinds["boolean"] = value == "true"
        return kinds
    if isinstance(value, int) and not isinstance(value, bool):
        return {"integer": value, "number": value}
    if isinstance(value, list | dict | Upload):
        return {type_of(value): ""}
    return {type_of(value): value}


@frozen
class BodyRules:
    """The rules of one route.

    :ivar only: top-level members that may be there; ``None``: all may.
    :ivar forbid: members that may not.
    :ivar set: the server's own, whatever the page sent.
    :ivar default: what is set where the page sent nothing.
    :ivar rules: what members may be.
    :ivar batches: a list of bodies is taken, each judged by itself.
    """

    only: tuple[str, ...] | None = None
    forbid: tuple[str, ...] = ()
    set: Mapping[str, object] = Factory(dict)
    default: Mapping[str, object] = Factory(dict)
    rules: Mapping[str, MemberRule] = Factory(dict)
    batches: bool = False
    _members: Members = field(init=False, repr=False, eq=False)
    _only: frozenset[str] = field(init=False, repr=False, eq=False)
    _own: OwnNames = field(init=False, repr=False, eq=False)

    @_members.default
    def _listed(self) -> Members:
        # A name of ``only`` has one spelling by itself: every other is not in it.
        paths = (*self.forbid, *self.set, *self.default, *self.rules)
        return Members(paths, passes={path: rule.texts for path, rule in self.rules.items()})

    @_only.default
    def _open_names(self) -> frozenset[str]:
        return frozenset(self.only or ())

    @_own.default
    def _spoken_of(self) -> OwnNames:
        listed = (*self.forbid, *self.set, *self.default, *self.rules)
        return OwnNames(path.partition(".")[0] for path in listed)

    def judge(self, document: Document) -> dict[Member, object]:
        """The defaults that *document* lacks.

        :raises BodyNotAllowed: it breaks a rule.
        """
        value = document.value
        if isinstance(value, list) and self.batches:
            for item in value:
                self._judge(document, item)
            return {}
        found = self._judge(document, value)
        if not self.default:
            return {}
        return {
            member_of(path): default
            for path, default in self.default.items()
            if path not in found and _has_room(value, member_of(path))
        }

    def _judge(self, document: Document, value: Any) -> dict[str, list[Any]]:
        if not isinstance(value, dict):
            batch = isinstance(value, list)
            raise BodyNotAllowed(
                "Request body must be a JSON object" + (", not a list of them" if batch else ""),
                reason="the body is no object",
                remedy="batches = true" if batch and not (self.set or self.default) else "",
                rule="batches",
            )
        if self.only is not None and not self._only.issuperset(value):
            name = next(name for name in value if name not in self._only)
            raise self._not_open(name, "only", [*self.only, name])
        found = self._members.found(document, value)
        for path in self.forbid:
            if path in found:
                raise self._not_open(path, "forbid", [name for name in self.forbid if name != path])
        for path, rule in self.rules.items():
            if path not in found and rule.required:
                raise _breach(path, "is required", f"rules.{path}")
            for each in found.get(path, ()):
                words, key, wanted = rule.breach(each)
                if words:
                    raise _breach(path, words, f"rules.{path}", _rule_line(path, key, wanted))
        return found

    @property
    def needs_user(self) -> bool:
        """Whether the server's words are about the caller."""
        return any(word in json.dumps(value) for value in self.set.values() for word in USER_WORDS)

    def server_words(self, user: User | None) -> dict[Member, object]:
        """What the server sets.

        :raises Unauthorized: it is a word about the user, and there is none.
        """
        return {member_of(path): _filled(value, user) for path, value in self.set.items()}

    def judge_query(self, query: str, listed: Callable[[str], bool], *, merged: bool) -> None:
        """Let the query of a request pass that may have a body.

        Rails, PHP's ``$_REQUEST`` and others take parameters of a query for members of the body.

        :param listed: whether the option ``query`` lists a parameter of a name.
        :param merged: the upstream is of that kind: ``only`` is about all others, too.
        :raises BodyNotAllowed: a parameter is what a rule is about.
        """
        if not query:
            return
        name = self._own.named_in(f"?{query}")
        if name is not None:
            raise BodyNotAllowed(
                f'"{name}" stands in the query; this route takes it in the body',
                reason=f'query parameter "{name}", of which a body rule speaks',
                param=name,
                rule="query",
            )
        if self.only is None or not merged:
            return
        members = {folded_parameter(name) for name in self.only}
        for pair in re.split("[&;]", query):
            whole = unquote_plus(pair.partition("=")[0])
            name = whole.partition("[")[0]
            if name and not listed(whole) and folded_parameter(name) not in members:
                raise self._not_open(name, "only", [*self.only, name])

    def _not_open(self, name: str, key: str, wanted: list[str]) -> BodyNotAllowed:
        plain = _BARE.fullmatch(name.replace(".", "")) is not None and len(name) <= 64
        line = f"{key} = {json.dumps(wanted)}" if plain else ""
        return _breach(name, "is not allowed on this route", key, line)

    @property
    def lines(self) -> Iterator[str]:
        """The rules in words, for the operator."""
        if self.only is not None:
            yield f"only {', '.join(self.only)}"
        if self.forbid:
            yield f"never {', '.join(self.forbid)}"
        for path, rule in self.rules.items():
            yield f"{path}: {rule.text}"
        for word, values in (("sets", self.set), ("default", self.default)):
            if values:
                pairs = (f"{path} = {json.dumps(value)}" for path, value in values.items())
                yield f"{word} {', '.join(pairs)}"
        if self.batches:
            yield "lists of bodies, each judged"


def _breach(path: str, words: str, rule: str, remedy: str = "") -> BodyNotAllowed:
    name = shown(path)
    colon = "" if words.startswith("is ") else ":"
    return BodyNotAllowed(
        f'Body member "{name}"{colon} {words}',
        reason=f"body rule: {name}{colon} {words}",
        param=name,
        remedy=remedy,
        rule=rule,
    )


def _rule_line(path: str, key: str, wanted: object) -> str:
    """The rule that would let the value pass, where a page's value can stand in a config."""
    items = wanted if isinstance(wanted, list) else [wanted]
    if any(item is None or (isinstance(item, str) and not _BARE.fullmatch(item)) for item in items):
        return ""
    name = path if _BARE.fullmatch(path) else f'"{path}"'
    return f"rules = {{ {name} = {{ {key} = {json.dumps(wanted)} }} }}"


def _has_room(value: Any, member: Member) -> bool:
    """Whether *member* can be added: what it stands in is missing, or has members."""
    for name in member[:-1]:
        if not isinstance(value, dict):
            return False
        if name not in value:
            return True
        value = value[name]
    return isinstance(value, dict | FieldText)


def _filled(value: object, user: User | None) -> object:
    if isinstance(value, Mapping):
        return {name: _filled(each, user) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, user) for each in value]
    if not isinstance(value, str) or value not in USER_WORDS:
        return value
    word = None if user is None else USER_WORDS[value](user)
    if word is None:
        raise Unauthorized(reason=f"the body has {value}, and the caller has none")
    return word
