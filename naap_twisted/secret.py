"""A value that must not be seen: API keys and everything that holds one.

``repr``, ``str``, ``format``, logging and pickle give a placeholder. :meth:`Secret.reveal` is
called where bytes go to the wire and nowhere else; tests/test_house.py lists the callers.
"""

from __future__ import annotations

import hmac
import os
from typing import NoReturn
from urllib.parse import urlsplit

from .errors import ConfigError
from .misread import misread, misread_header

REDACTED = "[redacted]"


class Secret:
    """One secret byte string.

    :param value: the secret; text is encoded as UTF-8.
    :param source: where it came from (``"env:OPENAI_API_KEY"``), which may be shown.
    :param parts: what of *value* is secret by itself, where text stands around it.
    :raises ValueError: the value is empty, or holds CR, LF, NUL or another control byte, so that
        it could not stand in a header (RFC 9110 section 5.5).
    """

    __slots__ = ("_parts", "_value", "source")

    def __init__(
        self, value: str | bytes, source: str = "code", *, parts: tuple[bytes, ...] = ()
    ) -> None:
        raw = value.encode("utf-8") if isinstance(value, str) else bytes(value)
        if not raw.strip():
            raise ValueError(f"secret from {source} is empty")
        if any((byte < 32 and byte != 9) or byte == 127 for byte in raw):
            if raw.rstrip(b"\r\n").isascii() and raw.rstrip(b"\r\n").decode().isprintable():
                raise ValueError(f"secret from {source} ends in a line end; take it away")
            raise ValueError(f"secret from {source} holds a control character")
        self._value = raw
        self._parts = parts
        self.source = source

    @classmethod
    def from_env(cls, name: str, prefix: str = "") -> Secret:
        """The environment variable *name*, with *prefix* (such as ``"Bearer "``) before it.

        :raises ConfigError: it is not set, empty or unfit for a header.
        """
        source = f"env:{name}"
        value = os.environ.get(name)
        if value is None or not value.strip():
            raise ConfigError(f"{name}: the environment variable is not set")
        try:
            return cls(prefix + value, source, parts=(os.fsencode(value),))
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from None

    def between(self, before: str, after: str = "") -> Secret:
        """This secret with text around it, such as ``"Bearer "`` before.

        :raises ValueError: the text holds a control character.
        """
        value = before.encode("utf-8") + self._value + after.encode("utf-8")
        return Secret(value, self.source, parts=self._parts or (self._value,))

    def refuse_mistakes(self, *, in_header: bool = False) -> None:
        """Refuse what is not the secret that was meant: a variable's name, a value in quotes.

        Asked where options are read, and not of each request's values.

        :raises ValueError: why; with the source, and nothing of the value.
        """
        reason = (misread_header if in_header else misread)(self._value)
        if reason is not None:
            raise ValueError(f"secret from {self.source} {reason}")

    @property
    def has_password(self) -> bool:
        """Whether it is a URL that holds one: without, a URL tells a place, and no secret."""
        try:
            return urlsplit(self._value).password is not None
        except ValueError:
            return True

    def reveal(self) -> bytes:
        """The bytes themselves. Only the wire may have them."""
        return self._value

    def reveal_parts(self) -> tuple[bytes, ...]:
        """What in it is secret by itself, for whoever looks for it in what comes back."""
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
