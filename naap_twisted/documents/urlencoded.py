"""Forms as ``application/x-www-form-urlencoded`` (WHATWG URL), read strictly. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote_plus, unquote_to_bytes

from ..errors import UnsupportedMediaType
from .fields import MOST_FIELDS, Field, FormDocument, ambiguous, invalid, path_of, too_many
from .parameters import parameters

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class _Writer:
    def field(self, name: str, text: str, *, is_json: bool) -> bytes:
        return f"{quote_plus(name, safe='[]')}={quote_plus(text)}".encode("ascii")

    def body(self, fields: Iterable[bytes]) -> bytes:
        return b"&".join(fields)


def read_urlencoded(content: bytes, content_type: bytes) -> FormDocument:
    """Read a body.

    :raises UnsupportedMediaType: its charset is not UTF-8.
    :raises InvalidForm: it is no such form.
    :raises BodyNotAllowed: readers differ about it.
    """
    if parameters(content_type).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("A form is UTF-8 on this route, whatever its charset says")
    if _CONTROL.search(content) is not None:
        raise invalid("a control character that is not encoded")
    if b";" in content:
        raise ambiguous("a semicolon that is not encoded, which some servers take for &")
    if _MALFORMED.search(content) is not None:
        raise invalid("malformed percent encoding")
    pairs = [pair for pair in content.split(b"&") if pair]
    if len(pairs) > MOST_FIELDS:
        raise too_many()
    fields = [_field(pair) for pair in pairs]
    return FormDocument(content, content_type, fields, _Writer())


def _field(pair: bytes) -> Field:
    name, _, value = pair.partition(b"=")
    text = _text(name)
    return Field(text, path_of(text), _text(value), pair)


def _text(encoded: bytes) -> str:
    try:
        text = unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise invalid("text that is not UTF-8") from None
    if "\0" in text:
        raise ambiguous("NUL, where some readers end")
    return text
