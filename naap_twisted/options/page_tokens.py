"""The option ``page_tokens`` of ``[auth]``."""

from __future__ import annotations

from collections.abc import Mapping

from ..auth.page_token import check_issuer
from ..auth.page_tokens import PageTokenOptions
from ..auth.signed_text import signing_keys
from ..secret import Secret
from . import values
from .secrets import resolve
from .values import TEXT, Kind, Surroundings, duration, list_of, reads, reads_files, table_of

_LONGEST_TTL = 30 * 86_400.0


@reads("float | str", values.NUMBER_OR_TEXT)
def _ttl(value: object) -> float:
    seconds = duration(value)
    if not 1 <= seconds <= _LONGEST_TTL:
        raise ValueError("must be from one second to 30 days")
    return seconds


@reads_files("Secret | str", TEXT)
def _issuer(value: object, surroundings: Surroundings) -> Secret:
    return check_issuer(resolve(value, surroundings, in_header=True))


@reads_files("Secret | str", TEXT)
def _keys(value: object, surroundings: Surroundings) -> Secret:
    keys = resolve(value, surroundings)
    signing_keys(keys)
    return keys


_TABLE = table_of({"max_ttl": _ttl, "issuers": list_of(_issuer, what="secrets"), "keys": _keys})


def _read(value: object, surroundings: Surroundings) -> PageTokenOptions | None:
    if value is None or isinstance(value, PageTokenOptions):
        return value
    if not isinstance(value, Mapping):
        raise values.expected('a table such as { max_ttl = "1h" }', value)
    options = PageTokenOptions(**_TABLE(value, surroundings))
    if len(set(options.issuers)) != len(options.issuers):
        raise values.Flaws((".issuers", "holds a secret twice"))
    return options


page_tokens: Kind[PageTokenOptions | None] = Kind(
    _read, "Mapping[str, object] | None", _TABLE.schema
)
