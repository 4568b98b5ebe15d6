"""Tokens written down beforehand: the smallest authenticator, for scripts, tests and machines."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping

from twisted.web.server import Request

from ..errors import ConfigError, InvalidToken
from ..model import User
from ..secret import Secret


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def parse_pairs(text: str) -> dict[str, str]:
    """``"a=1,b=2"`` to a mapping; spaces around each part are dropped. The first ``=`` splits.

    :raises ValueError: an empty list, a part without ``=``, an empty side or a repeated left side.
        The message counts parts and never quotes them: they may hold secrets.
    """
    pairs: dict[str, str] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError("it is empty")
    for number, part in enumerate(parts, 1):
        left, _, right = (piece.strip() for piece in part.partition("="))
        if not left or not right:
            raise ValueError(f"part {number} is not of the form left=right")
        if left in pairs:
            raise ValueError(f"part {number} repeats an earlier left side")
        pairs[left] = right
    return pairs


class StaticTokens:
    """``Authorization: Bearer <token>`` to a user, from a fixed table.

    Only digests are kept, and they are compared in constant time.

    :param users: user by token.
    :raises ValueError: a token is empty or could not stand in a header, or stands for no User.
    """

    description = "static tokens"

    def __init__(self, users: Mapping[str, User]) -> None:
        for token, user in users.items():
            Secret(token, source="StaticTokens")
            if not isinstance(user, User):
                raise ValueError(f"a token stands for a User, not for {type(user).__name__}")
        self._users = [(_digest(token.encode()), user) for token, user in users.items()]

    @classmethod
    def from_env(cls, name: str) -> StaticTokens:
        """From an environment variable: ``token=userid,token2=userid2``.

        :raises ConfigError: it is not set, empty or malformed.
        """
        form = 'set it to "token=userid,token2=userid2"'
        text = os.environ.get(name)
        if text is None:
            raise ConfigError(f"{name}: the environment variable is not set; {form}")
        try:
            pairs = parse_pairs(text)
            return cls({token: User(user) for token, user in pairs.items()})
        except ValueError as error:
            raise ConfigError(f"{name}: {error}; {form}") from None

    def authenticate(self, request: Request) -> User | None:
        """The token's user; ``None`` when there is no ``Authorization`` header.

        :raises InvalidToken: another scheme, a repeated header or a token nobody has.
        """
        values = request.requestHeaders.getRawHeaders(b"authorization", [])
        if not values:
            return None
        scheme, _, token = values[0].strip().partition(b" ")
        if len(values) > 1 or scheme.lower() != b"bearer":
            raise InvalidToken(reason="not one bearer token")
        presented = _digest(token.strip())
        found = None
        # No early end: how long it takes must not tell which entry matched.
        for known, user in self._users:
            if hmac.compare_digest(known, presented):
                found = user
        if found is None:
            raise InvalidToken(reason="unknown static token")
        return found
