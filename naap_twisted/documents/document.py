"""What a body is once it was read, whatever its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

#: The path of a member: ``("stream_options", "include_usage")``.
Member = tuple[str, ...]


@frozen
class Upload:
    """A file in a form.

    :ivar size: bytes.
    """

    filename: str
    content_type: str
    size: int


class FieldText(str):
    """A text of a form, which may stand for a number or a truth there."""


class Document(Protocol):
    """A body that can be read in one way only."""

    @property
    def content(self) -> bytes:
        """Its bytes, as they came."""

    @property
    def content_type(self) -> bytes:
        """Their Content-Type."""

    @property
    def value(self) -> Any:
        """A JSON value; of a form a table of text, lists, tables and :class:`Upload`."""

    def inner(self, name: str) -> Any:
        """The JSON value that the text of a form's field is; of JSON ``None``.

        :raises InvalidJson, BodyNotAllowed: the text is none, or can be read in two ways.
        """

    def changed(self, members: Mapping[Member, object]) -> tuple[bytes, bytes]:
        """The body and its type with *members* set, in place or added; the rest keeps its bytes.

        :raises BodyNotAllowed: a member would stand inside of something that has no members.
        """

    def replaced(self, value: Mapping[str, object]) -> tuple[bytes, bytes]:
        """A body of the same type that says *value*, and its type.

        :raises ValueError: such a body can't say it.
        """
