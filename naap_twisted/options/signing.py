"""The option ``sign``: who signs a route's requests, and with what."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..credentials.sigv4 import MISSING, AwsSigV4, is_installed
from ..model import SignableRequest
from ..secret import Secret
from .http_values import CALLABLE
from .secrets import HeaderTable, resolve
from .values import TEXT, Kind, Surroundings, expected, reads_files, reads_text, table_of

#: What code may give: sync, async or a Deferred.
Sign = Callable[[SignableRequest], HeaderTable | Awaitable[HeaderTable]]
_PART = re.compile(r"[a-z0-9-]+")


@reads_text()
def _part(written: str) -> str:
    if _PART.fullmatch(written) is None:
        raise ValueError('must be a name such as "eu-west-1" or "bedrock"')
    return written


@reads_files("Secret | str", TEXT)
def _key(value: object, surroundings: Surroundings) -> Secret:
    return resolve(value, surroundings, in_header=True)


_PLACE = {"region": _part, "service": _part}
_KEYS = {"access_key": _key, "secret_key": _key}
_SIGV4 = table_of({"session_token": _key}, **_PLACE, **_KEYS)
#: What a file may leave out: see :func:`_with_defaults`.
_WRITTEN = table_of({"session_token": _key, **_KEYS}, **_PLACE)
_TABLE = table_of(aws_sigv4=_SIGV4)


def _read(value: object, surroundings: Surroundings) -> AwsSigV4 | Sign | str | None:
    if value is None or isinstance(value, AwsSigV4) or callable(value):
        return value
    if isinstance(value, str):
        if CALLABLE.fullmatch(value) is None:
            raise ValueError('must be { aws_sigv4 = { ... } } or "package.module:callable"')
        return value
    if not isinstance(value, Mapping):
        raise expected('{ aws_sigv4 = { ... } } or "package.module:callable"', value)
    table = value.get("aws_sigv4")
    named = _with_defaults(table, surroundings) if isinstance(table, Mapping) else table
    members: dict[str, Any] = _TABLE({**value, "aws_sigv4": named}, surroundings)["aws_sigv4"]
    if not is_installed():
        raise ValueError(MISSING)
    return AwsSigV4(**members)


def _with_defaults(table: Mapping[str, object], surroundings: Surroundings) -> dict[str, object]:
    """*table* with the variables that AWS's own tools read, where it names no keys."""
    named = dict(table)
    if "access_key" not in named and "secret_key" not in named:
        named["access_key"] = "${env:AWS_ACCESS_KEY_ID}"
        named["secret_key"] = "${env:AWS_SECRET_ACCESS_KEY}"
        if surroundings.environ.get("AWS_SESSION_TOKEN"):
            named.setdefault("session_token", "${env:AWS_SESSION_TOKEN}")
    return named


signing: Kind[Any] = Kind(
    _read,
    "AwsSigV4 | Sign | Mapping[str, object] | str | None",
    {"anyOf": [TEXT, table_of(aws_sigv4=_WRITTEN).schema]},
)
