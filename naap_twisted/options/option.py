"""What is said of one option, and the classes that hold a section's options."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
from attrs import field, frozen

from .values import Kind

_SAME: Any = object()


@frozen(kw_only=True)
class Option:
    """One option.

    :ivar section: the table of the file it stands in; ``"proxy"`` for a route's.
    :ivar key: its name there, and the attribute's.
    :ivar default: as code would write it; a keyword's default.
    :ivar sentence: what it is, in Markdown.
    :ivar example: a value as a file writes it.
    :ivar keyword: its name in code; ``""``: only a file has it.
    :ivar in_file: whether a file may have it.
    :ivar required: a file has to have it.
    :ivar mode: the ``auth.mode`` in which it has a meaning; ``""``: every one.
    :ivar since: the first version that has it.
    """

    section: str
    key: str
    kind: Kind[Any]
    default: Any
    sentence: str
    example: str
    keyword: str
    in_file: bool
    required: bool
    mode: str
    since: str

    @property
    def place(self) -> str:
        """``"server.listen"``."""
        return f"{self.section}.{self.key}"


def option(
    kind: Kind[Any],
    default: Any,
    sentence: str,
    example: str = "",
    *,
    unset: Any = _SAME,
    keyword: str | None = None,
    in_file: bool = True,
    required: bool = False,
    mode: str = "",
    secret: bool = False,
    since: str = "0.1",
) -> Any:
    """One option, as an attribute of its section's class. See :class:`Option`.

    :param unset: the attribute's value where nobody gave one, where that is not *default* itself.
    :param keyword: ``None``: the attribute's name.
    :param secret: left out of the section's ``repr``.
    """
    about = {
        "kind": kind,
        "default": default,
        "sentence": sentence,
        "example": example,
        "keyword": keyword,
        "in_file": in_file,
        "required": required,
        "mode": mode,
        "since": since,
    }
    value = kind(default) if unset is _SAME else unset
    return field(default=value, repr=not secret, metadata={"option": about})


#: An option that no file has.
in_code = partial(option, in_file=False)


def options_of(section: type[attrs.AttrsInstance]) -> dict[str, Option]:
    """The options of a section's class, by key, in their order."""
    return {each.key: each for each in _options(section)}


def _options(section: type[attrs.AttrsInstance]) -> Iterator[Option]:
    for attribute in attrs.fields(section):
        about = dict(attribute.metadata["option"])
        if about["keyword"] is None:
            about["keyword"] = attribute.name
        yield Option(section=section.section, key=attribute.name, **about)  # type: ignore[attr-defined]
