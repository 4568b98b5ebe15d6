"""``[auth]``: its options, and what the environment adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import attrs
from attrs import frozen

from ..auth import claims, credentials, fetch, signing_keys
from ..auth.app_check import HEADER as APP_CHECK_HEADER
from ..auth.guests import GuestOptions
from ..auth.jwt import LONGEST_LEEWAY, SECRET_VARIABLES
from ..auth.page_tokens import PageTokenOptions
from ..headers import is_token
from ..interfaces import IAuthenticator
from ..secret import Secret
from . import http_values as http
from . import values
from .guest import guest
from .option import option
from .page_tokens import page_tokens
from .secrets import MAX_FILE_BYTES, resolve
from .values import duration, flag, instance, list_of, one_of, one_or_list, optional, text

if TYPE_CHECKING:
    from .read import Problems


def _url(*, cleartext: bool) -> values.Kind[str]:
    @values.reads_text()
    def parse(url: str) -> str:
        fetch.check_url(url, cleartext=cleartext)
        return url

    return parse


@values.reads_text()
def _cookie(name: str) -> str:
    if name and not is_token(name):
        raise ValueError("is not a cookie's name")
    return name


@values.reads_files("str", values.TEXT)
def _public_key(value: object, surroundings: values.Surroundings) -> bytes:
    path = surroundings.directory / text(value)
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise values.unreadable(path, error) from None
    try:
        signing_keys.public_key(pem)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    return pem


@values.reads("float | str", values.NUMBER_OR_TEXT)
def _leeway(value: object) -> float:
    if not isinstance(value, bool) and value == 0:
        return 0.0
    seconds = duration(value)
    if seconds > LONGEST_LEEWAY:
        raise ValueError(f"must be at most {LONGEST_LEEWAY:g} seconds")
    return seconds


@values.reads_text()
def _name(written: str) -> str:
    if not written:
        raise ValueError("must not be empty")
    return written


#: A mode that no file names: the program gave an authenticator, or nobody is known.
BY_CODE = "code"

_in_file = partial(option, keyword="")
_session = partial(_in_file, mode="session")
_jwt = partial(_in_file, mode="jwt")


@frozen
class AuthOptions:
    """``[auth]``: who may call.

    :ivar required: ``None`` where nobody said: as the mode has it.
    :ivar public_key_file: the file's content, in PEM.
    """

    section: ClassVar[str] = "auth"

    required: bool | None = option(
        flag,
        "A request needs a user where its route does not say otherwise.",
        default=True,
        unset=None,
        keyword="require_auth",
    )
    mode: str = _in_file(
        one_of("session", "jwt", "tokens", "guest", "none"),
        "Who calls is told by a `session` service, by a signed token (`jwt`), by a token that"
        " `naap-proxy token new` made (`tokens`), by a cookie that the server gave an anonymous"
        " visitor (`guest`), or by nobody (`none`)."
        " See [docs/auth.md](docs/auth.md).",
        default="session",
    )
    authenticator: IAuthenticator | None = option(
        instance(IAuthenticator),
        "Request to user; code can give any. See [docs/auth.md](docs/auth.md).",
        in_file=False,
    )
    session_url: str = _session(
        _url(cleartext=True),
        "The URL that says whose a token is.",
        '"http://localhost:3000/api/v1/auth/me"',
    )
    cache_ttl: float = _session(
        duration, "Who logs out is out after this at the latest.", default=60.0
    )
    session_timeout: float = _session(duration, "For one call of it.", default=fetch.TIMEOUT)
    session_cookie: str = _in_file(
        _cookie,
        "Where a token may stand beside `Authorization`; empty for nowhere.",
        default=credentials.SESSION_COOKIE,
    )
    csrf_cookie: str = _in_file(
        _cookie,
        "What `X-CSRF-Token` repeats, where the token came by cookie.",
        default=credentials.CSRF_COOKIE,
    )
    token_headers: tuple[str, ...] = option(
        list_of(http.header_name, what="header names"),
        "Where a caller's token may stand beside `Authorization`, on every route; a provider adds"
        " its own clients' to its route.",
        '["X-Api-Key"]',
    )
    page_tokens: PageTokenOptions | None = option(
        page_tokens,
        "Short-lived tokens that a signed-in page, or the site's backend with the secret of an"
        " issuer, mints for pages. See [docs/page-tokens.md](docs/page-tokens.md).",
        '{ max_ttl = "1h", issuers = ["${env:PAGE_TOKEN_ISSUER}"] }',
        secret=True,
    )
    guest: GuestOptions | None = option(
        guest,
        "Anonymous visitors are known again: how long, how many new ones of an address, and whether"
        " a challenge stands before. See [docs/guests.md](docs/guests.md).",
        '{ ttl = "30d", per_address = { requests = 20, window = "1h" } }',
        secret=True,
        mode="guest",
    )
    secret: Secret | None = option(
        optional(values.reads_files("Secret | str", values.TEXT)(resolve)),
        "What tokens are verified with; else `NEXTAUTH_SECRET` or `JWT_SECRET` of the environment.",
        '"${env:NEXTAUTH_SECRET}"',
        keyword="jwt_secret",
        mode="jwt",
    )
    public_key_file: bytes = _jwt(
        _public_key,
        "Instead: a public key's PEM file.",
        '"issuer.pem"',
        default="",
        unset=b"",
        secret=True,
    )
    jwks_url: str = _jwt(
        _url(cleartext=False), "Or: a published key set.", '"https://id.example.org/keys"'
    )
    algorithms: tuple[str, ...] = _jwt(
        list_of(text, what="algorithms", empty=False),
        "Those that count; HS256 with a secret.",
        '["RS256"]',
    )
    audience: tuple[str, ...] = _jwt(
        one_or_list(_name, what="audiences"),
        "One of these has to be in `aud`; not looked at where it is left out.",
        '"my-plugin"',
    )
    issuer: str = _jwt(
        _name,
        "`iss` has to be this; not looked at where it is left out.",
        '"https://id.example.org"',
    )
    leeway: float = _jwt(
        _leeway, "Between the issuer's clock and ours; at most 300 s.", default=claims.LEEWAY
    )

    @property
    def is_required(self) -> bool:
        """Whether a request needs a user where its route does not say otherwise."""
        return self.mode != "none" if self.required is None else self.required

    @property
    def guests(self) -> GuestOptions:
        """``guest``, or what it is where nobody said."""
        return self.guest or GuestOptions()

    @property
    def caller_headers(self) -> tuple[str, ...]:
        """Headers that tell who calls, on every route: a preflight allows them."""
        app_check = self.mode == "guest" and self.guests.app_check
        return (*self.token_headers, *((APP_CHECK_HEADER,) if app_check else ()))

    @property
    def named_algorithms(self) -> tuple[str, ...]:
        """``algorithms``; HS256 where there is a secret and the file does not say."""
        return self.algorithms or (("HS256",) if self.secret is not None else ())


#: What tokens can be verified with: one of them.
KEYS = ("secret", "public_key_file", "jwks_url")


def told_by_code(auth: AuthOptions, environ: Mapping[str, str], problems: Problems) -> AuthOptions:
    """*auth* as code gave it, with its mode: code names none."""
    if auth.authenticator is None:
        if auth.guest is not None:
            return attrs.evolve(auth, mode="guest")
        if auth.required is False and auth.secret is None:
            # A secret that can't be read leaves nobody, too; its own line says so.
            return attrs.evolve(auth, mode="none")
        by_token = with_environment(attrs.evolve(auth, mode="jwt"), environ, problems)
        if by_token.secret is not None:
            return by_token
    return attrs.evolve(auth, mode=BY_CODE)


def with_environment(
    auth: AuthOptions, environ: Mapping[str, str], problems: Problems
) -> AuthOptions:
    """*auth*, in mode "jwt" without any key with NEXTAUTH_SECRET or JWT_SECRET, if one is set."""
    named = any(getattr(auth, key) or problems.touch(f"auth.{key}") for key in KEYS)
    name = next((name for name in SECRET_VARIABLES if environ.get(name)), None)
    if auth.mode != "jwt" or named or name is None:
        return auth
    with problems.noting("auth.secret"):
        secret = Secret(environ[name], source=f"env:{name}")
        secret.refuse_mistakes()
        return attrs.evolve(auth, secret=secret)
    return auth
