"""The parameters of a Content-Type or a Content-Disposition, read strictly. Pure.

Readers differ in escapes, in repeated parameters and in RFC 2231's ``name*=``, so that a form could
have other fields to an upstream than to this server. All of that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from ..errors import UnsupportedMediaType

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"([^"\\;\x00-\x1f\x7f]*)"'
_BARE = r'[^\s"(),/:;<=>?@\[\\\]\x00-\x1f\x7f]+'
_VALUE = re.compile(rf"[ \t]*({_TOKEN})=(?:{_QUOTED}|({_BARE}))[ \t]*")


def split_parameters(field: str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, and the parameters by their lower-case names.

    :raises ValueError: not every reader takes the field for the same.
    """
    value, *rest = field.split(";")
    found: dict[str, str] = {}
    for piece in rest:
        if not piece.strip() and piece is rest[-1]:
            continue  # a semicolon at the end says nothing
        match = _VALUE.fullmatch(piece)
        if match is None:
            raise ValueError("a parameter that not every reader takes for the same")
        name = match[1].lower()
        if name in found:
            raise ValueError(f"the parameter {name} more than once")
        found[name] = match[2] if match[2] is not None else match[3]
    return value.strip(), found


@lru_cache(maxsize=256)
def parameters(content_type: bytes) -> Mapping[str, str]:
    """The parameters of a Content-Type.

    :raises UnsupportedMediaType: not every reader takes it for the same type.
    """
    try:
        kind, found = split_parameters(content_type.decode("ascii"))
        if "," in kind or any("*" in name for name in found):
            raise ValueError("more than one type")
    except ValueError as fault:
        raise UnsupportedMediaType(
            "Content-Type can be read in more than one way", reason=f"Content-Type with {fault}"
        ) from None
    return found
