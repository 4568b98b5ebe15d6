"""JSON that every reader reads alike: no repeated name, no NaN, no endless nesting. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object (RFC 8259) in *data*, which is UTF-8.

    >>> read_object(b'{"sub": "ada"}')
    {'sub': 'ada'}

    :raises ValueError: *data* is no JSON object, or two members of an object share a name.
    """
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
