"""App Check: a token by which Firebase vouches for an app, or for a page of one.

It is a JSON Web Token signed with a key of Google's published set
(firebase.google.com/docs/app-check/custom-resource-backend).
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from ..errors import ChallengeFailed, InvalidToken
from .claims import Expected, check_claims
from .credentials import MAX_TOKEN
from .jwks import JwksKeys
from .jwt import payload_of, read_header
from .strict_json import read_object

HEADER = "X-Firebase-AppCheck"
JWKS_URL = "https://firebaseappcheck.googleapis.com/v1/jwks"
ISSUER = "https://firebaseappcheck.googleapis.com/"
_ALGORITHMS = frozenset(("RS256",))


class AppCheck:
    """Judges the tokens of one Firebase project's apps.

    :param project: its number.
    :param url: of the key set.
    :param ca_file: PEM file of further trust anchors towards it.
    :param agent: takes the place of Twisted's, for tests.
    :param now: seconds since 1970.
    :raises ConfigError: the URL is none, or is plain http to another machine.
    """

    def __init__(
        self,
        project: str,
        *,
        url: str = JWKS_URL,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._expected = Expected((f"projects/{project}",), ISSUER + project)
        self._keys = JwksKeys(url, ca_file=ca_file, reactor=reactor, agent=agent)
        self._now = now

    async def check(self, headers: Headers) -> None:
        """Let a request with these *headers* pass, or raise.

        :raises ChallengeFailed: it has no such token, or none that counts.
        :raises Unavailable: the key set can't be fetched now.
        """
        values = headers.getRawHeaders(HEADER.encode("ascii"), [])
        if len(values) != 1 or len(values[0]) > MAX_TOKEN:
            raise ChallengeFailed(
                "This needs an App Check token", reason=f"{len(values)} App Check tokens, or long"
            )
        token = values[0].strip(b" \t")
        try:
            header = read_header(token, _ALGORITHMS)
            key = self._keys.find(header.kid, header.algorithm)
            if isinstance(key, Deferred):
                key = await key
            claims = read_object(payload_of(token, key, header))
            check_claims(claims, self._expected, self._now())
        except InvalidToken as error:
            raise ChallengeFailed(reason=f"App Check: {error.reason}") from None
        except ValueError as error:
            # The message of a subclass, a decoder's, quotes the token.
            words = str(error) if type(error) is ValueError else type(error).__name__
            raise ChallengeFailed(reason=f"App Check: {words}") from None
