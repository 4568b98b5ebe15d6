"""Members of a body by their dotted paths, as the readers of upstreams may take them. Pure.

Readers differ in what one name is: Go's ``encoding/json`` ignores case, protobuf's JSON takes
snake_case for camelCase, PHP ``a.b`` for ``a_b``. So what may be read as a listed name, and is not
spelled so, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..documents.document import Document, Member, Upload
from ..documents.fields import FormDocument
from ..errors import BodyNotAllowed

_DROPPED = str.maketrans("", "", "_-. ")
_MOST_QUOTED = 64
_MOST_KEPT, _LONGEST_KEPT = 256, 64


def member_of(path: str) -> Member:
    """The names of a dotted path.

    >>> member_of("stream_options.include_usage")
    ('stream_options', 'include_usage')
    """
    return tuple(path.split("."))


def shown(text: str) -> str:
    """What a page sent, for people: bounded and printable."""
    return ascii(text[:_MOST_QUOTED])[1:-1]


def folded(name: str) -> str:
    """*name* in one spelling for all that some reader takes for it.

    >>> folded("maxTokens") == folded("max_tokens")
    True
    """
    return name.casefold().translate(_DROPPED)


class _Node:
    __slots__ = ("below", "folds", "passes", "path", "unlisted")

    def __init__(self) -> None:
        self.path = ""  # of a listed member; empty for one that only leads to others
        self.passes: frozenset[str] = frozenset()
        self.below: dict[str, _Node] = {}
        self.folds: frozenset[str] = frozenset()
        # Names that were found to be none of these in any spelling: pages send the same ones.
        self.unlisted: set[str] = set()

    def refuse_alike(self, key: str) -> None:
        """Let a name pass that is not listed here, unless some reader takes it for one that is."""
        if folded(key) in self.folds:
            listed = next(name for name in self.below if folded(name) == folded(key))
            raise BodyNotAllowed(
                f'Write the body member "{listed}" so, and not "{shown(key)}",'
                " which some servers take for it",
                reason=f'another spelling of the body member "{listed}"',
                param=shown(key),
                rule="spelling",
            )
        if len(key) <= _LONGEST_KEPT:
            if len(self.unlisted) >= _MOST_KEPT:
                self.unlisted.clear()
            self.unlisted.add(key)

    def note(self, value: Any, found: dict[str, list[Any]]) -> None:
        """The member is there; a text that passes needs no second look."""
        values = found.get(self.path)
        if values is None:
            values = found[self.path] = []
        if type(value) is not str or value not in self.passes:
            values.append(value)


class Members:
    """Listed members, looked for in one walk.

    :param paths: dotted; one that leads through a list means each of its items.
    :param through: what such a path leads through has members, or is a list of what has, or null:
        a text or a number there is refused.
    :param passes: texts, by path, that need not be among what is found.
    """

    def __init__(
        self,
        paths: Iterable[str],
        *,
        through: bool = False,
        passes: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._through = through
        self._root = _Node()
        for path in paths:
            node = self._root
            for name in member_of(path):
                node = node.below.setdefault(name, _Node())
            node.path = path
            node.passes = (passes or {}).get(path, node.passes)
        _fold(self._root)

    def found(self, document: Document, value: Any = None) -> dict[str, list[Any]]:
        """The values of those that are there, by path.

        :param value: the part of *document* to look through; all of it where it is left out.
        :raises BodyNotAllowed: a name is another spelling of a listed one.
        """
        found: dict[str, list[Any]] = {}
        top, root = document.value if value is None else value, self._root
        for key, each in top.items() if isinstance(top, dict) else ():
            child = root.below.get(key)
            if child is None:
                if key not in root.unlisted:
                    root.refuse_alike(key)
                continue
            if child.path:
                child.note(each, found)
            if child.below:
                # A file may hold members, too: `session` as a browser's Blob. Nobody reads it here.
                inner = document.inner(key) if isinstance(each, str) else None
                inside = each if inner is None else inner
                self._walk(key, child, inside, found, isinstance(document, FormDocument))
        return found

    def _walk(
        self, name: str, node: _Node, value: Any, found: dict[str, list[Any]], keyed: bool
    ) -> None:
        below, unlisted = node.below, node.unlisted
        for table in value if isinstance(value, list) else (value,):
            if isinstance(table, dict):
                for key, each in table.items():
                    child = below.get(key)
                    if child is None:
                        if key not in unlisted:
                            node.refuse_alike(key)
                        if keyed and isinstance(each, dict):
                            # PHP and Rails take a form's table of tables for a list of them.
                            self._walk(name, node, each, found, keyed)
                        continue
                    if child.path:
                        child.note(each, found)
                    if child.below:
                        self._walk(key, child, each, found, keyed)
            elif isinstance(table, list):
                self._walk(name, node, table, found, keyed)
            elif isinstance(table, Upload) or (
                self._through and table is not None and not node.path
            ):
                raise BodyNotAllowed(
                    f'Body member "{shown(name)}" must be an object on this route',
                    reason=f'"{shown(name)}" is no object, in which a rule looks for members',
                    param=shown(name),
                    rule="spelling",
                )


def _fold(node: _Node) -> None:
    node.folds = frozenset(map(folded, node.below))
    for child in node.below.values():
        _fold(child)
