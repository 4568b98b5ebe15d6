"""JSON Web Tokens (RFC 7519): signed, and checked as RFC 8725 advises."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from time import time
from typing import Any

from attrs import frozen
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.util import urlsafe_b64decode
from twisted.internet.defer import Deferred
from twisted.web.iweb import IAgent
from twisted.web.server import Request

from ..errors import ConfigError, InvalidToken, naming_option
from ..model import User
from ..secret import Secret
from .claims import Expected, check_claims
from .credentials import CSRF_COOKIE, MAX_TOKEN, SESSION_COOKIE, CredentialReader
from .jwks import JwksKeys
from .signing_keys import (
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    check_algorithms,
    fits,
    public_key,
    secret_key,
)
from .strict_json import read_object
from .users import user_of

#: Environment variables of the secret where no option names it, as in the seed's server, in order.
SECRET_VARIABLES = ("NEXTAUTH_SECRET", "JWT_SECRET")
#: Media types of tokens that name a user (RFC 7519 section 5.1, RFC 9068 section 2.1).
_TYPES = ("jwt", "at+jwt")
_LONGEST_KID = 256
LONGEST_LEEWAY = 300.0
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

#: Finds the key that verifies a token by the token's key id and algorithm, at once or later.
FindKey = Callable[[str | None, str], Key | Deferred[Key]]


class _Registry(jws.JWSRegistry):
    """joserfc's checks, but for those of the header: :func:`read_header` is stricter."""

    max_header_length = MAX_TOKEN

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


@frozen
class TokenHeader:
    """The fields of a token's header that are read (RFC 7515 section 4.1).

    :ivar kid: is compared with names of keys, and never used as a path, a URL or a query.
    """

    algorithm: str
    kid: str | None


@frozen(kw_only=True)
class JwtOptions(Expected):
    """Options of every :class:`JwtAuthenticator`: the expected claims, and where a token stands.

    :ivar session_cookie: the cookie that may hold the token; with ``""`` only Authorization does.
    :ivar csrf_cookie: the name of the cookie that X-CSRF-Token must repeat.
    """

    session_cookie: str = SESSION_COOKIE
    csrf_cookie: str = CSRF_COOKIE


class JwtAuthenticator:
    """Takes the user from a token's claims once its signature verifies; no service is asked.

    Made by :meth:`from_secret`, :meth:`from_public_key` or :meth:`from_jwks`.

    :param find_key: finds the key by key id and algorithm.
    :param algorithms: a token signed with any other is refused.
    :param now: seconds since 1970.
    :raises ConfigError: naming each option whose value can't be.
    """

    description = "jwt"

    def __init__(
        self,
        find_key: FindKey,
        algorithms: Sequence[str],
        options: JwtOptions | None = None,
        *,
        now: Callable[[], float] = time,
    ) -> None:
        options = options or JwtOptions()
        problems = []
        if not 0 <= options.leeway <= LONGEST_LEEWAY:
            problems.append(f"leeway: must be 0 to {LONGEST_LEEWAY:g} seconds")
        try:
            check_algorithms(algorithms, SECRET_ALGORITHMS + PUBLIC_ALGORITHMS)
        except ValueError as error:
            problems.append(f"algorithms: {error}")
        try:
            self._reader = CredentialReader(options.session_cookie, options.csrf_cookie)
        except ConfigError as error:
            problems += error.problems
        if isinstance(options.audience, str) or "" in options.audience:
            problems.append("audience: must be a list of names")
        if problems:
            raise ConfigError(*problems)
        self._find_key = find_key
        self._algorithms = frozenset(algorithms)
        self._expected = options
        self._now = now

    @classmethod
    def from_secret(
        cls,
        secret: Secret | str,
        algorithms: Sequence[str] = ("HS256",),
        options: JwtOptions | None = None,
        *,
        now: Callable[[], float] = time,
    ) -> JwtAuthenticator:
        """Verify with a shared secret: 32 bytes at least, 48 for HS384, 64 for HS512.

        :raises ConfigError: naming each option whose value can't be, and never the secret.
        """
        with naming_option("algorithms"):
            check_algorithms(algorithms, SECRET_ALGORITHMS)
        with naming_option("secret"):
            key = secret_key(secret if isinstance(secret, Secret) else Secret(secret), algorithms)
        return cls(lambda kid, algorithm: key, algorithms, options, now=now)

    @classmethod
    def from_public_key(
        cls,
        pem: bytes,
        algorithms: Sequence[str],
        options: JwtOptions | None = None,
        *,
        now: Callable[[], float] = time,
    ) -> JwtAuthenticator:
        """Verify with one public key in PEM.

        :raises ConfigError: naming each option whose value can't be.
        """
        with naming_option("algorithms"):
            check_algorithms(algorithms, PUBLIC_ALGORITHMS)
        with naming_option("public_key"):
            key = public_key(pem)
        for name in algorithms:
            if not fits(key, name):
                raise ConfigError(f"algorithms: {name} does not go with this public key")
        return cls(lambda kid, algorithm: key, algorithms, options, now=now)

    @classmethod
    def from_jwks(
        cls,
        url: str,
        algorithms: Sequence[str],
        options: JwtOptions | None = None,
        *,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
        now: Callable[[], float] = time,
    ) -> JwtAuthenticator:
        """Verify with the key set at *url*; *ca_file* adds trust anchors for that server.

        :raises ConfigError: naming each option whose value can't be.
        """
        with naming_option("algorithms"):
            check_algorithms(algorithms, PUBLIC_ALGORITHMS)
        keys = JwksKeys(url, ca_file=ca_file, reactor=reactor, agent=agent)
        return cls(keys.find, algorithms, options, now=now)

    def authenticate(self, request: Request) -> User | Deferred[User] | None:
        """The token's user, at once unless the key has to be fetched.

        :raises InvalidToken: the signature does not verify, or a claim is not as expected.
        :raises CsrfFailed: the token is a cookie's, and its CSRF token is missing.
        :raises Unavailable: the key can't be fetched now.
        """
        token = self._reader.read(request)
        if token is None:
            return None
        header = read_header(token, self._algorithms)
        key = self._find_key(header.kid, header.algorithm)
        if isinstance(key, Deferred):
            return key.addCallback(self._verified, token, header)
        return self._verified(key, token, header)

    def _verified(self, key: Key, token: bytes, header: TokenHeader) -> User:
        payload = payload_of(token, key, header)
        try:
            claims = read_object(payload)
            check_claims(claims, self._expected, self._now())
            return user_of(claims, "sub", "id")
        except ValueError as error:
            raise InvalidToken(reason=f"token: {_brief(error)}") from None


def read_header(token: bytes, algorithms: frozenset[str]) -> TokenHeader:
    """The header of a signed token in compact form, before its signature is verified.

    ``jku``, ``jwk``, ``x5u`` and ``x5c`` are ignored: no token may choose the key that judges it.

    :raises InvalidToken: the token has not three parts, its header is no JSON object, names an
        algorithm that is not in *algorithms* or another type of token, or has ``crit`` or ``b64``:
        this reader understands no extension (RFC 7515 section 4.1.11).
    """
    if _COMPACT.fullmatch(token) is None:
        raise InvalidToken(reason="token: not a signed token in compact form")
    try:
        fields = read_object(urlsafe_b64decode(token.partition(b".")[0]))
    except ValueError as error:
        raise InvalidToken(reason=f"token header: {_brief(error)}") from None
    algorithm, kid, typ = fields.get("alg"), fields.get("kid"), fields.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise InvalidToken(reason="token header: an algorithm that does not count here")
    if "crit" in fields or "b64" in fields:
        raise InvalidToken(reason="token header: an extension that is not understood")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        raise InvalidToken(reason="token header: another type of token")
    if "kid" in fields and not (isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID):
        raise InvalidToken(reason="token header: kid is not a short text")
    return TokenHeader(algorithm, kid)


def payload_of(token: bytes, key: Key, header: TokenHeader) -> bytes:
    """What *token* says, once its signature by *key* verifies.

    :raises InvalidToken: it does not, or the key is not for the token's algorithm.
    """
    if not fits(key, header.algorithm):
        raise InvalidToken(reason="token: its algorithm does not go with the key")
    try:
        verified = jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(reason=f"token: {type(error).__name__}") from None
    return verified.payload or b""


def _brief(error: ValueError) -> str:
    # The message of a subclass, a decoder's, quotes the token.
    return str(error) if type(error) is ValueError else type(error).__name__
