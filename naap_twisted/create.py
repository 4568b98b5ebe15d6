"""``create_plugin_server``: from options to a server and, if asked for, its admin side."""

from __future__ import annotations

from typing import Any, Unpack

from .options.code import SERVER_KEYWORDS, documented, read_server
from .options.keywords import ServerKeywords
from .options.server import Config
from .server.parts import AdminSide
from .server.plugin_server import PluginServer
from .server.setting import ALONE, Setting


@documented(SERVER_KEYWORDS)
def create_plugin_server(
    name: str, port: int = 4000, *, reactor: Any = None, **options: Unpack[ServerKeywords]
) -> PluginServer:
    """A server for proxies and Klein routes (the seed's ``createPluginServer``).

    ``naap-proxy options`` prints each option with an example.

    :raises ConfigError: with one line for each option that is wrong.
    """
    config = read_server({"name": name, "port": port, **options})
    if reactor is None:
        from twisted.internet import reactor
    return make_server(config, reactor)


def make_server(
    config: Config,
    reactor: Any,
    before: PluginServer | None = None,
    setting: Setting = ALONE,
) -> PluginServer:
    """The server of a checked *config*, which opens its ``admin_listen`` as it starts.

    :param before: the server in whose place it will serve.
    :param setting: how its process stands to others; a reload keeps that of *before*.
    :raises ConfigError: a part of the server refuses its option, such as a file that can't be read.
    """
    return PluginServer(config, reactor, _admin_side, before, setting)


def _admin_side(server: PluginServer, endpoint: str) -> AdminSide | None:
    if server.parts.setting.workplace is not None:
        return None  # There is one, and the supervisor has it.
    # Imported here: a server without admin_listen loads neither the console nor prometheus_client.
    from .admin.listener import AdminListener

    return AdminListener(server, endpoint)
