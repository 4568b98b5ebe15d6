"""From a TOML file to the options of a server and its routes, without a socket or DNS."""

from .load import load_config, parse_config

__all__ = ["load_config", "parse_config"]
