"""Configs for tests: a good one, and one line changed."""

from pathlib import Path

from naap_twisted.config import parse_config
from naap_twisted.errors import ConfigError
from naap_twisted.options.server import Config

ENVIRON = {"KEY": "sk-canary-9f2"}
GOOD: dict[str, str] = {
    "server": '[server]\nname = "ai"\nlisten = ["tcp:4020:interface=127.0.0.1"]',
    "auth": '[auth]\nmode = "none"',
    "upstream": "[upstream]",
    "redis": "[redis]",
    "proxy": '[[proxy]]\npath = "/a"\nallowed_hosts = ["api.openai.com"]',
    "more": "",
}


def text_of(**edits: str | None) -> str:
    """The good config, sections replaced or (``None``) left out."""
    sections = {**GOOD, **edits}
    return "\n".join(section for section in sections.values() if section is not None)


def config_of(**edits: str | None) -> Config:
    """The good config with *edits*, parsed."""
    return parse_config(text_of(**edits), directory=Path(), environ=ENVIRON)


def problems_of(**edits: str | None) -> tuple[str, ...]:
    """The lines that the good config with *edits* is refused with; none if it is fine."""
    try:
        config_of(**edits)
    except ConfigError as error:
        return error.problems
    return ()


def proxy(*lines: str) -> str:
    """The good route with more *lines*; a line replaces one of the same key."""
    keys = {line.partition("=")[0].strip() for line in lines}
    kept = [
        line for line in GOOD["proxy"].splitlines() if line.partition("=")[0].strip() not in keys
    ]
    return "\n".join([*kept, *lines])
