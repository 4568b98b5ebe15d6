"""Secrets have a type, so that no log line, traceback or pickle shows an API key by accident.

``repr``, ``str`` and ``format`` give a placeholder, and pickling fails. :meth:`Secret.reveal` is
called where bytes go to the wire; tests/test_house.py lists the modules that may.

:func:`misread` finds a value that the operator did not mean: a variable's name that no shell has
replaced, quotes or a ``\\n`` that the reader of an .env file has left, a dash that a word processor
has put in. A server with such a value would start, and every request would fail at the upstream.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from .errors import ConfigError, naming_option

REDACTED = "[redacted]"
#: Shorter values are version strings and the like, not keys; nobody looks for them in answers.
SHORTEST_GUARDED = 8

# An authentication scheme such as "Bearer " may stand before the value that is judged.
_SCHEME = rb"(?:[A-Za-z][A-Za-z0-9-]* +)?"
_VARIABLE = re.compile(_SCHEME + rb"\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(rb"\$\{[^}]*\}")
_QUOTED = re.compile(_SCHEME + rb"""(?:"[^"]*"|'[^']*')""")
_CONTROLS = bytes((*range(9), *range(10, 32), 127))
_LINE_ENDS = (b"\\n", b"\\r")


class Secret:
    """One secret byte string.

    :param value: the secret; text is encoded as UTF-8.
    :param source: the place that the secret came from (``"env:OPENAI_API_KEY"``); it may be shown.
    :param parts: the pieces of *value* that are secret by themselves, where plain text such as
        ``"Bearer "`` stands around them.
    :param files: those that a part of it was read from.
    :param again: makes the secret once more, of what the files hold then.
    :raises ValueError: *value* is empty, or holds CR, LF, NUL or another control byte, so that it
        could not stand in a header (RFC 9110 section 5.5).

    >>> str(Secret("sk-1", "env:OPENAI_API_KEY"))
    '[redacted]'
    """

    __slots__ = ("_again", "_parts", "_value", "files", "source")

    def __init__(
        self,
        value: str | bytes,
        source: str = "code",
        *,
        parts: tuple[bytes, ...] = (),
        files: tuple[Path, ...] = (),
        again: Callable[[], Secret] | None = None,
    ) -> None:
        raw = value.encode("utf-8") if isinstance(value, str) else bytes(value)
        if not raw.strip():
            raise ValueError(f"secret from {source} is empty")
        if raw != raw.translate(None, _CONTROLS):
            if raw.rstrip(b"\r\n").isascii() and raw.rstrip(b"\r\n").decode().isprintable():
                raise ValueError(f"secret from {source} ends in a line end; take it away")
            raise ValueError(f"secret from {source} holds a control character")
        self._value = raw
        self._parts = parts
        self._again = again
        self.files = files
        self.source = source

    @classmethod
    def from_env(cls, name: str, prefix: str = "") -> Secret:
        """The value of the environment variable *name*, with *prefix* (``"Bearer "``) before it.

        :raises ConfigError: the variable is not set, is empty, or can not stand in a header.
        """
        source = f"env:{name}"
        value = os.environ.get(name)
        if value is None or not value.strip():
            raise ConfigError(f"{name}: the environment variable is not set")
        with naming_option(name):
            return cls(prefix + value, source, parts=(os.fsencode(value),))

    def between(self, before: str, after: str = "", source: str = "") -> Secret:
        """This secret with plain text before and after it.

        :param source: another word for where it comes from.
        :raises ValueError: the text holds a control character.
        """
        value = before.encode("utf-8") + self._value + after.encode("utf-8")
        again = partial(self._between_again, before, after) if self._again else None
        parts = self._parts or (self._value,)
        return Secret(value, source or self.source, parts=parts, files=self.files, again=again)

    def _between_again(self, before: str, after: str) -> Secret:
        return self.read_again().between(before, after)

    def read_again(self) -> Secret:
        """The secret as its files have it now; this one where it comes from none.

        :raises ValueError: as at the first time.
        """
        return self if self._again is None else self._again()

    def refuse_mistakes(self, *, in_header: bool = False) -> None:
        """Refuse a value that is not the secret that was meant, such as a variable's name.

        Options are judged so once, at the start; values that are made for one request are not.

        :param in_header: the secret is to stand in a header.
        :raises ValueError: the text gives the source and the reason, and nothing of the value.
        """
        reason = misread(self._value, in_header=in_header)
        if reason is not None:
            raise ValueError(f"secret from {self.source} {reason}")

    def begins_with(self, text: str) -> bool:
        """Whether the secret opens with plain *text*, whatever the case of either."""
        return self._value.lower().startswith(text.lower().encode("utf-8"))

    @property
    def has_password(self) -> bool:
        """Whether this is a URL with a password in it. A URL without one is no secret."""
        try:
            return urlsplit(self._value).password is not None
        except ValueError:
            return True

    def reveal(self) -> bytes:
        """The bytes themselves, for the wire only."""
        return self._value

    def reveal_parts(self) -> tuple[bytes, ...]:
        """The pieces that are secret by themselves, for the scrubbing of what comes back."""
        return self._parts

    def __repr__(self) -> str:
        return f"<Secret {self.source} {REDACTED}>"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied to another process")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def basic_parts(pair: bytes) -> tuple[bytes, bytes]:
    """What of a ``user:password`` (RFC 7617 section 2) is secret by itself: itself, and one half.

    Who has one key and no password sends it as the user; beside a password the user is an account's
    name, which stands in addresses that must stay whole.

    >>> basic_parts(b"sk_live_4f81:")
    (b'sk_live_4f81:', b'sk_live_4f81')
    """
    user, _, password = pair.partition(b":")
    return pair, password if len(password) >= SHORTEST_GUARDED else user


def misread(value: bytes, *, in_header: bool = False) -> str | None:
    """The reason why *value* is no secret, without any of its bytes, or ``None``.

    :param in_header: the value is to stand in a header, which is US-ASCII (RFC 9110 section 5.5).

    >>> misread(b"'sk-1'")
    'still has its quotes; take them away'
    """
    if in_header and not value.isascii():
        return (
            "holds a character outside ASCII, which no key does: perhaps a dash, a quote or a space"
            " that was copied from a text"
        )
    if _VARIABLE.fullmatch(value) or _REFERENCE.search(value):
        return (
            "is a variable's name where its value is meant; write ${env:NAME} in a config file,"
            ' Secret.from_env("NAME") in Python'
        )
    if _QUOTED.fullmatch(value):
        return "still has its quotes; take them away"
    if value.endswith(_LINE_ENDS):
        return "ends in a line end that was written out; take it away"
    return None
