"""From a checked config to a server with its routes mounted, which has opened nothing yet."""

from __future__ import annotations

import os
import sys

from ..create import make_server
from ..errors import ConfigError
from ..options.code import in_file
from ..options.server import Config
from ..route.spine import ExternalProxy
from ..server.plugin_server import PluginServer
from ..server.setting import ALONE, Setting


def build_server(
    config: Config, before: PluginServer | None = None, setting: Setting = ALONE
) -> PluginServer:
    """The server that *config* describes, not started.

    :param before: the server in whose place it will serve.
    :param setting: how its process stands to others, where there is no *before*.
    :raises ConfigError: one line a problem: an ``authorize`` that can't be imported, or a value
        that the part behind its option refuses; of the server's options with the names of code.
    """
    from twisted.internet import reactor

    server = make_server(config, reactor, before, setting)
    problems: list[str] = []
    for index, route in enumerate(config.proxy):
        try:
            server.mount(route.path, ExternalProxy(route))
        except ConfigError as error:
            problems += [f"proxy[{index}].{line}" for line in error.problems]
    if problems:
        raise ConfigError(*problems)
    return server


def checked_server(
    config: Config, before: PluginServer | None = None, setting: Setting = ALONE
) -> PluginServer:
    """The server that *config* describes, able to start: for twistd, ``check`` and a reload.

    :param before: the server in whose place it will serve.
    :param setting: see :func:`build_server`.
    :raises ConfigError: see :func:`build_server`, with the names of a file; or one line for each
        reason why a start fails.
    """
    try:
        server = build_server(config, before, setting)
        server.check_start()
    except ConfigError as error:
        raise ConfigError(*map(in_file, error.problems)) from None
    return server


def import_from_here() -> None:
    """Let modules beside the config be imported: a console script has not put them on the path."""
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
