"""What a provider's file says of its API's endpoints: their groups, and what a request names there.

The texts stay texts: what they match is for the rules of a route. They are held to their form here,
so that a mistake in a file is told when the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from ..policy.endpoint_pattern import Endpoint
from ..policy.models import MODEL
from . import values
from .option import option
from .read import Problems, read_section

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_MEMBER = re.compile(r"[^.\s]+(?:\.[^.\s]+)*")
_GROUP_NAME = 'is not the name of a group: a-z, then a-z, 0-9 and "-", such as "chat"'


@values.reads_text()
def endpoint(written: str) -> str:
    """One endpoint: a method, a blank, a path."""
    Endpoint.parse(written)
    return written


@values.reads_text()
def _group(written: str) -> str:
    if not written.startswith("@") or _NAME.fullmatch(written[1:]) is None:
        raise ValueError('is not a group such as "@chat"')
    return written


@values.reads_text(pattern=_MEMBER.pattern)
def _member(written: str) -> str:
    if _MEMBER.fullmatch(written) is None:
        raise ValueError('is not a member of a body, such as "model" or "session.model"')
    return written


@values.reads_text()
def _query_name(written: str) -> str:
    if not written.strip() or not written.isprintable():
        raise ValueError("is not the name of a parameter: printable text is wanted")
    return written


@values.reads_text()
def _model_path(written: str) -> str:
    if written.count(MODEL) != 1:
        raise ValueError(f'must hold {MODEL} once, such as "/models/{MODEL}:*"')
    # The pattern of a path is held to the form of an endpoint's.
    Endpoint.parse(f"GET {written.replace(MODEL, 'model')}")
    return written


#: ``least``: groups, each as a route names it.
least_groups = values.list_of(_group, what="groups")
_endpoint_list = values.list_of(endpoint, what="endpoints", empty=False)


@frozen
class ModelNames:
    """``[model]``: where a request names a model; a path is below the route's base."""

    section: ClassVar[str] = "model"

    body: tuple[str, ...] = option(
        values.list_of(_member, what="members"),
        "Members of a body, through lists too.",
    )
    query: tuple[str, ...] = option(
        values.list_of(_query_name, what="parameters"), "Parameters of a query."
    )
    path: tuple[str, ...] = option(values.list_of(_model_path, what="paths"), "Parts of a path.")
    routers: tuple[str, ...] = option(
        values.list_of(values.text, what="models"),
        "Names that stand for a model of the vendor's choice, which the answer names.",
    )


@frozen
class StreamUsage:
    """``[stream_usage]``: endpoints whose streams report usage only where a body asks for it."""

    section: ClassVar[str] = "stream_usage"

    endpoints: tuple[str, ...] = option(values.list_of(endpoint, what="endpoints"), "Where.")
    member: str = option(
        _member, "What asks, by being true.", default="stream_options.include_usage"
    )


@frozen
class Limit:
    """One of ``[[limit]]``: what bounds the output of a model at some endpoints.

    Either members do, or there is nothing that does, and an answer has a size of its own.
    """

    section: ClassVar[str] = "limit"

    endpoints: tuple[str, ...] = option(_endpoint_list, "Where.", default=(), required=True)
    members: tuple[str, ...] = option(
        values.list_of(_member, what="members"),
        "Members of a body; the first is what is set where a request has none.",
    )
    tokens: int | None = option(
        values.optional(values.count), "In their place, tokens of one answer at most.", default=None
    )


def read_groups(table: object, problems: Problems) -> dict[str, tuple[str, ...]]:
    """``[endpoints]``: the endpoints of each group; what is wrong is noted."""
    groups: dict[str, tuple[str, ...]] = {}
    if not isinstance(table, Mapping):
        problems.add("endpoints", str(values.expected("a table", table)))
        return groups
    for name, texts in table.items():
        plain = re.fullmatch(r"[\w-]{1,64}", name, re.ASCII)
        place = f"endpoints.{name if plain else ascii(name[:64])}"
        if _NAME.fullmatch(name) is None:
            problems.add(place, _GROUP_NAME)
            continue
        with problems.noting(place):
            groups[name] = _once(_endpoint_list(texts))
    return groups


def _once(texts: tuple[str, ...]) -> tuple[str, ...]:
    for index, text in enumerate(texts):
        if text in texts[:index]:
            raise values.Flaws((f"[{index}]", f'repeats "{text}"; delete one of them'))
    return texts


def read_least(
    listed: object, groups: Mapping[str, tuple[str, ...]], problems: Problems
) -> tuple[str, ...]:
    """``least``: names of *groups*; what is wrong is noted."""
    with problems.noting("least"):
        named = least_groups(listed)
        unknown = [
            (f"[{index}]", f'no group "{name[1:]}" is in [endpoints]')
            for index, name in enumerate(named)
            if name[1:] not in groups
        ]
        if unknown:
            raise values.Flaws(*unknown)
        return named
    return ()


def read_limits(tables: object, problems: Problems) -> tuple[Limit, ...]:
    """``[[limit]]``: each of the tables; what is wrong is noted."""
    if not isinstance(tables, list):
        problems.add("limit", "expected [[limit]] tables")
        return ()
    limits = tuple(
        read_section(Limit, table, f"limit[{index}]", values.here(), problems)
        for index, table in enumerate(tables)
    )
    seen: set[str] = set()
    for index, limit in enumerate(limits):
        if bool(limit.members) == (limit.tokens is not None):
            problems.add(f"limit[{index}]", "needs members, or tokens in their place")
        for text in limit.endpoints:
            if text in seen:
                problems.add(f"limit[{index}].endpoints", f'"{text}" has a limit already')
            seen.add(text)
    return limits


def read_opens(
    document: Mapping[str, Any], problems: Problems
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...], tuple[Limit, ...]]:
    """The groups, the least of them, and the limits of a file; what is wrong is noted."""
    groups = read_groups(document.get("endpoints", {}), problems)
    least = read_least(document.get("least", []), groups, problems)
    return groups, least, read_limits(document.get("limit", []), problems)
