"""The options in writing: for people, for editors, for type checkers. All of it from one place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..model import RateLimit
from .code import ROUTE_KEYWORDS, SERVER_KEYWORDS
from .option import Option, options_of
from .route import RouteOptions
from .server import SECTIONS
from .values import NUMBER_OR_TEXT, duration

ROUTE_MARK = "<!-- route-options: naap-proxy options --markdown -->"
SERVER_MARK = "<!-- server-options -->"
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_KEYWORDS = """\
\"\"\"Keyword arguments of both doors. By ``naap-proxy options --python``.\"\"\"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from treq.client import HTTPClient
    from treq.testing import StubTreq
    from twisted.logger import Logger

    from ..auth.gate import Authorize
    from ..downstream.limits import DownstreamLimits
    from ..interfaces import IAuthenticator, IKeyStore, IUpstream
    from ..limits.capacity import CapacityLimits
    from ..model import AllowedNetwork, ExposeHeader, RateLimit
    from ..secret import Secret
    from .secrets import ForwardHeaders
"""


def every_option() -> tuple[Option, ...]:
    """The server's, then a route's."""
    return tuple(each for part in (*SECTIONS, RouteOptions) for each in options_of(part).values())


def default_of(each: Option) -> str:
    """The default as a file would say it; ``""`` for none."""
    value = each.default
    if value in (None, (), ""):
        return ""
    if each.kind.schema == NUMBER_OR_TEXT:
        seconds = int(duration(value))
        # Below ten minutes people say seconds; an hour and a half has no hours of its own.
        units = _UNITS if seconds >= 600 else _UNITS[-1:]
        unit, size = next(unit for unit in units if seconds % unit[1] == 0)
        return f'"{seconds // size}{unit}"'
    if isinstance(value, RateLimit):
        return f'{{ requests = {value.requests}, window = "{int(value.window // 60)}m" }}'
    return json.dumps(value)


def text() -> str:
    """Every option with its place, its keyword, default, sentence and example."""
    return "\n".join(line for each in every_option() for line in _entry(each))


def _entry(each: Option) -> Iterator[str]:
    place = each.place if each.section != "proxy" else f"[[proxy]] {each.key}"
    names = [place] if each.in_file else []
    names += [f"{each.keyword}= in code"] if each.keyword else []
    yield f"{', '.join(names)}{'' if each.in_file and each.keyword else ' only'}"
    yield f"    {_plain(each.sentence)}"
    if default_of(each):
        yield f"    default: {default_of(each)}"
    if each.example:
        yield f"    example: {each.key} = {each.example}"
    yield f"    since {each.since}"
    yield ""


def _plain(sentence: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", sentence)


def route_table() -> str:
    """A route's options, as README has them."""
    return _table("option", (_row(each, [each.key]) for each in options_of(RouteOptions).values()))


def server_table() -> str:
    """A server's options, as README has them."""
    every = [each for section in SECTIONS for each in options_of(section).values()]
    rows = (_row(each, [each.keyword, each.place if each.in_file else ""]) for each in every)
    return _table("code | TOML", rows)


def _table(heading: str, rows: Iterable[str]) -> str:
    columns = heading.count("|") + 3
    return "\n".join((f"| {heading} | default | meaning |", "|---" * columns + "|", *rows)) + "\n"


def _row(each: Option, names: list[str]) -> str:
    cells = [f"`{name}`" if name else "" for name in names]
    only = "" if each.in_file else "Code only. "
    only = only if each.keyword or each.key == "path" else "TOML only. "
    default = default_of(each)
    cells += [f"`{default}`" if default else "", only + each.sentence]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    """Both tables, with the lines that README has around them."""
    return f"{ROUTE_MARK}\n{route_table()}\n{SERVER_MARK}\n{server_table()}"


def schema_text() -> str:
    """:func:`schema` as JSON."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema of a config file, for editors."""
    properties: dict[str, Any] = {part.section: _section(part) for part in SECTIONS}
    properties["proxy"] = {"type": "array", "items": _section(RouteOptions), "minItems": 1}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "naap-proxy.toml",
        "type": "object",
        "properties": properties,
        "required": ["proxy"],
        "additionalProperties": False,
    }


def _section(part: Any) -> dict[str, Any]:
    listed = [each for each in options_of(part).values() if each.in_file]
    return {
        "type": "object",
        "properties": {each.key: _property(each) for each in listed},
        "required": [each.key for each in listed if each.required],
        "additionalProperties": False,
    }


def _property(each: Option) -> dict[str, Any]:
    about = {"description": _plain(each.sentence), **each.kind.schema}
    if isinstance(each.default, (bool, int, float, str)) and each.default != "":
        about["default"] = each.default
    return about


def keywords_module() -> str:
    """``keywords.py``: the keyword arguments of both doors, for type checkers."""
    server = _typed_dict("ServerKeywords", SERVER_KEYWORDS, ("name", "port"))
    return "\n\n".join((_KEYWORDS, server, _typed_dict("RouteKeywords", ROUTE_KEYWORDS)))


def _typed_dict(name: str, keywords: Mapping[str, Option], without: Sequence[str] = ()) -> str:
    lines = [f"class {name}(TypedDict, total=False):", '    """See ``naap-proxy options``."""', ""]
    lines += [f"    {k}: {about.kind.given}" for k, about in keywords.items() if k not in without]
    return "\n".join((*lines, ""))
