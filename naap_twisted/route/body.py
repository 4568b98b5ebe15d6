"""Judges a request's body before it goes upstream: declared type, size and JSON syntax."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.web.iweb import IBodyProducer

from ..documents.json_text import check_json
from ..documents.reader import readable
from ..downstream.body import StreamedBody, too_large
from ..errors import BodyRequired, UnsupportedMediaType
from ..headers import media_type
from ..interfaces import IDownstreamRequest

_BODY_METHODS = frozenset((b"POST", b"PUT", b"PATCH"))
_JSON_TYPES = frozenset((b"application/json",))
ANY_TYPE = "*/*"


def is_json(content_type: bytes | None) -> bool:
    """Whether a Content-Type is that of JSON."""
    return media_type(content_type or b"") in _JSON_TYPES


@frozen
class BodyRewrite:
    """Bodies that leave as others.

    :ivar types: media types of those that are read whole for it.
    :ivar limit: bytes of one.
    :ivar make: of a body and its Content-Type, what leaves in their place.
    """

    types: frozenset[bytes]
    limit: int
    make: Callable[[bytes, bytes], tuple[bytes, bytes]]


class BodyPolicy:
    """The request bodies that a route takes.

    :param content_types: media types; ``audio/*`` is every type of audio, ``*/*`` any type.
    :param limit: bytes.
    :param required: whether POST, PUT and PATCH need a body.
    :param resendable: a body that declares no more bytes is read whole instead of streamed, so
        that it can be sent again after a redirect.
    :param rewrite: ``None`` where every body leaves as it came.
    :param whole: every body is read whole, for it is to be signed.
    :param judged: every body is read whole, for it is to be judged, and no coding may hide it.
    :param noted: JSON and forms that declare no more bytes are read whole, to be noted.
    :param asking: JSON is read whole, for a stream's usage may have to be asked for in it, and no
        coding may hide it.
    """

    def __init__(
        self,
        content_types: Sequence[str],
        limit: int,
        *,
        required: bool,
        resendable: int = 0,
        rewrite: BodyRewrite | None = None,
        whole: bool = False,
        judged: bool = False,
        noted: int = 0,
        asking: bool = False,
    ) -> None:
        self.content_types = tuple(content_types)
        self.limit = limit
        self._required = required
        self._resendable = resendable
        self._rewrite = rewrite
        self._judged = judged
        self._whole = whole or judged
        self._noted = noted
        self._asking = asking
        self._accepted = frozenset(name.lower().encode("ascii") for name in content_types)
        self._any = ANY_TYPE in content_types
        ranges = (name.removesuffix(b"*") for name in self._accepted if name.endswith(b"/*"))
        self._families = tuple(ranges)
        self._named = ", ".join(content_types)

    async def open(
        self, request: IDownstreamRequest, *, metered: bool = False, whole: bool = False
    ) -> tuple[bytes | IBodyProducer | None, bytes | None]:
        """The body to forward and its Content-Type, if it has one.

        JSON is read whole and checked where the route lists its types; one that takes any body
        looks into none, for clients label pieces of a file as JSON, too (Gemini's uploads). A body
        that has arrived already comes as bytes, too; any other comes as a stream.

        :param metered: JSON and forms are read whole, because what they cost is told by what is in
            them, and no coding may hide it.
        :param whole: any body is read whole.
        :raises BodyRequired: there is no body and the method needs one.
        :raises UnsupportedMediaType: the route takes no body of this type.
        :raises BodyTooLarge: the body is over the limit, or declares that it will be.
        :raises InvalidJson: a body of type ``application/json`` is no JSON.
        :raises Unavailable: the server holds too many bytes of such bodies.
        """
        body = request.body
        if body.length == 0:
            return self._nothing(request.method)
        content_type = self._check_type(request.requestHeaders.getRawHeaders(b"content-type") or ())
        kind, rewrite = media_type(content_type or b""), self._rewrite
        if rewrite is not None and content_type is not None and kind in rewrite.types:
            return await self._rewritten(request, rewrite, content_type)
        is_json = not self._any and kind in _JSON_TYPES
        asks = self._asking and kind in _JSON_TYPES
        if is_json or asks or self._judged or metered:
            _refuse_coding(request)
        looked_into = readable(kind)
        kept = max(self._resendable, self._noted if looked_into else 0)
        is_kept = body.length is not None and body.length <= kept
        whole = whole or self._whole or asks or (metered and looked_into)
        if not (is_json or body.complete or is_kept or whole):
            return StreamedBody(body, self.limit, self._missing(request.method)), content_type
        data = body.read_all(self.limit)
        if not isinstance(data, bytes):
            data = await data
        if not data:
            return self._nothing(request.method)
        if is_json and not self._judged:
            check_json(data)
        return data, content_type

    async def _rewritten(
        self, request: IDownstreamRequest, rewrite: BodyRewrite, content_type: bytes
    ) -> tuple[bytes | None, bytes | None]:
        _refuse_coding(request)
        data = request.body.read_all(min(self.limit, rewrite.limit))
        if not isinstance(data, bytes):
            data = await data
        return rewrite.make(data, content_type) if data else self._nothing(request.method)

    def whole(
        self, method: bytes, data: bytes, content_type: bytes | None
    ) -> tuple[bytes | None, bytes | None]:
        """What :meth:`open` makes of a request with this body, which is all there.

        :raises ProxyError: the same.
        """
        if not data:
            return self._nothing(method)
        kind = self._check_type([] if content_type is None else [content_type])
        name, rewrite = media_type(kind or b""), self._rewrite
        rewritten = rewrite is not None and kind is not None and name in rewrite.types
        limit = min(self.limit, rewrite.limit) if rewrite and rewritten else self.limit
        if len(data) > limit:
            raise too_large(limit)
        if rewrite is not None and kind is not None and rewritten:
            return rewrite.make(data, kind)
        if name in _JSON_TYPES and not self._any and not self._judged:
            check_json(data)
        return data, kind

    def _nothing(self, method: bytes) -> tuple[None, None]:
        """The verdict on no body, and on a chunked body of no bytes."""
        missing = self._missing(method)
        if missing is not None:
            raise missing
        return None, None

    def _missing(self, method: bytes) -> BodyRequired | None:
        """The refusal of a request without a body; ``None`` where it needs none."""
        if self._required and method in _BODY_METHODS:
            return BodyRequired(f"Request body is required (Content-Type: {self._named})")
        return None

    def _check_type(self, values: Sequence[bytes]) -> bytes | None:
        """The type as it came; none where the route takes any body, and nobody said of what type.

        :raises UnsupportedMediaType: the route takes no body of this type.
        """
        if len(values) == 1 and (self._any or self._takes(media_type(values[0]))):
            return bytes(values[0])
        if self._any and not values:
            return None
        raise UnsupportedMediaType(f"Content-Type must be {self._named}")

    def _takes(self, kind: bytes) -> bool:
        return kind in self._accepted or kind.startswith(self._families)


def _refuse_coding(request: IDownstreamRequest) -> None:
    """Refuse a body in a content coding, which nobody here can read.

    :raises UnsupportedMediaType: it is in one.
    """
    lines = request.requestHeaders.getRawHeaders(b"content-encoding")
    if lines is None:
        return
    codings = [part.strip() for line in lines for part in line.lower().split(b",")]
    named = [coding for coding in codings if coding not in (b"", b"identity")]
    if named:
        shown = named[0].decode("ascii", "replace")[:32]
        raise UnsupportedMediaType(
            f"Content-Encoding {shown!a} is not supported: this route reads it itself",
            # What the server would have taken (RFC 9110 section 15.5.16).
            headers=((b"Accept-Encoding", b"identity"),),
        )
