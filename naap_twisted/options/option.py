"""What is said of one option, and how a section's class lists its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from attrs import evolve, field, fields, frozen

from .values import Kind

_SAME: Any = object()


@frozen
class Option:
    """One option.

    :ivar default: as code would write it; a keyword's default.
    :ivar sentence: what it is, in Markdown.
    :ivar example: a value as a file writes it.
    :ivar keyword: its name in code; ``"*"``: that of the attribute; ``""``: only a file has it.
    :ivar in_file: whether a file may have it; *required*: has to.
    :ivar instead: the place of what a file has in its stead, where it may not.
    :ivar mode: the ``auth.mode`` in which it has a meaning; ``""``: every one.
    :ivar since: the first version that has it.
    :ivar section: the table of the file it stands in; ``"proxy"`` for a route's, ``""`` for one
        that is a table itself.
    :ivar key: its name there, and the attribute's.
    """

    kind: Kind[Any]
    default: Any
    sentence: str
    example: str = ""
    keyword: str = "*"
    in_file: bool = True
    instead: str = ""
    required: bool = False
    mode: str = ""
    since: str = "0.1"
    section: str = ""
    key: str = ""

    @property
    def place(self) -> str:
        """``"server.listen"``."""
        return f"{self.section}.{self.key}" if self.section else self.key


def option(
    kind: Kind[Any],
    sentence: str,
    example: str = "",
    *,
    default: Any = _SAME,
    unset: Any = _SAME,
    secret: bool = False,
    **more: Any,
) -> Any:
    """One option, as an attribute of its section's class.

    :param default: as code would write it; what the kind has for nothing where it is left out.
    :param unset: the attribute's value where nobody gave one, where that is not *default* itself.
    :param secret: left out of the section's ``repr``.
    :param more: of :class:`Option`.
    """
    default = kind.nothing if default is _SAME else default
    about = Option(kind, default, sentence, example, **more)
    # An empty text or list stands for itself, also where nobody could write it.
    empty = isinstance(default, (str, tuple)) and not default
    value = unset if unset is not _SAME else default if empty else kind(default)
    return field(default=value, repr=not secret, metadata={"option": about})


#: An option that no file has.
in_code = partial(option, in_file=False)


def options_of(section: type[attrs.AttrsInstance]) -> dict[str, Option]:
    """The options of a section's class, by key, in their order."""
    name: str = section.section  # type: ignore[attr-defined]
    options: dict[str, Option] = {}
    for attribute in fields(section):
        about: Option = attribute.metadata["option"]
        keyword = attribute.name if about.keyword == "*" else about.keyword
        options[attribute.name] = evolve(about, section=name, key=attribute.name, keyword=keyword)
    return options


def listed_options(*sections: type[attrs.AttrsInstance]) -> list[Option]:
    """The options of several sections, one section after the other."""
    return [option for section in sections for option in options_of(section).values()]
