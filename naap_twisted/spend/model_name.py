"""The name of the model that made an answer, as the answer tells it. Pure."""

from __future__ import annotations

import re

# Inside of a text of the answer a quote is escaped, so that no text is taken for the member.
_NAMED = re.compile(
    rb'"(?:model|modelVersion)"\s*+:\s*+"([A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}+)"', re.ASCII
)
#: Bytes of an answer that are searched: APIs name the model near the beginning.
_SEARCHED = 64 * 1024
#: The longest member, of which a part may stand in the next piece.
_LONGEST = 200


class AnsweredModel:
    """Reads along the beginning of one answer, however it is cut.

    :ivar looking: the name is not found yet, and may come.
    :ivar name: ``""`` until it is found.
    """

    def __init__(self) -> None:
        self.looking = True
        self.name = ""
        self._tail = b""
        self._left = _SEARCHED

    def feed(self, text: bytes) -> None:
        """Take the next bytes of the answer, without their content coding."""
        seen = self._tail + text[: self._left]
        self._left -= len(text)
        found = _NAMED.search(seen)
        if found is not None:
            self.name = found[1].decode("ascii")
        self.looking = found is None and self._left > 0
        self._tail = seen[-_LONGEST:] if self.looking else b""
