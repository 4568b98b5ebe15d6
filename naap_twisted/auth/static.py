"""A fixed table of callers' tokens: the smallest authenticator, for scripts, tests and machines."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping

from twisted.web.server import Request

from ..errors import ConfigError, InvalidToken
from ..model import User
from ..secret import Secret
from .credentials import bearer_token


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def parse_pairs(text: str) -> dict[str, str]:
    """The mapping in *text*; the first ``=`` of a part splits it, and spaces around are dropped.

    >>> parse_pairs("a=1, b = 2=")
    {'a': '1', 'b': '2='}

    :raises ValueError: there is no part, or one without ``=``, with an empty side or with a left
        side that came before. The message counts parts and quotes none: they may hold secrets.
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
    """Finds the user of ``Authorization: Bearer <token>`` in a fixed table.

    The table holds digests of tokens, and compares them in constant time.

    :param users: the user by token.
    :raises ValueError: a token is empty or can't stand in a header, or its value is no User.
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
        """Read the environment variable *name*: ``token=userid,token2=userid2``.

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

        :raises InvalidToken: the header has another scheme, is repeated, or its token is unknown.
        """
        values = request.requestHeaders.getRawHeaders(b"authorization", [])
        if not values:
            return None
        digest = _digest(bearer_token(values))
        match = None
        # The loop goes on after a match, so that its time does not tell which entry matched.
        for known, user in self._users:
            if hmac.compare_digest(known, digest):
                match = user
        if match is None:
            raise InvalidToken(reason="unknown static token")
        return match
