"""Reads the body of an observed request, as far as it can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from twisted.web.iweb import IBodyProducer

from ..headers import media_type
from ..policy.learned import BODY

#: Bytes of a body that is read whole to be noted, where its sender declares no more.
MOST_READ = 4 * 1024 * 1024
_FORM = b"application/x-www-form-urlencoded"
_MOST_FIELDS = 1_000


def is_read(kind: bytes) -> bool:
    """Whether bodies of the media type *kind* can be read."""
    return kind in (b"application/json", _FORM) or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )


def read_object(
    body: bytes | IBodyProducer, content_type: bytes | None, unlisted: dict[str, str]
) -> Mapping[str, object]:
    """The members of a body; none, and why in *unlisted*, where it has none that can be listed."""
    kind = media_type(content_type or b"")
    if not is_read(kind):
        unlisted[BODY] = f"a body of type {kind.decode('ascii', 'replace')[:64]!a} is not read"
    elif not isinstance(body, bytes):
        unlisted[BODY] = "a body is long, or does not say how long it is, and was not read"
    else:
        try:
            return _form(body) if kind == _FORM else _json(body)
        except (ValueError, RecursionError):
            unlisted[BODY] = "a body is no JSON object, no form, or repeats a member"
    return {}


def _json(body: bytes) -> Mapping[str, object]:
    # Numbers stay texts, because converting a huge one takes quadratic time.
    value = json.loads(
        body.decode("utf-8"), object_pairs_hook=_once, parse_int=str, parse_float=str
    )
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose members have different names: which of two counts, readers differ in."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _form(body: bytes) -> Mapping[str, object]:
    """The fields of a form; of ``metadata[order]`` and ``metadata.order``, the first name.

    What has no ``=`` is no form: a client may have given the type of one to any text, a key say.
    """
    fields = parse_qsl(
        body.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )
    return {name.partition("[")[0].partition(".")[0]: value for name, value in fields}
