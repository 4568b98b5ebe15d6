"""Keys that stand in the config file itself, which only its owner may read then. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..options.read import Problems
from ..options.secrets import LITERAL
from ..options.server import Config
from ..secret import Secret

# Headers that say who sends, among those that tell an API version or a format.
_CREDENTIAL = re.compile(
    r"(?:proxy-)?authorization|cookie|(?:.*[-_])?(?:api)?(?:key|token|secret|password|auth)",
    re.IGNORECASE,
)


def literal_keys(config: Config) -> Iterator[str]:
    """The path of each value that is a key and is written out."""
    values: list[tuple[str, object]] = [
        ("auth.secret", config.auth.secret),
        ("keys.master_key", config.keys.master_key),
        ("redis.url", _with_password(config.redis.url)),
        ("server.database_url", _with_password(config.server.database_url)),
    ]
    for index, route in enumerate(config.proxy):
        headers = {} if callable(route.forward_headers) else route.forward_headers
        values += [
            (f"proxy[{index}].forward_headers.{name}", value)
            for name, value in headers.items()
            if _CREDENTIAL.fullmatch(name)
        ]
    for path, value in values:
        if isinstance(value, Secret) and value.source == LITERAL:
            yield path


def _with_password(url: Secret | None) -> Secret | None:
    return url if url is not None and url.has_password else None


def refuse_literals(config: Config, file: str, problems: Problems) -> None:
    """Note each of them: others can read *file*."""
    for path in literal_keys(config):
        problems.add(
            path,
            f"is a key written out in {file}, which other users of this machine can read;"
            f" write ${{env:NAME}} or ${{file:path}}, or run: chmod o-r {file}",
        )
