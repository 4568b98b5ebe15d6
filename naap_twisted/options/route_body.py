"""The options that judge bodies: ``[proxy.body]``, ``models``, ``max_output_tokens``, ``judge``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ..interfaces import IDownstreamRequest
from ..policy.body_rules import TYPES, USER_WORDS, BodyRules, MemberRule, Scalar
from ..policy.output_limit import OutputBound
from .http_values import CALLABLE
from .values import (
    TEXT,
    Flaws,
    Kind,
    Surroundings,
    count,
    expected,
    flag,
    json_object,
    list_of,
    object_schema,
    one_of,
    read_all,
    reads,
    reads_text,
    table_of,
    text,
)

#: What code may give: of the request and its parsed body, another body, or ``None`` to let it pass.
Judge = Callable[
    [IDownstreamRequest, Any], Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None
]
_NAME = re.compile(r"[^\x00-\x1f\x7f]+")
_REFERENCE = re.compile(r"\$\{[^}]*\}")


@reads_text()
def member_name(written: str) -> str:
    """The path of a member: names with dots between them."""
    if _NAME.fullmatch(written) is None or "" in written.split("."):
        raise ValueError('is not a member such as "model" or "stream_options.include_usage"')
    return written


@reads_text()
def _top_name(written: str) -> str:
    member_name(written)
    if "." in written:
        raise ValueError("names top-level members, which have no dots; write the first name alone")
    return written


@reads("int | float", {"type": "number"})
def _number(value: object) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise expected("a number", value)
    # Written so that NaN is none, either.
    if not abs(value) <= 2**53:
        raise ValueError("is no number that every reader of JSON holds exactly (up to 2**53)")
    return value


@reads("str | int | float | bool", {"type": ["string", "number", "boolean"]})
def _scalar(value: object) -> Scalar:
    if not isinstance(value, str | int | float | bool):
        raise expected("text, a number, true or false", value)
    return value if isinstance(value, str | bool) else _number(value)


_RULE_KINDS: dict[str, Kind[Any]] = {
    "in": list_of(_scalar, what="values", empty=False),
    "min": _number,
    "max": _number,
    "type": one_of(*TYPES),
    "min_length": count,
    "max_length": count,
    "max_items": count,
    "required": flag,
}


def _read_rule(value: object, surroundings: Surroundings) -> MemberRule:
    if isinstance(value, MemberRule):
        return value
    if not isinstance(value, Mapping):
        raise expected("a table such as { max = 1 }", value)
    _refuse_unknown(value, _RULE_KINDS)
    if not value:
        raise ValueError("is empty; write what the member may be, such as { max = 1 }")
    given = [key for key in _RULE_KINDS if key in value]
    read = read_all(
        (f".{key}", partial(_RULE_KINDS[key], value[key], surroundings)) for key in given
    )
    rule = MemberRule(
        **{_FIELDS.get(key, key): each for key, each in zip(given, read, strict=True)}
    )
    _refuse_contradiction(rule)
    return rule


_FIELDS = {"in": "allowed"}


def _refuse_contradiction(rule: MemberRule) -> None:
    """Raise ValueError for a rule that no value, or not every listed one, can meet."""
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        raise Flaws((".min", "is over max; no number is between them"))
    if (rule.min_length or 0) > (rule.max_length or float("inf")):
        raise Flaws((".min_length", "is over max_length; no text is between them"))
    numeric = rule.min is not None or rule.max is not None
    lengths = rule.min_length is not None or rule.max_length is not None
    bounds = {"number": numeric, "string": lengths, "array": rule.max_items is not None}
    wanted = {kind for kind, bounded in bounds.items() if bounded}
    if rule.type is not None:
        wanted.add("number" if rule.type == "integer" else rule.type)
    if len(wanted) > 1:
        raise ValueError(f"asks for {' and '.join(sorted(wanted))} at once; delete one of them")
    alone = MemberRule(**_bounds(rule))
    for index, item in enumerate(rule.allowed or ()):
        words, _, _ = alone.breach(item)
        if words:
            raise Flaws((f".in[{index}]", f"breaks the rule's own bound: {words}"))


def _bounds(rule: MemberRule) -> dict[str, Any]:
    names = ("min", "max", "type", "min_length", "max_length", "max_items")
    return {name: getattr(rule, name) for name in names}


member_rule: Kind[MemberRule] = Kind(
    _read_rule,
    "Mapping[str, object]",
    object_schema({key: kind.schema for key, kind in _RULE_KINDS.items()}, []),
)


def _by_member(kind: Kind[Any]) -> Kind[dict[str, Any]]:
    """A table of members."""

    def read(value: object, surroundings: Surroundings) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise expected("a table of members", value)
        names = read_all(
            (f"[name {n}]", partial(member_name, each)) for n, each in _numbered(value)
        )
        values = read_all((f".{name}", partial(kind, value[name], surroundings)) for name in names)
        return dict(zip(names, values, strict=True))

    schema = {"type": "object", "additionalProperties": kind.schema}
    return Kind(read, f"Mapping[str, {kind.annotation}]", schema)


def _numbered(value: Mapping[object, object]) -> Iterator[tuple[int, object]]:
    return enumerate(value, start=1)


@reads("object", {})
def _word(value: object) -> object:
    """A value that JSON has; of text also a word about the user."""
    plain = json_object({"value": value})["value"]
    for reference in _references(plain):
        if reference not in USER_WORDS:
            known = ", ".join(USER_WORDS)
            raise ValueError(f"holds a ${{...}} that is none of {known}, each the whole text")
    return plain


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, str) and _REFERENCE.search(value):
        yield value


@reads("object", {})
def _default(value: object) -> object:
    word = _word(value)
    if any(True for _ in _references(word)):
        raise ValueError("is no place for ${user:...}, which a page could leave out; use set")
    return word


_BODY_KINDS: dict[str, Kind[Any]] = {
    "only": list_of(_top_name, what="members", empty=False),
    "forbid": list_of(member_name, what="members", empty=False),
    "set": _by_member(_word),
    "default": _by_member(_default),
    "rules": _by_member(member_rule),
    "batches": flag,
}


def _read_body(value: object, surroundings: Surroundings) -> BodyRules | None:
    if value is None or isinstance(value, BodyRules):
        return value
    if not isinstance(value, Mapping):
        raise expected('a table such as { only = ["model"] }', value)
    _refuse_unknown(value, _BODY_KINDS)
    given = [key for key in _BODY_KINDS if key in value]
    read = read_all(
        (f".{key}", partial(_BODY_KINDS[key], value[key], surroundings)) for key in given
    )
    rules = BodyRules(**dict(zip(given, read, strict=True)))
    flaws = [*_body_flaws(rules)]
    if not value:
        flaws.append(("", "is empty; write rules, or delete it"))
    if flaws:
        raise Flaws(*flaws)
    return rules


def _body_flaws(rules: BodyRules) -> Iterator[tuple[str, str]]:
    """What rules say against one another."""
    if rules.only is not None:
        needed = [path for path, rule in rules.rules.items() if rule.required]
        for path in (*needed, *rules.default):
            if path.partition(".")[0] not in rules.only:
                yield ".only", f'lacks "{path.partition(".")[0]}", which another rule asks for'
        for path in rules.forbid:
            if path.partition(".")[0] not in rules.only:
                yield ".forbid", f'"{path}" is not in only, so it is refused already; drop it'
            elif path in rules.only:
                yield ".forbid", f'"{path}" is in only, too; drop it in one of them'
    for path in rules.forbid:
        if path in rules.default:
            yield ".default", f'"{path}" is in forbid, too; to set it for everybody, use set'
        if path in rules.rules:
            yield ".rules", f'"{path}" is in forbid, so that no rule can be met; drop one of them'
    for path, value in rules.default.items():
        words = rules.rules[path].breach(value)[0] if path in rules.rules else ""
        if words:
            yield f".default.{path}", f"breaks the member's own rule: {words}"
    for path in rules.set:
        for other in (*rules.default, *(each for each in rules.set if each != path)):
            if other == path or other.startswith(f"{path}."):
                yield ".set", f'sets "{path}", and with it "{other}"; write one of them'
    if rules.batches and (rules.set or rules.default):
        yield ".batches", "has no meaning beside set and default, which are for one body"
    if rules.batches and rules == BodyRules(batches=True):
        yield ".batches", "has no meaning without rules"


def _refuse_unknown(table: Mapping[Any, object], known: Mapping[str, object]) -> None:
    flaws = []
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(str(key)[:64].lower(), known, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(known)}"
            flaws.append((f".{ascii(str(key)[:64])[1:-1]}", f"unknown key{hint}"))
    if flaws:
        raise Flaws(*flaws)


body_rules: Kind[BodyRules | None] = Kind(
    _read_body,
    "BodyRules | Mapping[str, object] | None",
    object_schema({key: kind.schema for key, kind in _BODY_KINDS.items()}, []),
)


@reads_text(minLength=1)
def model_pattern(written: str) -> str:
    """A model's name, or its beginning and a star."""
    if written == "*":
        raise ValueError("opens every model; leave models out then")
    if not written.strip() or not written.isprintable() or "*" in written[:-1]:
        raise ValueError('is not a model such as "gpt-4o-mini", or "gpt-5-mini*"')
    return written


_BOUND = table_of({"over": one_of("refuse", "clamp")}, tokens=count)


def _read_bound(value: object, surroundings: Surroundings) -> OutputBound | None:
    if value is None or isinstance(value, OutputBound):
        return value
    if isinstance(value, Mapping):
        table = _BOUND(value, surroundings)
        return OutputBound(table["tokens"], table.get("over") == "clamp")
    return OutputBound(count(value))


output_bound: Kind[OutputBound | None] = Kind(
    _read_bound,
    "OutputBound | Mapping[str, object] | int | None",
    {"anyOf": [count.schema, _BOUND.schema]},
)


@reads("Judge | str | None", TEXT)
def judge(value: object) -> Judge | str | None:
    """A callable, or ``"package.module:callable"``, which is imported when the route is built."""
    if value is None or callable(value):
        return value
    if CALLABLE.fullmatch(text(value)) is None:
        raise ValueError('must be "package.module:callable"')
    return text(value)
