"""The fields of a form, whichever way they are written: names, the tree they make, changes. Pure.

A field's name is a path in most readers: ``a[b]``, ``a[]``. They differ in what two fields of one
name are, and in what is a name at all: ``a.b`` is ``a_b`` to PHP and a path to others, and what
stands behind an odd bracket is cut or kept. Such forms are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from ..errors import BodyNotAllowed, InvalidForm
from .document import FieldText, Member, Upload
from .json_text import JsonDocument, strict_value

MOST_FIELDS = 1000
"""Fields that a form may have: PHP drops all that follow (``max_input_vars``)."""
DEEPEST_NAME = 5
"""Levels that a name may have: Node's qs takes what is deeper for one name."""

_SEGMENT = r"[^\s\[\].=&;,%\"'\\<>{}\x00-\x20\x7f]+"
_NAME = re.compile(rf"{_SEGMENT}(?:\[{_SEGMENT}\])*(?:\[\])?")
_PIECE = re.compile(rf"\[\]|{_SEGMENT}")
_MOST_QUOTED = 64
#: Names by which frameworks read another method (Rails, Laravel, Symfony), or another charset
#: (HTML, "multipart form data"), than the request has.
_SPECIAL = frozenset(("_method", "_charset_"))
_LIST = ""


@frozen
class Field:
    """One field, as it came.

    :ivar path: its name, taken apart; ``""`` at the end stands for ``[]``.
    :ivar raw: the bytes that a form without it would lack.
    """

    name: str
    path: Member
    value: str | Upload
    raw: bytes = field(repr=False)


class Writer(Protocol):
    """How fields are written."""

    def field(self, name: str, text: str, *, is_json: bool) -> bytes:
        """One field."""

    def body(self, fields: Iterable[bytes]) -> bytes:
        """The whole form."""


@frozen
class FormDocument:
    """A form that was read strictly."""

    content: bytes
    content_type: bytes
    fields: Sequence[Field] = field(repr=False)
    writer: Writer = field(repr=False)
    #: Whether a member of a missing field makes a field of JSON, not one of brackets.
    nests_json: bool = False
    value: dict[str, Any] = field(init=False)

    @value.default
    def _tree(self) -> dict[str, Any]:
        return tree_of(self.fields)

    def inner(self, name: str) -> Any:
        """The JSON value that the text field *name* is."""
        text = self.value.get(name)
        if not isinstance(text, str):
            raise BodyNotAllowed(f'Form field "{shown(name)}" is no text', param=shown(name))
        return strict_value(text.encode("utf-8"))

    def changed(self, members: Mapping[Member, object]) -> tuple[bytes, bytes]:
        """The form with *members* in the place of the page's own, behind all other fields."""
        kept = list(self.fields)
        added: list[bytes] = []
        inside: dict[str, dict[Member, object]] = {}
        for member, value in members.items():
            if len(member) > 1 and self._holds_json(member[0]):
                inside.setdefault(member[0], {})[member[1:]] = value
                continue
            kept = [each for each in kept if each.path[: len(member)] != member]
            added += self._written(member, value)
        for name, below in inside.items():
            text = str(self.value.get(name, "{}")).encode("utf-8")
            strict_value(text)
            changed = JsonDocument(text, b"", None).changed(below)[0].decode("utf-8")
            kept = [each for each in kept if each.path[:1] != (name,)]
            added.append(self.writer.field(name, changed, is_json=self.nests_json))
        if len(kept) + len(added) > MOST_FIELDS:
            raise too_many()  # The server's words come last, so that they would be the ones to go.
        return self.writer.body([*(each.raw for each in kept), *added]), self.content_type

    def _holds_json(self, name: str) -> bool:
        """Whether members of the field *name* stand inside of its text."""
        outer = self.value.get(name)
        if isinstance(outer, list | Upload):
            raise BodyNotAllowed(
                f'Form field "{shown(name)}" can\'t have the members that this route sets in it',
                param=shown(name),
            )
        return isinstance(outer, str) or (outer is None and self.nests_json)

    def replaced(self, value: Mapping[str, object]) -> tuple[bytes, bytes]:
        """A form of *value*; the files in it are those of this one."""
        raws = {id(each.value): each.raw for each in self.fields if isinstance(each.value, Upload)}
        written = []
        for path, each in _leaves(value):
            if isinstance(each, Upload):
                if id(each) not in raws:
                    raise ValueError("a form can only hold files that came with it")
                written.append(raws[id(each)])
            else:
                written += self._written(path, each)
        return self.writer.body(written), self.content_type

    def _written(self, member: Member, value: object) -> Iterator[bytes]:
        is_json = self.nests_json and len(member) == 1 and isinstance(value, dict | list)
        if is_json:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            yield self.writer.field(member[0], text, is_json=True)
            return
        for path, each in _leaves(value, member):
            yield self.writer.field(name_of(path), _text(each), is_json=False)


def path_of(name: str) -> Member:
    """The path that *name* is to most readers.

    :raises BodyNotAllowed: not every reader takes it for that path.

    >>> path_of("a[b][]")
    ('a', 'b', '')
    """
    if _NAME.fullmatch(name) is None or name.lower() in _SPECIAL:
        raise ambiguous(f'the name "{shown(name)}"')
    pieces = tuple(_LIST if piece == "[]" else piece for piece in _PIECE.findall(name))
    if len(pieces) > DEEPEST_NAME:
        raise ambiguous(f'the name "{shown(name)}", which has more than {DEEPEST_NAME} levels')
    return pieces


def name_of(path: Member) -> str:
    """The name of a path, in brackets."""
    return path[0] + "".join(f"[{piece}]" for piece in path[1:])


def tree_of(fields: Sequence[Field]) -> dict[str, Any]:
    """What a form is to most readers.

    :raises BodyNotAllowed: not every reader takes it for that.
    """
    if len(fields) > MOST_FIELDS:
        raise too_many()
    root: dict[str, Any] = {}
    spellings: dict[str, str] = {}
    for each in fields:
        if spellings.setdefault(each.name.casefold(), each.name) != each.name:
            raise _twice(each.name)
        _place(root, each)
    return {name: _with_lists(value) for name, value in root.items()}


def _place(root: dict[str, Any], each: Field) -> None:
    *above, last = each.path
    table: Any = root
    for piece in above[:-1] if last == _LIST else above:
        table = table.setdefault(piece, {})
        if not isinstance(table, dict):
            raise _twice(each.name)
    if last == _LIST:
        items = table.setdefault(above[-1], [])
        if not isinstance(items, list):
            raise _twice(each.name)
        items.append(_typed(each.value))
    elif last in table:
        raise _twice(each.name)
    else:
        table[last] = _typed(each.value)


def _typed(value: str | Upload) -> FieldText | Upload:
    return value if isinstance(value, Upload) else FieldText(value)


def _with_lists(value: Any) -> Any:
    """*value* with tables whose names are numbers as lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(each) for name, each in value.items()}
    numbers = all(name.isascii() and name.isdigit() for name in inner)
    return [*inner.values()] if numbers else inner


def _leaves(value: object, path: Member = ()) -> Iterator[tuple[Member, object]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*path, str(name)))
    elif isinstance(value, list | tuple):
        nested = any(isinstance(each, Mapping | list | tuple) for each in value)
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, str(index) if nested else _LIST))
    else:
        yield path, value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"a form holds texts and numbers, not {type(value).__name__}")


def _twice(name: str) -> BodyNotAllowed:
    return ambiguous(f'the field "{shown(name)}" more than once', shown(name))


def ambiguous(what: str, param: str | None = None) -> BodyNotAllowed:
    """The refusal of a form of which readers make different things."""
    message = f"Request body can be read in more than one way: {what}"
    return BodyNotAllowed(message, reason=f"a form with {what}", param=param, rule="reading")


def too_many() -> BodyNotAllowed:
    """The refusal of a form whose last fields some readers drop."""
    return ambiguous(f"more than {MOST_FIELDS} fields")


def invalid(what: str) -> InvalidForm:
    """The refusal of what is no form."""
    return InvalidForm(f"Request body is not a form: {what}")


def shown(name: str) -> str:
    """*name* for people, bounded."""
    return ascii(name[:_MOST_QUOTED])[1:-1]
