"""What a route sends of its own: a table of headers and of query parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from attrs import Factory, field, frozen

from ..model import UserKeyHeader
from ..policy.hostname import parse_host
from ..policy.own_query import folded
from ..policy.target import PinnedBase
from ..secret import Secret
from .secrets import LITERAL, InjectedHeaders, pieces_of, resolve, secret_headers
from .values import (
    TEXT,
    Flaws,
    Kind,
    Surroundings,
    expected,
    flaws_of,
    object_schema,
    option_left_out,
    read_all,
    reads_files,
    text,
)

QueryPairs = Mapping[str, Secret]

# Names of what holds a credential; others hold an API version or a format.
_CREDENTIAL = re.compile(
    r"(?:proxy-)?authorization|cookie|(?:.*[-_])?(?:api|access|app)?(?:key|token|secret|password|auth)"
    r"|(?:.*[-_])?sig(?:nature)?|app_?id|code|passwd|pwd",
    re.IGNORECASE,
)


def is_written_out(name: str, value: object) -> bool:
    """Whether *value* of the header or parameter *name* is a key, and stands in the config."""
    literal = isinstance(value, Secret) and value.source == LITERAL
    return literal and _CREDENTIAL.fullmatch(name) is not None


@frozen
class KeyTable:
    """Headers and query parameters that a route sets itself."""

    forward_headers: InjectedHeaders = field(default=Factory(dict), repr=False)
    forward_query: QueryPairs = field(default=Factory(dict), repr=False)

    @property
    def carries_key(self) -> bool:
        """Whether a request holds a key; a parameter that is plain text is none."""
        return bool(self.forward_headers or self.query_keys)

    @property
    def query_keys(self) -> QueryPairs:
        """The parameters that are keys."""
        return {
            name: value
            for name, value in self.forward_query.items()
            if value.source != LITERAL or is_written_out(name, value)
        }

    @property
    def header_names(self) -> tuple[str, ...]:
        """The headers; ``("(callable)",)`` where only a callable knows."""
        headers = self.forward_headers
        return getattr(headers, "names", ("(callable)",)) if callable(headers) else (*headers,)

    @property
    def fixed_headers(self) -> Mapping[str, Secret]:
        """The headers that every request has alike, whoever its user is."""
        headers = {} if callable(self.forward_headers) else self.forward_headers
        return {name: value for name, value in headers.items() if isinstance(value, Secret)}

    def values(self) -> Iterator[tuple[str, str, Secret | UserKeyHeader]]:
        """The option, the name and the value of everything that no callable makes."""
        if not callable(self.forward_headers):
            for name, value in self.forward_headers.items():
                yield "forward_headers", name, value
        for name, secret in self.forward_query.items():
            yield "forward_query", name, secret


@reads_files("str | None", TEXT)
def pinned_base(value: object, surroundings: Surroundings) -> PinnedBase | None:
    """A base URL, with secrets in its path or without."""
    if value is None:
        return None
    written = text(value)
    placeholder = re.search(r"<your-[a-z]+>", written)
    if placeholder is not None:
        raise ValueError(f'still holds "{placeholder[0]}"; write your own there')
    secrets = pieces_of(written, surroundings)
    with option_left_out():
        return PinnedBase.parse(written, secrets)


@reads_files(
    "Mapping[str, str | bytes | Secret] | None", {"type": "object", "additionalProperties": TEXT}
)
def query_pairs(value: object, surroundings: Surroundings) -> QueryPairs:
    """The ``forward_query`` table: name to value.

    :raises ValueError: each bad name or value is a problem of its own.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise expected('a table such as { key = "${env:KEY}" }', value)
    pairs: dict[str, Secret] = {}
    flaws: list[tuple[str, str]] = []
    seen: set[str] = set()
    for position, (name, template) in enumerate(value.items(), start=1):
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            # A secret in the place of the name must not be quoted.
            flaws.append((f"[name {position}]", "is not a name: printable text is wanted"))
            continue
        if folded(name) in seen:
            flaws.append((f".{name}", 'is there twice; names ignore case, and "_" is "-"'))
        seen.add(folded(name))
        try:
            # Plain text may be of any language; it goes out percent-encoded, as UTF-8.
            plain = isinstance(template, str) and "${" not in template
            pairs[name] = resolve(template, surroundings, in_header=not plain)
        except ValueError as error:
            flaws += flaws_of(error, f".{name}")
    if flaws:
        raise Flaws(*flaws)
    return pairs


_KEY_TABLE: dict[str, Kind[Any]] = {"forward_headers": secret_headers, "forward_query": query_pairs}


def _key_table(value: object, surroundings: Surroundings) -> KeyTable:
    if not isinstance(value, Mapping):
        raise expected("a table with forward_headers, forward_query or both", value)
    readers = {
        key: partial(kind, value[key], surroundings)
        for key, kind in _KEY_TABLE.items()
        if key in value
    }
    if len(readers) < len(value):
        raise ValueError("has a key that is neither forward_headers nor forward_query")
    parsed: list[Any] = read_all((f".{key}", read) for key, read in readers.items())
    return KeyTable(**dict(zip(readers, parsed, strict=True)))


@reads_files(
    "Mapping[str, Mapping[str, object]] | None",
    {
        "type": "object",
        "additionalProperties": object_schema(
            {key: kind.schema for key, kind in _KEY_TABLE.items()}, []
        ),
    },
)
def host_tables(value: object, surroundings: Surroundings) -> Mapping[str, KeyTable]:
    """The ``hosts`` table: a host's name to its keys.

    :raises ValueError: each bad name or value is a problem of its own.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise expected('a table such as { "api.example.com" = { forward_headers = {} } }', value)
    tables: dict[str, KeyTable] = {}
    flaws: list[tuple[str, str]] = []
    for position, (name, written) in enumerate(value.items(), start=1):
        try:
            host = _host(name)
        except ValueError as error:
            # Somebody may have written a key in its place, so the name is not quoted.
            flaws.append((f"[name {position}]", str(error)))
            continue
        if host in tables:
            flaws.append((f'."{host}"', "is there twice"))
        tables[host] = KeyTable()
        try:
            tables[host] = _key_table(written, surroundings)
        except ValueError as error:
            flaws += flaws_of(error, f'."{host}"')
    if flaws:
        raise Flaws(*flaws)
    return tables


def _host(name: object) -> str:
    """A host as a target has it, in lower case and without brackets."""
    try:
        written = text(name)
        bare = written.count(":") > 1 and not written.startswith("[")
        return parse_host(f"[{written}]" if bare else written)
    except ValueError:
        raise ValueError('is not a host name such as "api.example.com"; write each out') from None
