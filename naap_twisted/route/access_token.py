"""The access token of a route's ``oauth2``, among the headers that the route injects."""

from __future__ import annotations

from ..credentials.token_source import TokenSource
from ..model import HeaderPairs
from ..secret import Secret
from .scrub import Guard

_NAME = b"Authorization"


class AccessToken:
    """Adds the token to what a request is sent with, and its secrets to what is guarded.

    :ivar source: gives the token.
    """

    def __init__(self, source: TokenSource) -> None:
        self.source = source
        self._present: Secret | None = None
        self._previous: tuple[Secret, ...] = ()
        # Most requests of a route have the same headers and token as the one before.
        self._asked: tuple[object, ...] = ()
        self._made: tuple[HeaderPairs, Guard] = ((), Guard())

    async def beside(
        self, injected: HeaderPairs, guard: Guard
    ) -> tuple[HeaderPairs, Guard, Secret]:
        """*injected* with the token, *guard* with its secrets, and the token itself.

        :raises CredentialUnavailable: there is no token now.
        """
        token = self.source.held() or await self.source.token()
        asked = self._asked
        if not asked or not (asked[0] is injected and asked[1] is guard and asked[2] is token):
            self._make(injected, guard, token)
        return (*self._made, token)

    def _make(self, injected: HeaderPairs, guard: Guard, token: Secret) -> None:
        if self._present is not None and self._present is not token:
            # An upstream's debugging page may show the token of an earlier request.
            self._previous = (self._present,)
        self._present = token
        others = tuple(pair for pair in injected if pair[0].lower() != b"authorization")
        secrets = (self.source.client.client_secret, token, *self._previous)
        self._made = (*others, (_NAME, token)), guard.beside(*secrets)
        self._asked = injected, guard, token
