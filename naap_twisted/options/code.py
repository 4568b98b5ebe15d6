"""The door for code: keyword arguments to the same values that a file's tables become."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import AttrsInstance, evolve

from .auth import AuthOptions, told_by_code
from .judge import judge_anywhere, judge_exposure, judge_path, judge_placed, judge_server
from .option import Option, listed_options
from .prices import prices_with
from .provided import over_provider
from .read import Problems, read_values, refuse_unknown
from .route import RouteOptions
from .rules import USAGE_PATH
from .server import (
    SECTIONS,
    Config,
    KeysOptions,
    PricesOptions,
    RedisOptions,
    ServerOptions,
    UpstreamOptions,
    tcp,
)
from .values import Surroundings, here

Door = TypeVar("Door", bound=Callable[..., Any])


def keywords_of(*sections: type[AttrsInstance]) -> dict[str, Option]:
    """The options that code can give, by keyword."""
    return {option.keyword: option for option in listed_options(*sections) if option.keyword}


SERVER_KEYWORDS = keywords_of(*SECTIONS)
ROUTE_KEYWORDS = keywords_of(RouteOptions)
_NAMES = {"proxy.path": "path"} | {
    option.place: option.keyword for option in (*SERVER_KEYWORDS.values(), *ROUTE_KEYWORDS.values())
}


def _spelled(path: str) -> str:
    """A place of a file as code names it: ``auth.secret`` is ``jwt_secret``."""
    return re.sub(r"^\w+\.\w+", lambda place: _NAMES.get(place[0], place[0]), path)


def in_file(line: str) -> str:
    """A line that names a server's option as code does, as a file has it."""
    keyword = re.match(r"\w+(?=[:\[])", line)
    if keyword is None or keyword[0] not in SERVER_KEYWORDS:
        return line
    return SERVER_KEYWORDS[keyword[0]].place + line[keyword.end() :]


def read_server(named: Mapping[str, Any], surroundings: Surroundings | None = None) -> Config:
    """What :func:`~naap_twisted.create_plugin_server` was given.

    :raises ConfigError: one line a problem, each opening with the keyword.
    """
    around = surroundings or here()
    problems = Problems(_spelled)
    tables = _tables(named, SERVER_KEYWORDS, problems)
    if tables["server"].get("listen") in ((), []):
        del tables["server"]["listen"]
    server = read_values(ServerOptions, tables["server"], "server", around, problems)
    if "listen" not in tables["server"] and not problems.touch("server.port", "server.host"):
        with problems.noting("server.host"):
            server = evolve(server, listen=(tcp(server.port, server.host),))
    auth = read_values(AuthOptions, tables["auth"], "auth", around, problems)
    config = Config(
        server=server,
        auth=told_by_code(auth, around.environ, problems),
        upstream=read_values(UpstreamOptions, tables["upstream"], "upstream", around, problems),
        redis=read_values(RedisOptions, tables["redis"], "redis", around, problems),
        keys=read_values(KeysOptions, tables["keys"], "keys", around, problems),
        prices=prices_with(read_values(PricesOptions, tables[""], "", around, problems).prices),
    )
    judge_server(config, problems)
    problems.refuse()
    return config


def read_route(named: Mapping[str, Any], surroundings: Surroundings | None = None) -> RouteOptions:
    """What :func:`~naap_twisted.create_external_proxy` was given.

    :raises ConfigError: one line a problem, each opening with the keyword.
    """
    problems = Problems(_spelled)
    table = _tables(named, ROUTE_KEYWORDS, problems)["proxy"]
    around = surroundings or here()
    own = read_values(RouteOptions, table, "proxy", around, problems)
    route = over_provider(own, table, "proxy", around, problems)
    judge_anywhere(route, "proxy", problems)
    problems.refuse()
    return route


def check_mount(
    config: Config,
    path: str,
    route: RouteOptions | None,
    beside: Sequence[tuple[str, RouteOptions | None]] = (),
) -> None:
    """Whether *route* (``None``: a resource that is no proxy) can stand at *path* of a server.

    :param beside: what is mounted there already, each with its path.
    :raises ConfigError: one line a problem, each opening with the keyword, or with ``path``.
    """
    problems = Problems(_spelled)
    read_values(RouteOptions, {"path": path}, "proxy", here(), problems)
    mounted = (route, *(each for _, each in beside))
    config = evolve(config, proxy=(*config.proxy, *filter(None, mounted)))
    if not problems.lines:
        judge_path(config, path, "proxy.path", problems)
    if route is not None and route.budget and any(each == USAGE_PATH for each, _ in beside):
        problems.add("proxy.budget", f'is told at "{USAGE_PATH}", where another mount stands')
    if route is not None:
        judge_placed(config, route, "proxy", problems)
    problems.refuse()


def exposed(config: Config, route: RouteOptions) -> list[str]:
    """Why a route on a server is an open relay that nobody asked for; none: it is not."""
    problems = Problems(_spelled)
    judge_exposure(config, route, "proxy", problems)
    return problems.lines


def _tables(
    arguments: Mapping[str, object], keywords: Mapping[str, Option], problems: Problems
) -> dict[str, dict[str, object]]:
    refuse_unknown(arguments, keywords, "", problems)
    tables: dict[str, dict[str, object]] = {option.section: {} for option in keywords.values()}
    for keyword, value in arguments.items():
        if keyword in keywords:
            option = keywords[keyword]
            tables[option.section][option.key] = value
    return tables


def documented(keywords: Mapping[str, Option]) -> Callable[[Door], Door]:
    """A function that takes *keywords* as ``**options`` shows them: in its signature, its help."""

    def document(door: Door) -> Door:
        own = inspect.signature(door)
        shown = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        lines = [inspect.cleandoc(door.__doc__ or ""), ""]
        for keyword, option in keywords.items():
            lines.append(f":param {keyword}: {option.sentence}")
            if keyword not in own.parameters:
                about = {"default": option.default, "annotation": option.kind.annotation}
                shown.append(inspect.Parameter(keyword, inspect.Parameter.KEYWORD_ONLY, **about))
        door.__doc__ = "\n".join(lines)
        door.__signature__ = own.replace(parameters=shown)  # type: ignore[attr-defined]
        return door

    return document
