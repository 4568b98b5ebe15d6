"""The options that say what a route opens of its upstream: endpoints and queries."""

from __future__ import annotations

from collections.abc import Mapping

from ..policy.endpoints import Endpoint
from ..policy.query_rules import QueryRules
from .values import Kind, Surroundings, expected, reads_text

#: Stands before the name of a group of a provider's endpoints.
GROUP = "@"


@reads_text()
def endpoint_text(written: str) -> str:
    """An endpoint, or the name of a provider's group, which the provider's file resolves."""
    if not written.startswith(GROUP):
        Endpoint.parse(written)
    return written


def _read_query(value: object, _: Surroundings) -> QueryRules | None:
    if value is None or isinstance(value, QueryRules):
        return value
    if not isinstance(value, Mapping):
        raise expected('a table such as { model = ["gpt-realtime*"] }', value)
    return QueryRules.from_table(value)


query_rules: Kind[QueryRules | None] = Kind(
    _read_query,
    "QueryRules | Mapping[str, object] | None",
    {
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {"type": "boolean"},
            ]
        },
    },
)
