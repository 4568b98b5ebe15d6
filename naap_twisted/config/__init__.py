"""A TOML file to the options of a server and its routes. Opens no socket, asks no DNS."""

from __future__ import annotations

from ..options.auth import AuthOptions
from ..options.route import RouteOptions
from ..options.server import Config, KeysOptions, RedisOptions, ServerOptions, UpstreamOptions
from .load import load_config, parse_config

__all__ = [
    "AuthOptions",
    "Config",
    "KeysOptions",
    "RedisOptions",
    "RouteOptions",
    "ServerOptions",
    "UpstreamOptions",
    "load_config",
    "parse_config",
]
