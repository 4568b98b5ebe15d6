"""``create_plugin_server``: the server's options as arguments, checked before anything is built."""

from __future__ import annotations

from typing import Any, Unpack

from .options.code import SERVER_KEYWORDS, documented, read_server
from .options.keywords import ServerKeywords
from .server.plugin_server import PluginServer


@documented(SERVER_KEYWORDS)
def create_plugin_server(
    name: str, port: int = 4000, *, reactor: Any = None, **options: Unpack[ServerKeywords]
) -> PluginServer:
    """A server for proxies and Klein routes (the seed's ``createPluginServer``).

    ``naap-proxy options`` prints each option with an example.

    :raises ConfigError: naming every option that can't be.
    """
    config = read_server({"name": name, "port": port, **options})
    if reactor is None:
        from twisted.internet import reactor
    return PluginServer(config, reactor)
