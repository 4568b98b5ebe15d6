"""A TOML file to frozen values. This room reads and validates; it opens no socket, asks no DNS.

The layers, bottom up: ``values`` and ``http_values`` parse one value each, ``listen`` reads
endpoint strings, ``secrets`` resolves ``${env:X}`` and ``${file:path}``; ``schema`` lists every key
with its type, default and parser, ``auth`` those of its section and how they go together; ``read``
walks a table by its schema; ``unbuilt`` refuses what is promised but not there yet; ``rules``
judges keys against one another, ``literals`` the file that holds one; ``load`` puts them in order.
"""

from __future__ import annotations

from .auth import AuthConfig
from .load import load_config, parse_config
from .schema import Config, KeysConfig, ProxyConfig, RedisConfig, ServerConfig, UpstreamConfig

__all__ = [
    "AuthConfig",
    "Config",
    "KeysConfig",
    "ProxyConfig",
    "RedisConfig",
    "ServerConfig",
    "UpstreamConfig",
    "load_config",
    "parse_config",
]
