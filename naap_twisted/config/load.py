"""From a config file, or its text, to a :class:`~naap_twisted.options.server.Config`."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ..errors import ConfigError
from ..options.auth import AuthOptions, with_environment
from ..options.judge import judge
from ..options.option import options_of
from ..options.prices import prices_with
from ..options.provided import over_provider
from ..options.read import Problems, read_section, read_values, refuse_unknown
from ..options.route import RouteOptions
from ..options.server import (
    Config,
    KeysOptions,
    PricesOptions,
    RedisOptions,
    ServerOptions,
    UpstreamOptions,
)
from ..options.values import Surroundings, expected, unreadable
from .literals import refuse_literals

MAX_CONFIG_BYTES = 1024 * 1024


@frozen
class ConfigFile:
    """What was read of a config file, which may be another by now.

    :ivar readable: whether other users could read it.
    """

    path: Path
    text: str = field(repr=False)
    readable: bool

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ConfigFile:
        """The file at *path*.

        :raises ConfigError: it can't be read, is too large, or no UTF-8 text.
        """
        file = Path(path)
        try:
            with file.open("rb") as stream:
                content = stream.read(MAX_CONFIG_BYTES + 1)
                readable = bool(os.fstat(stream.fileno()).st_mode & stat.S_IROTH)
        except (OSError, ValueError) as error:
            raise ConfigError(f"config: {unreadable(file, error)}") from None
        if len(content) > MAX_CONFIG_BYTES:
            raise ConfigError(f"config: {file} is over {MAX_CONFIG_BYTES} bytes")
        try:
            # Windows' editors write a byte order mark, which is no part of the text.
            return cls(file, content.decode("utf-8-sig"), readable)
        except UnicodeDecodeError:
            raise ConfigError(f"config: {file} is not UTF-8 text") from None

    def parse(self, environ: Mapping[str, str] | None = None) -> Config:
        """The config; see :func:`load_config`."""
        return parse_config(
            self.text,
            name=str(self.path),
            directory=self.path.parent,
            environ=environ,
            readable=str(self.path) if self.readable else None,
        )


def load_config(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Config:
    """Read and check the file at *path*; the relative paths in it start at its directory.

    :param environ: the environment variables; the process's own when ``None``.
    :raises ConfigError: with every problem in the file, one line each.
    """
    return ConfigFile.read(path).parse(environ)


def parse_config(
    text: str,
    *,
    name: str = "",
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
    readable: str | None = None,
) -> Config:
    """Read and check TOML *text*.

    :param name: the file's, for people; ``""`` where there is none.
    :param directory: where relative paths start; the current directory when ``None``.
    :param readable: the name of the text's file if other users can read it: no key may stand in
        such a file. ``None`` otherwise.
    :raises ConfigError: with every problem in the text, one line each.
    """
    unfit = f"config: {name} is not TOML" if name else "config: not TOML"
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{unfit}: nested too deeply") from None
    except ValueError as error:
        # tomllib's message gives the place and at most one character of the text, so no secret.
        raise ConfigError(f"{unfit}: {error}") from None
    problems = Problems()
    surroundings = Surroundings(
        (directory or Path()).absolute(), os.environ if environ is None else environ
    )
    config = _read(document, surroundings, problems)
    judge(config, problems)
    if readable is not None:
        refuse_literals(config, readable, problems)
    problems.refuse()
    return config


def _read(document: dict[str, Any], surroundings: Surroundings, problems: Problems) -> Config:
    sections = ("server", "auth", "upstream", "redis", "keys", "prices", "proxy")
    misplaced = options_of(ServerOptions).keys() & document.keys() - {*sections}
    for key in sorted(misplaced):
        problems.add(key, "stands in [server]; write that line before it")
    refuse_unknown((key for key in document if key not in misplaced), sections, "", problems)
    none_is_a_typo = bool(problems.lines)

    def section(schema: Any, name: str) -> Any:
        return read_section(schema, document.get(name, {}), name, surroundings, problems)

    own = {key: document[key] for key in ("prices",) if key in document}
    own_prices = read_values(PricesOptions, own, "", surroundings, problems).prices

    def routes() -> Iterator[RouteOptions]:
        tables = document.get("proxy", [])
        if not isinstance(tables, list):
            problems.add("proxy", f"{expected('tables', tables)}; write [[proxy]]")
            return
        if not tables and not none_is_a_typo:
            problems.add("proxy", "there is no [[proxy]] route")
        for index, table in enumerate(tables):
            place = f"proxy[{index}]"
            own = read_section(RouteOptions, table, place, surroundings, problems)
            given = table if isinstance(table, dict) else {}
            yield over_provider(own, given, place, surroundings, problems)

    return Config(
        server=section(ServerOptions, "server"),
        auth=with_environment(section(AuthOptions, "auth"), surroundings.environ, problems),
        upstream=section(UpstreamOptions, "upstream"),
        redis=section(RedisOptions, "redis"),
        keys=section(KeysOptions, "keys"),
        prices=prices_with(own_prices),
        proxy=tuple(routes()),
    )
