"""Which authenticator a server's options ask for, and how that is said."""

from __future__ import annotations

from ..auth.jwt import SECRET_VARIABLES, JwtAuthenticator, JwtOptions
from ..auth.session import SessionAuthenticator
from ..interfaces import IAuthenticator
from ..options.auth import BY_CODE, AuthOptions

#: What a server says as it starts when it could let nobody in.
NOBODY = (
    "Auth is required and nothing says who a user is: every request that needs one gets 401."
    f" Set {' or '.join(SECRET_VARIABLES)}, or give jwt_secret=, authenticator= or"
    " require_auth=False"
)


def authenticator_of(auth: AuthOptions, ca_file: str) -> IAuthenticator | None:
    """The one that ``[auth]`` describes, or that code gave; ``None``: nobody is known.

    :param ca_file: PEM file of further trust anchors towards what it asks.
    """
    if auth.mode in ("none", BY_CODE):
        return auth.authenticator
    if auth.mode == "session":
        return SessionAuthenticator(
            auth.session_url,
            cache_ttl=auth.cache_ttl,
            timeout=auth.session_timeout,
            session_cookie=auth.session_cookie,
            csrf_cookie=auth.csrf_cookie,
            ca_file=ca_file,
        )
    algorithms = auth.named_algorithms
    options = JwtOptions(
        audience=auth.audience,
        issuer=auth.issuer or None,
        leeway=auth.leeway,
        session_cookie=auth.session_cookie,
        csrf_cookie=auth.csrf_cookie,
    )
    if auth.secret is not None:
        return JwtAuthenticator.from_secret(auth.secret, algorithms, options)
    if auth.public_key_file:
        return JwtAuthenticator.from_public_key(auth.public_key_file, algorithms, options)
    return JwtAuthenticator.from_jwks(auth.jwks_url, algorithms, options, ca_file=ca_file)


def auth_in_words(authenticator: IAuthenticator | None, *, required: bool) -> str:
    """For the start line: ``"off"``, ``"on (session)"``, ``"optional (jwt)"``."""
    if authenticator is None:
        return "on (but nobody is known)" if required else "off"
    kind = getattr(authenticator, "description", type(authenticator).__name__)
    return f"{'on' if required else 'optional'} ({kind})"
