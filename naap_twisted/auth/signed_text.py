"""Members in writing, with a MAC over them: the text of page tokens and of guests' tokens. Pure.

``VERSION.<payload>.<MAC>``, both in base64url without padding. The version names everything else,
so there is no algorithm for a forger to choose, and no text of one kind is read as another. The MAC
is of the text itself: it is compared before anything is decoded, and no second spelling of a
payload has it.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ..errors import InvalidToken
from ..secret import Secret
from .strict_json import read_object

#: Bytes of a text; it has to fit into one header beside others.
MOST_TEXT = 4096
#: Bytes that a key must at least have (RFC 2104 section 3).
LEAST_KEY = 32
_PARTS = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


@frozen
class SignedText:
    """Writes the texts of one kind, and reads them.

    :ivar version: how each begins, with its dot: ``b"naap_p1."``.
    :ivar kind: what the log calls one: ``"a page token"``.
    :ivar keys: the first signs, each of them verifies.
    """

    version: bytes
    kind: str
    keys: Sequence[bytes] = field(repr=False)

    def write(self, members: Mapping[str, object]) -> str:
        """The text that holds *members*.

        :raises ValueError: it would be longer than :data:`MOST_TEXT`.
        """
        signed = self.version + packed(json.dumps(members, separators=(",", ":")).encode())
        text = signed + b"." + _mac(self.keys[0], signed)
        if len(text) > MOST_TEXT:
            raise ValueError(f"the token would be over {MOST_TEXT} bytes")
        return text.decode("ascii")

    def read(self, text: bytes) -> dict[str, Any]:
        """The members that *text* holds.

        :raises InvalidToken: nobody with one of the keys wrote it, or it is no text of this kind.
        """
        known = len(text) <= MOST_TEXT and text.startswith(self.version)
        if not known or _PARTS.fullmatch(text, len(self.version)) is None:
            raise InvalidToken(reason=f"{self.kind} of another version, or cut")
        signed, _, mac = text.rpartition(b".")
        if not self._made(signed, mac):
            raise InvalidToken(reason=f"{self.kind} with another signature")
        try:
            return read_object(_unpacked(signed.removeprefix(self.version)))
        except ValueError:
            raise self.senseless() from None

    def senseless(self) -> InvalidToken:
        """The refusal of a text that somebody with a key wrote, by other rules than today's."""
        return InvalidToken(reason=f"{self.kind} that is signed and makes no sense")

    def mark(self, purpose: bytes, text: bytes) -> bytes:
        """What only somebody with the key could have made of *text* for a *purpose*.

        A purpose has no dot, so that no mark is the MAC of a text, whose version has one.
        """
        return _mac(self.keys[0], purpose + b":" + text)

    def has_mark(self, mark: bytes, purpose: bytes, text: bytes) -> bool:
        """Whether *mark* was made by one of the keys."""
        return self._made(purpose + b":" + text, mark)

    def _made(self, signed: bytes, mac: bytes) -> bool:
        # Every key is tried, so that the time does not tell which one signed.
        return sum(hmac.compare_digest(_mac(key, signed), mac) for key in self.keys) > 0


def _mac(key: bytes, signed: bytes) -> bytes:
    return packed(hmac.digest(key, signed, "sha256"))


def packed(data: bytes) -> bytes:
    """*data* in base64url without padding (RFC 4648 section 5)."""
    return urlsafe_b64encode(data).rstrip(b"=")


def _unpacked(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def signing_keys(secret: Secret) -> tuple[bytes, ...]:
    """The keys that *secret* holds, separated by commas.

    :raises ValueError: there is none, or one is short; the text holds no byte of them.
    """
    keys = tuple(key.strip() for key in secret.reveal().split(b","))
    for number, key in enumerate(keys, 1):
        if len(key) < LEAST_KEY:
            raise ValueError(
                f"key {number} has {len(key)} bytes, and {LEAST_KEY} are needed;"
                " make one with: openssl rand -base64 32"
            )
    if len(set(keys)) != len(keys):
        raise ValueError("holds a key twice")
    return keys
