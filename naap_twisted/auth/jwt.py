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

from ..errors import ConfigError, InvalidToken
from ..model import User
from ..secret import Secret
from .claims import LEEWAY, Expected, check_claims
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
from .tokens import CSRF_COOKIE, MAX_TOKEN, SESSION_COOKIE, TokenReader
from .users import user_of

#: Where the secret comes from when nobody says, as in the seed's server; the first that is set.
SECRET_VARIABLES = ("NEXTAUTH_SECRET", "JWT_SECRET")
#: Media types of tokens that say who calls (RFC 7519 section 5.1, RFC 9068 section 2.1).
_TYPES = ("jwt", "at+jwt")
_LONGEST_KID = 256
_LONGEST_LEEWAY = 300.0
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

#: Key id and algorithm of a token to the key that verifies it, at once or later.
FindKey = Callable[[str | None, str], Key | Deferred[Key]]


class _Registry(jws.JWSRegistry):
    """Takes what :func:`read_header` let through; the algorithm is one that was named."""

    max_header_length = MAX_TOKEN

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


@frozen
class TokenHeader:
    """What counts of a token's header (RFC 7515 section 4.1).

    :ivar kid: names a key of ours, and is never a path, a URL or a query.
    """

    algorithm: str
    kid: str | None


@frozen(kw_only=True)
class JwtOptions:
    """What every :class:`JwtAuthenticator` takes.

    :ivar audience: one of these has to be in ``aud``; empty: not looked at.
    :ivar issuer: ``iss`` has to be this; ``None``: not looked at.
    :ivar leeway: seconds that the issuer's clock may be off; at most 300.
    :ivar session_cookie: where the token may stand beside Authorization; ``""`` for nowhere.
    :ivar csrf_cookie: the name of the cookie that X-CSRF-Token must repeat.
    """

    audience: Sequence[str] = ()
    issuer: str | None = None
    leeway: float = LEEWAY
    session_cookie: str = SESSION_COOKIE
    csrf_cookie: str = CSRF_COOKIE


class JwtAuthenticator:
    """A token whose signature and claims say who calls; nobody is asked.

    Made by :meth:`from_secret`, :meth:`from_public_key` or :meth:`from_jwks`.

    :param find_key: key id and algorithm to key.
    :param algorithms: those that count.
    :param now: seconds since the epoch.
    :raises ConfigError: naming every option that can't be.
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
        if not 0 <= options.leeway <= _LONGEST_LEEWAY:
            problems.append(f"leeway: must be 0 to {_LONGEST_LEEWAY:g} seconds")
        try:
            check_algorithms(algorithms, SECRET_ALGORITHMS + PUBLIC_ALGORITHMS)
        except ValueError as error:
            problems.append(f"algorithms: {error}")
        try:
            self._reader = TokenReader(options.session_cookie, options.csrf_cookie)
        except ValueError as error:
            problems.append(f"session_cookie: {error}")
        if isinstance(options.audience, str) or "" in options.audience:
            problems.append("audience: must be a list of names")
        if problems:
            raise ConfigError(*problems)
        self._find_key = find_key
        self._algorithms = frozenset(algorithms)
        self._expected = Expected(tuple(options.audience), options.issuer, options.leeway)
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
        """With a shared secret: 32 bytes at least, 48 for HS384, 64 for HS512.

        :raises ConfigError: naming every option that can't be; never the secret.
        """
        _allow_only(algorithms, SECRET_ALGORITHMS)
        try:
            held = secret if isinstance(secret, Secret) else Secret(secret)
            key = secret_key(held, algorithms)
        except ValueError as error:
            raise ConfigError(f"secret: {error}") from None
        return cls(_only(key), algorithms, options, now=now)

    @classmethod
    def from_public_key(
        cls,
        pem: bytes,
        algorithms: Sequence[str],
        options: JwtOptions | None = None,
        *,
        now: Callable[[], float] = time,
    ) -> JwtAuthenticator:
        """With one public key in PEM.

        :raises ConfigError: naming every option that can't be.
        """
        _allow_only(algorithms, PUBLIC_ALGORITHMS)
        try:
            key = public_key(pem)
        except ValueError as error:
            raise ConfigError(f"public_key: {error}") from None
        for name in algorithms:
            if not fits(key, name):
                raise ConfigError(f"algorithms: {name} does not go with this public key")
        return cls(_only(key), algorithms, options, now=now)

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
        """With the key set that is published at *url*; *ca_file* adds trust anchors towards it.

        :raises ConfigError: naming every option that can't be.
        """
        _allow_only(algorithms, PUBLIC_ALGORITHMS)
        keys = JwksKeys(url, ca_file=ca_file, reactor=reactor, agent=agent)
        return cls(keys.find, algorithms, options, now=now)

    def authenticate(self, request: Request) -> User | Deferred[User] | None:
        """The token's user: at once unless its key has to be fetched.

        :raises InvalidToken: it does not verify, or is not for us, or not now.
        :raises CsrfFailed: a token from the cookie without its CSRF token.
        :raises Unavailable: its key can't be had now.
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
        payload = _payload_of(token, key, header)
        try:
            claims = read_object(payload)
            check_claims(claims, self._expected, self._now())
            return user_of(claims, "sub", "id")
        except ValueError as error:
            raise InvalidToken(reason=f"token: {_brief(error)}") from None


def read_header(token: bytes, algorithms: frozenset[str]) -> TokenHeader:
    """The header of a signed token in compact form, before its signature is looked at.

    ``jku``, ``jwk``, ``x5u`` and ``x5c`` are not looked at: keys are ours to name.

    :raises InvalidToken: not three parts, not JSON, an algorithm that does not count, ``crit`` or
        ``b64`` (this reader understands no extension, RFC 7515 section 4.1.11), or another type.
    """
    if _COMPACT.fullmatch(token) is None:
        raise InvalidToken(reason="token: not a signed token in compact form")
    try:
        fields = read_object(urlsafe_b64decode(token.partition(b".")[0]))
    except ValueError as error:
        raise InvalidToken(reason=f"token header: {_brief(error)}") from None
    algorithm, kid, kind = fields.get("alg"), fields.get("kid"), fields.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise InvalidToken(reason="token header: an algorithm that does not count here")
    if "crit" in fields or "b64" in fields:
        raise InvalidToken(reason="token header: an extension that is not understood")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise InvalidToken(reason="token header: another type of token")
    if "kid" in fields and not (isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID):
        raise InvalidToken(reason="token header: kid is not a short text")
    return TokenHeader(algorithm, kid)


def _payload_of(token: bytes, key: Key, header: TokenHeader) -> bytes:
    if not fits(key, header.algorithm):
        raise InvalidToken(reason="token: its algorithm does not go with the key")
    try:
        found = jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(reason=f"token: {type(error).__name__}") from None
    payload: bytes = found.payload or b""
    return payload


def _only(key: Key) -> FindKey:
    return lambda kid, algorithm: key


def _allow_only(algorithms: Sequence[str], known: Sequence[str]) -> None:
    # An asymmetric algorithm beside a secret, or the other way, is how RS/HS confusion begins.
    try:
        check_algorithms(algorithms, known)
    except ValueError as error:
        raise ConfigError(f"algorithms: {error}") from None


def _brief(error: ValueError) -> str:
    # A decoder's own words quote what it was given.
    return str(error) if type(error) is ValueError else type(error).__name__
