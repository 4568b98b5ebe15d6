"""Which names a provider may have, and which texts a user's key may be. Pure."""

from __future__ import annotations

import re

from ..errors import InvalidKey
from ..secret import Secret

MOST_KEYS = 64
LONGEST_KEY = 8 * 1024
#: The last four characters of a shorter key would give too much of the key away.
SHORTEST_SHOWN = 12

_PROVIDER = re.compile(r"[a-z0-9-]{1,64}")


def check_provider(name: str) -> str:
    """Give *name* back if it can name a provider.

    >>> check_provider("daydream-2")
    'daydream-2'

    :raises InvalidKey: it can't.
    """
    if _PROVIDER.fullmatch(name) is None:
        raise InvalidKey("A provider's name is 1 to 64 of a-z, 0-9 and -")
    return name


def check_key(value: object, provider: str) -> Secret:
    """The key that a user sent.

    :raises InvalidKey: *value* is no text, is empty, takes over 8 kB in UTF-8, or holds a control
        character, which no header can carry.
    """
    if not isinstance(value, str):
        raise InvalidKey('Expected {"key": "..."}')
    try:
        if len(value.encode("utf-8")) > LONGEST_KEY:
            raise InvalidKey(f"A key is at most {LONGEST_KEY} bytes")
        if not value.isprintable():
            raise InvalidKey("A key holds no line ends, tabs or other control characters")
        return Secret(value.strip(" "), source=f"user_key:{provider}")
    except ValueError:
        raise InvalidKey("A key must not be empty") from None
