"""The options in writing: for people, for editors, for type checkers. All of it from one place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..model import CircuitBreaker, RateLimit
from .code import ROUTE_KEYWORDS, SERVER_KEYWORDS
from .option import Option, listed_options
from .route import RouteOptions
from .server import SECTIONS
from .values import NUMBER_OR_TEXT, duration, object_schema

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
    from ..credentials.oauth2 import ClientCredentials
    from ..credentials.sigv4 import AwsSigV4
    from ..downstream.limits import DownstreamLimits
    from ..interfaces import IAuthenticator, IKeyStore, IUpstream
    from ..limits.capacity import CapacityLimits
    from ..model import AllowedNetwork, CircuitBreaker, ExposeHeader, RateLimit
    from ..policy.body_rules import BodyRules
    from ..policy.output_limit import OutputBound
    from ..policy.query_rules import QueryRules
    from ..secret import Secret
    from ..spend.budget import Budget
    from .route_body import Judge
    from .secrets import ForwardHeaders
    from .signing import Sign
"""


def every_option() -> list[Option]:
    """The server's options, then a route's."""
    return listed_options(*SECTIONS, RouteOptions)


def default_of(option: Option) -> str:
    """The default as a file would say it; ``""`` for none."""
    value = option.default
    if value in (None, (), "", {}):
        return ""
    if option.kind.schema == NUMBER_OR_TEXT:
        seconds = int(duration(value))
        # Below ten minutes people say seconds; an hour and a half has no hours of its own.
        units = _UNITS if seconds >= 600 else _UNITS[-1:]
        unit, size = next(unit for unit in units if seconds % unit[1] == 0)
        return f'"{seconds // size}{unit}"'
    if isinstance(value, RateLimit):
        return f'{{ requests = {value.requests}, window = "{int(value.window // 60)}m" }}'
    if isinstance(value, CircuitBreaker):
        times = f'window = "{int(value.window)}s", open = "{int(value.open)}s"'
        return f"{{ failures = {value.failures}, {times} }}"
    return json.dumps(value)


def text() -> str:
    """Every option with its place, its keyword, default, sentence and example."""
    return "\n".join(line for option in every_option() for line in _entry(option))


def _entry(option: Option) -> Iterator[str]:
    place = option.place if option.section != "proxy" else f"[[proxy]] {option.key}"
    names = [place] if option.in_file else []
    names += [f"{option.keyword}= in code"] if option.keyword else []
    yield f"{', '.join(names)}{'' if option.in_file and option.keyword else ' only'}"
    yield f"    {_plain(option.sentence)}"
    if default_of(option):
        yield f"    default: {default_of(option)}"
    if option.example:
        yield f"    example: {option.key} = {option.example}"
    yield f"    since {option.since}"
    yield ""


def _plain(sentence: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", sentence)


def _table(heading: str, options: Iterable[Option]) -> str:
    rows = map(_row, options)
    columns = heading.count("|") + 3
    return "\n".join((f"| {heading} | default | meaning |", "|---" * columns + "|", *rows)) + "\n"


def _row(option: Option) -> str:
    names = [option.keyword, option.place if option.in_file else ""]
    names = [option.key] if option.section == "proxy" else names
    cells = [f"`{name}`" if name else "" for name in names]
    only = "" if option.in_file else "Code only. "
    only = only if option.keyword or option.key == "path" else "TOML only. "
    default = default_of(option)
    cells += [f"`{default}`" if default else "", only + option.sentence]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    """A route's options and a server's, each table below the mark that README has above it."""
    route = _table("option", listed_options(RouteOptions))
    server = _table("code | TOML", listed_options(*SECTIONS))
    return f"{ROUTE_MARK}\n{route}\n{SERVER_MARK}\n{server}"


def schema_text() -> str:
    """:func:`schema` as JSON."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema of a config file, for editors."""
    properties: dict[str, Any] = {part.section: _section(part) for part in SECTIONS if part.section}
    for part in SECTIONS:
        properties |= {} if part.section else _section(part)["properties"]
    properties["proxy"] = {"type": "array", "items": _section(RouteOptions), "minItems": 1}
    draft = "http://json-schema.org/draft-07/schema#"
    about = {"$schema": draft, "title": "naap-proxy.toml"}
    return {**about, **object_schema(properties, ["proxy"])}


def _section(part: Any) -> dict[str, Any]:
    options = [option for option in listed_options(part) if option.in_file]
    required = [option.key for option in options if option.required]
    return object_schema({option.key: _property(option) for option in options}, required)


def _property(option: Option) -> dict[str, Any]:
    about = {"description": _plain(option.sentence), **option.kind.schema}
    if isinstance(option.default, (bool, int, float, str)) and option.default != "":
        about["default"] = option.default
    return about


def keywords_module() -> str:
    """``keywords.py``: the keyword arguments of both doors, for type checkers."""
    server = _typed_dict("ServerKeywords", SERVER_KEYWORDS, ("name", "port"))
    return "\n\n".join((_KEYWORDS, server, _typed_dict("RouteKeywords", ROUTE_KEYWORDS)))


def _typed_dict(name: str, keywords: Mapping[str, Option], without: Sequence[str] = ()) -> str:
    lines = [f"class {name}(TypedDict, total=False):", '    """See ``naap-proxy options``."""', ""]
    options = [option for keyword, option in keywords.items() if keyword not in without]
    lines += [f"    {option.keyword}: {option.kind.annotation}" for option in options]
    return "\n".join((*lines, ""))
