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
    :ivar mode: the ``auth.mode`` in which it has a meaning; ``""``: every one.
    :ivar since: the first version that has it.
    :ivar section: the table of the file it stands in; ``"proxy"`` for a route's.
    :ivar key: its name there, and the attribute's.
    """

    kind: Kind[Any]
    default: Any
    sentence: str
    example: str = ""
    keyword: str = "*"
    in_file: bool = True
    required: bool = False
    mode: str = ""
    since: str = "0.1"
    section: str = ""
    key: str = ""

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
    secret: bool = False,
    **more: Any,
) -> Any:
    """One option, as an attribute of its section's class.

    :param unset: the attribute's value where nobody gave one, where that is not *default* itself.
    :param secret: left out of the section's ``repr``.
    :param more: of :class:`Option`.
    """
    about = Option(kind, default, sentence, example, **more)
    value = kind(default) if unset is _SAME else unset
    return field(default=value, repr=not secret, metadata={"option": about})


#: An option that no file has.
in_code = partial(option, in_file=False)


def options_of(section: type[attrs.AttrsInstance]) -> dict[str, Option]:
    """The options of a section's class, by key, in their order."""
    found: dict[str, Option] = {}
    for each in fields(section):
        about: Option = each.metadata["option"]
        keyword = each.name if about.keyword == "*" else about.keyword
        where: str = section.section  # type: ignore[attr-defined]
        found[each.name] = evolve(about, section=where, key=each.name, keyword=keyword)
    return found
