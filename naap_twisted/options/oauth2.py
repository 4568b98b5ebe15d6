"""The option ``oauth2``: whose access token a route sends."""

from __future__ import annotations

from typing import Any

from ..credentials.oauth2 import ClientCredentials
from ..errors import InvalidTarget
from ..policy.target import parse_target
from ..secret import Secret
from .secrets import resolve
from .values import TEXT, Kind, Surroundings, one_of, reads_files, reads_text, table_of, text


@reads_text()
def _token_url(written: str) -> str:
    try:
        parse_target(written.encode("utf-8"), "token_url")
    except InvalidTarget as error:
        raise ValueError(f"is no URL of a token endpoint: {error.reason}") from None
    return written


@reads_files("Secret | str", TEXT)
def _needed(value: object, surroundings: Surroundings) -> Secret:
    return resolve(value, surroundings)


_TABLE = table_of(
    {"scope": text, "audience": text, "auth": one_of("basic", "body")},
    token_url=_token_url,
    client_id=_needed,
    client_secret=_needed,
)


def _read(value: object, surroundings: Surroundings) -> ClientCredentials | None:
    if value is None or isinstance(value, ClientCredentials):
        return value
    members: dict[str, Any] = _TABLE(value, surroundings)
    return ClientCredentials(**members)


client_credentials: Kind[ClientCredentials | None] = Kind(
    _read, "ClientCredentials | Mapping[str, object] | None", _TABLE.schema
)
