"""From ``[auth]`` to the authenticator of a server, and its words in the start's log line."""

from __future__ import annotations

from ..auth.guests import Guests
from ..auth.jwt import SECRET_VARIABLES, JwtAuthenticator, JwtOptions
from ..auth.session import SessionAuthenticator
from ..auth.tokens import TokenAuthenticator
from ..interfaces import IAuthenticator
from ..options.auth import BY_CODE, AuthOptions

#: The caution of a server that requires auth and has no authenticator.
NOBODY = (
    "Auth is required and nothing says who a user is: every request that needs one gets 401."
    f" Set {' or '.join(SECRET_VARIABLES)}, or give jwt_secret=, authenticator= or"
    " require_auth=False"
)


def authenticator_of(
    auth: AuthOptions, ca_file: str, guests: Guests | None = None
) -> IAuthenticator | None:
    """The authenticator of ``[auth]``, or the one given in code; ``None``: nobody is known.

    :param ca_file: PEM file of further trust anchors, for the session service and the JWKS URL.
    :param guests: of the server, in mode "guest".
    """
    if auth.mode == "guest":
        return guests
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
    if auth.mode == "tokens":
        return TokenAuthenticator()
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
    """The words of the start's log line: ``"off"``, ``"on (session)"``, ``"optional (jwt)"``."""
    if authenticator is None:
        return "on (but nobody is known)" if required else "off"
    kind = getattr(authenticator, "description", type(authenticator).__name__)
    return f"{'on' if required else 'optional'} ({kind})"
