"""Keys that verify tokens, and the algorithms that each may be used with.

A token alone never chooses its algorithm: the operator names the algorithms, and a key serves only
those of its own kind (RFC 8725 sections 3.1 and 3.2).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, OctKey, RSAKey
from joserfc.jwk import import_key as import_any
from joserfc.jws import JWSRegistry

from ..secret import Secret

#: Bytes that the secret of each needs: as many as its hash has (RFC 7518 section 3.2).
_SHORTEST_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}
# A key may do for algorithms of one of the two lists only: else a public key could be used as the
# secret of an HS256 token (RS/HS confusion, RFC 8725 section 2.1).
SECRET_ALGORITHMS = tuple(_SHORTEST_SECRETS)
PUBLIC_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_SHORTEST_RSA = 2048


def check_algorithms(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse *names* unless they are some of *known*.

    :raises ValueError: *names* is empty, or holds one that is not in *known*, as "none" never is.
    """
    if isinstance(names, str) or not names:
        raise ValueError(f'must name at least one, such as ["{known[0]}"]')
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is not one of {', '.join(known)}")


def secret_key(secret: Secret, algorithms: Sequence[str] = ("HS256",)) -> Key:
    """The key of the HMAC algorithms: HS256, HS384 and HS512.

    :param algorithms: those it is to verify; the one with the longest hash decides on the length.
    :raises ValueError: *secret* is shorter than RFC 7518 section 3.2 asks for, is a PEM key, or is
        a mistake that :meth:`Secret.refuse_mistakes` recognizes.
    """
    secret.refuse_mistakes()
    raw = secret.reveal()
    longest = max(algorithms, key=_SHORTEST_SECRETS.__getitem__)
    shortest = _SHORTEST_SECRETS[longest]
    if len(raw) < shortest:
        raise ValueError(
            f"the secret from {secret.source} is under the {shortest} bytes that {longest} asks for"
            f" (RFC 7518 section 3.2); make one with: openssl rand -base64 {shortest}"
        )
    if b"-----BEGIN" in raw:
        raise ValueError(f"the secret from {secret.source} is a PEM key: that is no secret")
    return OctKey.import_key(raw)


def public_key(pem: bytes) -> Key:
    """The RSA, EC or Ed25519 key in a PEM file, which may be a certificate.

    :raises ValueError: *pem* holds no public key, a private key, or an RSA key under 2048 bits.
    """
    if b"PRIVATE" in pem:
        raise ValueError("holds a private key; only the public one belongs here")
    if b"-----BEGIN" not in pem:
        raise ValueError("holds no PEM public key")
    try:
        with warnings.catch_warnings():
            # joserfc warns that it takes the type from the file; any key in PEM is asymmetric.
            warnings.simplefilter("ignore", SecurityWarning)
            key = import_any(pem)
    except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("holds no PEM public key") from None
    return _strong(key)


def published_key(document: object) -> Key | None:
    """The key of an entry of a key set (RFC 7517 section 5), or ``None`` for one to pass over.

    Passed over are keys for other purposes than signatures, secret and private keys, and keys of
    unknown types.

    :raises ValueError: the key is for signatures, but is short RSA or of a curve that no algorithm
        uses.
    """
    if not isinstance(document, dict) or document.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if "d" in document or not isinstance(document.get("kid", ""), str):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            key = JWKRegistry.import_key(document)
        key.check_use("sig")
        key.check_key_op("verify")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        return None
    _strong(key)
    if not any(fits(key, name) for name in PUBLIC_ALGORITHMS):
        raise ValueError("is of a curve that none of its algorithms uses")
    return key


def _strong(key: Key) -> Key:
    if isinstance(key, OctKey):
        raise ValueError("holds no PEM public key")
    if isinstance(key, RSAKey) and key.raw_value.key_size < _SHORTEST_RSA:
        raise ValueError(f"holds an RSA key under {_SHORTEST_RSA} bits")
    return key


def fits(key: Key, algorithm: str) -> bool:
    """Whether *key* is of the algorithm's type and curve, and not reserved for another."""
    if algorithm not in SECRET_ALGORITHMS and algorithm not in PUBLIC_ALGORITHMS:
        return False
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
    except (JoseError, KeyError):
        return False
    curve: Any = getattr(key, "curve_name", None)
    return curve != "Ed448" and not str(curve).startswith("X")
