"""The text of a page token: a user and a grant, signed. Pure.

``naap_p1.<payload>.<MAC>``: a :class:`~naap_twisted.auth.signed_text.SignedText`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from ..errors import InvalidToken
from ..model import PageBudget, PageGrant, User
from ..secret import Secret
from .signed_text import LEAST_KEY, SignedText

#: How the tokens of every version begin, those of later ones, too.
FAMILY = b"naap_p"
_VERSION = FAMILY + b"1."


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
    _text: SignedText = field(init=False, repr=False)

    @_text.default
    def _signed_text(self) -> SignedText:
        return SignedText(_VERSION, "a page token", self.keys)

    def sign(self, user: User, grant: PageGrant) -> str:
        """The token of *user* with *grant*.

        :raises ValueError: it would be too long.
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
        return self._text.write(kept)

    def read(self, token: bytes, now: float) -> tuple[User, PageGrant]:
        """The user and the grant of *token* at *now*, in seconds since 1970.

        :returns: the user has the grant as ``page``, too.
        :raises InvalidToken: it is not one of this server's, or has expired.
        """
        members = self._text.read(token)
        try:
            server, grant = members["srv"], _grant_of(members)
            user = User(members["sub"], roles=tuple(members.get("roles", ())), page=grant)
        except (ValueError, KeyError, TypeError, ArithmeticError):
            raise self._text.senseless() from None
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
