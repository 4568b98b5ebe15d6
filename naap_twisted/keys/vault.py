"""Users' keys under lock: Fernet tokens (AES-128-CBC and HMAC-SHA256) of cryptography.

The first master key seals; every master key opens. To rotate, put a new one in front, re-seal
(``naap-proxy rotate-keys``), then drop the old one. A token also holds the user and the provider,
so that a row moved to another user or provider does not open.
"""

from __future__ import annotations

import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from ..errors import ConfigError
from ..secret import Secret
from .rules import SHORTEST_SHOWN

_MASTER_KEY = re.compile(rb"[A-Za-z0-9_-]{43}=")
_CANARY = b"naap-proxy master key"


class Vault:
    """Seals and opens users' keys.

    :param master: one or more Fernet keys (44 characters each), separated by commas.
    :raises ConfigError: a part between commas is no Fernet key.
    """

    def __init__(self, master: Secret) -> None:
        parts = [part.strip() for part in master.reveal().split(b",")]
        locks: list[Fernet] = []
        for number, part in enumerate(parts, 1):
            # Python's base64 ignores characters behind the padding, which a typing error leaves.
            if _MASTER_KEY.fullmatch(part) is None:
                raise ConfigError(
                    f"master_key: part {number} is not a master key;"
                    " `naap-proxy new-master-key` prints one"
                )
            locks.append(Fernet(part))
        self._locks = MultiFernet(locks)

    def seal(self, user_id: str, provider: str, key: Secret) -> str:
        """A token that holds *key* and says whose it is."""
        return self._locks.encrypt(_owner(user_id, provider) + key.reveal()).decode("ascii")

    def open(self, user_id: str, provider: str, sealed: str) -> Secret:
        """The key in *sealed*.

        :raises ValueError: no master key opens it, or it was sealed for another user or provider.
        """
        owner = _owner(user_id, provider)
        try:
            opened = self._locks.decrypt(sealed)
        except InvalidToken:
            raise ValueError("no master key opens it") from None
        if not opened.startswith(owner):
            raise ValueError("it was sealed for another user or provider")
        return Secret(opened[len(owner) :], source=f"user_key:{provider}")

    def reseal(self, sealed: str) -> str:
        """The key in *sealed*, in a token under the first master key.

        :raises ValueError: no master key opens it.
        """
        try:
            return self._locks.rotate(sealed).decode("ascii")
        except InvalidToken:
            raise ValueError("no master key opens it") from None

    def canary(self) -> str:
        """A token by which a later start recognizes its master key."""
        return self._locks.encrypt(_CANARY).decode("ascii")

    def knows(self, canary: str) -> bool:
        """Whether one of the master keys made *canary*."""
        try:
            return self._locks.decrypt(canary) == _CANARY
        except InvalidToken:
            return False


def new_master_key() -> str:
    """A fresh master key, for ``naap-proxy new-master-key``."""
    return Fernet.generate_key().decode("ascii")


def last4(key: Secret) -> str:
    """The last four characters, by which the owner recognizes a key; ``""`` for a short key."""
    raw = key.reveal()
    return raw[-4:].decode("utf-8", "replace") if len(raw) >= SHORTEST_SHOWN else ""


def _owner(user_id: str, provider: str) -> bytes:
    # A provider and a key hold no NUL, so no other user and provider give the same bytes.
    return user_id.encode("utf-8") + b"\0" + provider.encode("ascii") + b"\0"
