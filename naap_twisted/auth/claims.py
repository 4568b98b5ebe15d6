"""The claims that decide whether a JSON Web Token is valid (RFC 7519 section 4.1). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import frozen

LEEWAY = 30.0


@frozen
class Expected:
    """The claims that a token has to make.

    :ivar audience: ``aud`` holds one of these; where there are none, ``aud`` does not matter.
    :ivar issuer: the value of ``iss``; with ``None``, ``iss`` does not matter.
    :ivar leeway: seconds that the issuer's clock may be off; at most 300.
    """

    audience: Sequence[str] = ()
    issuer: str | None = None
    leeway: float = LEEWAY


def check_claims(claims: Mapping[str, object], expected: Expected, now: float) -> None:
    """Let the claims pass, or raise.

    :param now: seconds since 1970.
    :raises ValueError: there is no ``exp``, the token has expired, is not valid yet or was issued
        in the future, or has another audience or issuer than expected. The text names the claim
        and not its value.
    """
    expiry = _seconds(claims, "exp")
    if expiry is None:
        raise ValueError("there is no exp")
    if now >= expiry + expected.leeway:
        raise ValueError("expired")
    for name in ("nbf", "iat"):
        begin = _seconds(claims, name)
        if begin is not None and now < begin - expected.leeway:
            raise ValueError(f"{name} is in the future")
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        raise ValueError("another iss")
    if expected.audience and not _audiences(claims) & set(expected.audience):
        raise ValueError("another aud")


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is not a number")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise ValueError(f"{name} is not a time")
    return seconds


def _audiences(claims: Mapping[str, object]) -> set[str]:
    audience = claims.get("aud")
    names = audience if isinstance(audience, list) else [audience]
    return {name for name in names if isinstance(name, str)}
