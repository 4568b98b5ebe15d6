"""The text of a page token: a user and a grant, with a MAC over them. Pure.

``naap_p1.<payload>.<MAC>``, both in base64url without padding. The version names everything else,
so there is no algorithm for a forger to choose. The MAC is of the text itself: it is compared
before anything is decoded, and no second spelling of a payload has it.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from ..errors import InvalidToken
from ..model import PageBudget, PageGrant, User
from ..secret import Secret
from .strict_json import read_object

#: How the tokens of every version begin, those of later ones, too.
FAMILY = b"naap_p"
#: Bytes of a token; it has to fit into one header beside others.
MOST_TOKEN = 4096
#: Bytes that a key, and an issuer's secret, must at least have (RFC 2104 section 3).
LEAST_KEY = 32
_VERSION = FAMILY + b"1."
_FORM = re.compile(re.escape(_VERSION) + rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


@frozen
class Signer:
    """Makes the tokens of one server, and reads them.

    :ivar keys: the first signs, each of them verifies.
    :ivar server: the server's name; another's tokens are refused, though it has the same keys.
    :ivar max_ttl: seconds; a token that lives longer was made by other rules and is refused.
    """

    keys: Sequence[bytes] = field(repr=False)
    server: str
    max_ttl: float

    def sign(self, user: User, grant: PageGrant) -> str:
        """The token of *user* with *grant*.

        :raises ValueError: it would be longer than :data:`MOST_TOKEN`.
        """
        members = {
            "srv": self.server,
            "id": grant.id,
            "sub": user.id,
            "roles": user.roles,
            "routes": grant.routes,
            "iat": grant.issued_at,
            "exp": grant.expires_at,
            "origin": grant.origin,
            "models": grant.models,
            "uses": grant.uses,
            "by": grant.counted_by,
            "budget": [[each.unit, str(each.amount), each.per] for each in grant.budget],
        }
        needed = {"srv", "id", "sub", "routes", "iat", "exp"}
        kept = {name: value for name, value in members.items() if value or name in needed}
        signed = _VERSION + _packed(json.dumps(kept, separators=(",", ":")).encode())
        token = signed + b"." + _mac(self.keys[0], signed)
        if len(token) > MOST_TOKEN:
            raise ValueError(f"the token would be over {MOST_TOKEN} bytes")
        return token.decode("ascii")

    def read(self, token: bytes, now: float) -> tuple[User, PageGrant]:
        """The user and the grant of *token* at *now*, in seconds since 1970.

        :returns: the user has the grant as ``page``, too.
        :raises InvalidToken: it is not one of this server's, or has expired.
        """
        if len(token) > MOST_TOKEN or _FORM.fullmatch(token) is None:
            raise InvalidToken(reason="a page token of another version, or cut")
        signed, _, mac = token.rpartition(b".")
        # Every key is tried, so that the time does not tell which one signed.
        if not sum(hmac.compare_digest(_mac(key, signed), mac) for key in self.keys):
            raise InvalidToken(reason="a page token with another signature")
        try:
            members = read_object(_unpacked(signed.removeprefix(_VERSION)))
            server, grant = members["srv"], _grant_of(members)
            user = User(members["sub"], roles=tuple(members.get("roles", ())), page=grant)
        except (ValueError, KeyError, TypeError, ArithmeticError):
            raise InvalidToken(reason="a page token that is signed and makes no sense") from None
        if server != self.server:
            raise InvalidToken(reason="a page token of a server of another name")
        if now >= grant.expires_at:
            raise InvalidToken("The token has expired", reason="a page token has expired")
        if grant.expires_at - grant.issued_at / 1000 > self.max_ttl + 1:
            raise InvalidToken(reason="a page token that lives longer than max_ttl")
        return user, grant


def _grant_of(members: dict[str, Any]) -> PageGrant:
    budget = (PageBudget(unit, Decimal(n), per) for unit, n, per in members.get("budget", ()))
    return PageGrant(
        members["id"],
        tuple(members["routes"]),
        int(members["iat"]),
        int(members["exp"]),
        members.get("origin", ""),
        tuple(members.get("models", ())),
        int(members.get("uses", 0)),
        members.get("by", ""),
        tuple(budget),
    )


def _mac(key: bytes, signed: bytes) -> bytes:
    return _packed(hmac.digest(key, signed, "sha256"))


def _packed(data: bytes) -> bytes:
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


def check_issuer(secret: Secret) -> Secret:
    """*secret*, with which a site's backend mints tokens.

    :raises ValueError: it can be guessed, or can't be told from a page token.
    """
    size = len(secret.reveal())
    if size < LEAST_KEY:
        raise ValueError(
            f"has {size} bytes, and {LEAST_KEY} are needed; make one with: openssl rand -base64 32"
        )
    if secret.begins_with(FAMILY.decode()):
        raise ValueError("is a page token where the backend's own secret is meant")
    return secret
