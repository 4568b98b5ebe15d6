"""A checked config to a server with its routes mounted. Opens no socket: starting it does."""

from __future__ import annotations

from ..config import Config
from ..errors import ConfigError
from ..options.code import in_file
from ..route.spine import ExternalProxy
from ..server.plugin_server import PluginServer
from ..server.stores import State


def build_server(config: Config) -> PluginServer:
    """The server that *config* describes, not started.

    :raises ConfigError: one line a problem: an ``authorize`` that can't be imported, or what the
        parts themselves refuse.
    """
    from twisted.internet import reactor

    try:
        server = PluginServer(config, reactor)
    except ConfigError as error:
        raise ConfigError(*map(in_file, error.problems)) from None
    problems: list[str] = []
    for index, route in enumerate(config.proxy):
        try:
            server.mount(route.path, ExternalProxy(route))
        except ConfigError as error:
            problems += [f"proxy[{index}].{line}" for line in error.problems]
    if problems:
        raise ConfigError(*problems)
    return server


def checked_server(config: Config) -> PluginServer:
    """The server that *config* describes, about to start: for twistd and for ``check``.

    :raises ConfigError: as :func:`build_server`, or what the start would refuse.
    """
    server = build_server(config)
    try:
        server.check_start()
    except ConfigError as error:
        raise ConfigError(*map(in_file, error.problems)) from None
    return server


def rotate_keys(config: Config) -> int:
    """Seal every user's key with the first master key, in the process at hand; how many.

    :raises ConfigError: there is no store, or a key in it does not open. Nothing changed then.
    """
    from twisted.internet import reactor

    return State(config, reactor).rotate_keys()
