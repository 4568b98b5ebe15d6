"""Keys and tokens for tests of authentication, made once a run."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

SECRET = "a-secret-of-more-than-64-bytes-for-tests-with-the-longest-hash-of-all"


class _Any(jws.JWSRegistry):
    """Signs with whatever a test asks for."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_ANY = _Any(strict_check_header=False)


@cache
def rsa(name: str = "one", bits: int = 2048) -> RSAKey:
    """An RSA key pair; each *name* has its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # weak ones are made to be refused
        return RSAKey.generate_key(bits, {"kid": name})


@cache
def ec(curve: str = "P-256") -> ECKey:
    """An EC key pair."""
    return ECKey.generate_key(curve, {"kid": curve})


@cache
def okp(curve: str = "Ed25519") -> OKPKey:
    """An Edwards-curve key pair."""
    return OKPKey.generate_key(curve, {"kid": curve})


def oct_key(secret: str | bytes = SECRET) -> OctKey:
    """A shared secret."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return OctKey(raw, raw)


def pem(key: Any) -> bytes:
    """The public half, in PEM."""
    return key.as_pem(private=False)


def public(key: Any, **more: Any) -> dict[str, Any]:
    """The public half, as a JWK with members added."""
    return {**key.as_dict(private=False), **more}


def sign(claims: dict[str, Any], key: Any = None, alg: str = "HS256", **header: Any) -> str:
    """A signed token; *header* is added to its header."""
    return jwt.encode({"alg": alg, **header}, claims, key or oct_key(), registry=_ANY)


def sign_raw(header: dict[str, Any], payload: bytes, key: Any = None) -> str:
    """A token around any payload."""
    return jws.serialize_compact(header, payload, key or oct_key(), registry=_ANY)
