"""The request body's door: declared type, size, syntax (contract section 4)."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.web.iweb import IBodyProducer

from ..downstream.body import StreamedBody
from ..errors import BodyRequired, InvalidJson, UnsupportedMediaType
from ..interfaces import IDownstreamRequest

_BODY_METHODS = frozenset((b"POST", b"PUT", b"PATCH"))
_JSON_TYPES = frozenset((b"application/json",))
ANY_TYPE = "*/*"
_MUCH = 32 * 1024


class BodyPolicy:
    """What a route takes as a request body.

    :param content_types: media types, or ``*/*``.
    :param limit: bytes.
    :param required: whether POST, PUT and PATCH need one.
    :param whole: declared bytes up to which a body is waited for instead of streamed, so that it
        can be sent again.
    """

    def __init__(
        self, content_types: Sequence[str], limit: int, *, required: bool, whole: int = 0
    ) -> None:
        self.content_types = tuple(content_types)
        self.limit = limit
        self._required = required
        self._whole = whole
        self._accepted = frozenset(kind.lower().encode("ascii") for kind in content_types)
        self._any = ANY_TYPE in content_types
        self._named = ", ".join(content_types)

    async def open(
        self, request: IDownstreamRequest
    ) -> tuple[bytes | IBodyProducer | None, bytes | None]:
        """The body to forward and its Content-Type.

        JSON is read whole and checked; small bodies that are here already come as bytes; anything
        else comes as a stream.

        :raises BodyRequired: there is none and the method needs one.
        :raises UnsupportedMediaType: it is of another type than the route's.
        :raises BodyTooLarge: it is over the limit; at once where its length is declared.
        :raises InvalidJson: a JSON route got something else.
        :raises Unavailable: bodies that are held whole take all the room there is.
        """
        body = request.body
        if body.length == 0:
            return self._nothing(request)
        content_type = self._check_type(request)
        media_type = _media_type(content_type)
        is_json = media_type in _JSON_TYPES
        if not (is_json or body.complete or self._may_be_sent_again(body.length)):
            return StreamedBody(body, self.limit), content_type
        data = body.read_all(self.limit)
        if not isinstance(data, bytes):
            data = await data
        if not data:
            return self._nothing(request)
        if is_json:
            check_json(data)
        return data, content_type

    def _may_be_sent_again(self, declared: int | None) -> bool:
        return declared is not None and declared <= self._whole

    def _nothing(self, request: IDownstreamRequest) -> tuple[None, None]:
        """No body, or a chunked one of no bytes: the same."""
        if self._required and request.method in _BODY_METHODS:
            raise BodyRequired(f"Request body is required (Content-Type: {self._named})")
        return None, None

    def _check_type(self, request: IDownstreamRequest) -> bytes:
        values = request.requestHeaders.getRawHeaders(b"content-type") or []
        if len(values) == 1 and (self._any or _media_type(values[0]) in self._accepted):
            return bytes(values[0])
        if self._any and not values:
            return b"application/octet-stream"
        raise UnsupportedMediaType(f"Content-Type must be {self._named}")


def _media_type(value: bytes) -> bytes:
    return value.partition(b";")[0].strip().lower()


def check_json(data: bytes) -> None:
    """Refuse what is not one JSON text in UTF-8 (RFC 8259).

    :raises InvalidJson: naming line and column, or the byte that is not UTF-8.
    """
    try:
        _decode(data.decode("utf-8"))
    except json.JSONDecodeError as error:
        raise InvalidJson(
            f"Request body is not valid JSON: {error.msg} at line {error.lineno} "
            f"column {error.colno}"
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"Request body is not valid JSON: byte {error.start} is not UTF-8"
        ) from None
    except RecursionError:
        raise InvalidJson("Request body is not valid JSON: nested too deeply") from None


def _decode(text: str) -> None:
    """Without the garbage collector where there is much of it.

    It would walk over a growing heap of lists, again and again: a megabyte of ``[],[],`` took
    five times as long. What is made here has no cycles and dies at once.
    """
    if len(text) < _MUCH or not gc.isenabled():
        _JSON.decode(text)
        return
    gc.disable()
    try:
        _JSON.decode(text)
    finally:
        gc.enable()


def _same(text: str) -> Any:
    return text


def _no_constant(name: str) -> NoReturn:
    raise InvalidJson(f"Request body is not valid JSON: {name} is not a JSON value")


# Numbers are not converted: huge ones would cost quadratic time and mean nothing to us.
_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_int=_same, parse_float=_same)
