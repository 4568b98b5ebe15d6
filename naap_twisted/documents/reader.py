"""Which reader a body has, by its media type. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnsupportedMediaType
from ..headers import media_type
from .document import Document
from .json_text import JsonDocument
from .multipart import read_multipart
from .urlencoded import read_urlencoded

_READERS: dict[bytes, Callable[[bytes, bytes], Document]] = {
    b"application/json": JsonDocument.read,
    b"application/x-www-form-urlencoded": read_urlencoded,
    b"multipart/form-data": read_multipart,
}


def readable(kind: bytes) -> bool:
    """Whether bodies of a media type, in lower case and without parameters, can be read."""
    return kind in _READERS or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def read_document(content: bytes, content_type: bytes) -> Document:
    """A body as every reader takes it.

    :raises UnsupportedMediaType: nobody here reads its type, or the type has two readings.
    :raises InvalidJson, InvalidForm: it is not of its type.
    :raises BodyNotAllowed: readers differ about it.
    """
    kind = media_type(content_type)
    if not readable(kind):
        raise UnsupportedMediaType("Content-Type must be JSON or a form")
    return _READERS.get(kind, JsonDocument.read)(content, content_type)
