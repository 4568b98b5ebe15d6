"""A request's body on its way upstream, and what was read of it."""

from __future__ import annotations

from attrs import define, field
from twisted.web.iweb import IBodyProducer

from ..documents.document import Document
from ..documents.reader import read_document, readable
from ..headers import media_type


@define(eq=False)
class SentBody:
    """A body that is read strictly once, however many rules ask what is in it.

    :ivar content: its bytes, a producer of bytes that nobody here has, or ``None`` for no body.
    """

    content: bytes | IBodyProducer | None = field(repr=False)
    content_type: bytes | None = None
    _document: Document | None = field(default=None, repr=False)

    @classmethod
    def of(cls, document: Document) -> SentBody:
        """The body that a document is."""
        return cls(document.content, document.content_type, document)

    @property
    def kind(self) -> bytes:
        """Its media type, in lower case and without parameters; ``b""`` where it has none."""
        return media_type(self.content_type or b"")

    @property
    def is_readable(self) -> bool:
        """Whether all of it is there, and of a type that is read here."""
        return isinstance(self.content, bytes) and readable(self.kind)

    def document(self) -> Document:
        """What every reader takes it for.

        :raises UnsupportedMediaType: nobody here reads its type.
        :raises InvalidJson, InvalidForm: it is not of its type.
        :raises BodyNotAllowed: readers differ about it.
        """
        if self._document is None:
            content = self.content if isinstance(self.content, bytes) else b""
            self._document = read_document(content, self.content_type or b"")
        return self._document
