"""Which authenticator a server gets from what it was told, and how that is said. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError
from ..interfaces import IAuthenticator
from ..secret import Secret
from .jwt import SECRET_VARIABLES, JwtAuthenticator, from_environment

#: What a server says as it starts when it could let nobody in.
NOBODY = (
    "Auth is required and nothing says who a user is: every request that needs one gets 401."
    f" Set {' or '.join(SECRET_VARIABLES)}, or give jwt_secret=, authenticator= or"
    " require_auth=False"
)


def choose_authenticator(
    given: IAuthenticator | None,
    jwt_secret: Secret | str | None,
    *,
    required: bool,
    environ: Mapping[str, str],
) -> IAuthenticator | None:
    """The one that was given, else one of the secret, else, where auth is required, of the
    environment (NEXTAUTH_SECRET, JWT_SECRET: as the seed's server does), else none.

    :raises ConfigError: two were given, or the secret is none.
    """
    if jwt_secret is not None:
        if given is not None:
            raise ConfigError("jwt_secret: has no meaning beside authenticator; give one of them")
        try:
            return JwtAuthenticator.from_secret(jwt_secret)
        except ConfigError as error:
            raise ConfigError(*(f"jwt_secret: {line}" for line in error.problems)) from None
    if given is None and required:
        return from_environment(environ)
    return given


def auth_in_words(authenticator: IAuthenticator | None, *, required: bool) -> str:
    """For the start line: ``"off"``, ``"on (session)"``, ``"optional (jwt)"``."""
    if authenticator is None:
        return "on (but nobody is known)" if required else "off"
    kind = getattr(authenticator, "description", type(authenticator).__name__)
    return f"{'on' if required else 'optional'} ({kind})"
