"""``[auth]``: its keys, and what they mean beside one another. Reads the public key's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from ..auth import claims, fetch, signing_keys, tokens
from ..auth.jwt import SECRET_VARIABLES
from ..headers import is_token
from ..secret import Secret
from .secrets import MAX_FILE_BYTES, Surroundings, resolve
from .values import duration, expected, flag, list_of, one_of, one_or_list, text

if TYPE_CHECKING:
    from .read import Problems

_LONGEST_LEEWAY = 300.0


def _session_url(value: object) -> str:
    url = text(value)
    fetch.check_url(url, cleartext=True)
    return url


def _jwks_url(value: object) -> str:
    url = text(value)
    fetch.check_url(url, cleartext=False)
    return url


def _cookie(value: object) -> str:
    name = text(value)
    if name and not is_token(name):
        raise ValueError("is not a cookie's name")
    return name


def _public_key(value: object, surroundings: Surroundings) -> bytes:
    path = surroundings.directory / Path(text(value))
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read {path}: {reason}") from None
    try:
        signing_keys.public_key(pem)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    return pem


def _leeway(value: object) -> float:
    if not isinstance(value, bool) and value == 0:
        return 0.0
    seconds = duration(value)
    if seconds > _LONGEST_LEEWAY:
        raise ValueError(f"must be at most {_LONGEST_LEEWAY:g} seconds")
    return seconds


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise expected("text", value)
    if not value:
        raise ValueError("must not be empty")
    return value


def _by(parse: Any, mode: str = "") -> dict[str, Any]:
    return {"parse": parse, "mode": mode}


def _local(parse: Any, mode: str) -> dict[str, Any]:
    return {"parse": parse, "mode": mode, "local": True}


@frozen
class AuthConfig:
    """``[auth]``: who may call.

    :ivar required: ``None`` where the file does not say: as the mode has it.
    :ivar public_key_file: the file's content, in PEM.
    """

    required: bool | None = field(default=None, metadata=_by(flag))
    mode: str = field(default="session", metadata=_by(one_of("session", "jwt", "none")))
    session_url: str = field(default="", metadata=_by(_session_url, "session"))
    cache_ttl: float = field(default=60.0, metadata=_by(duration, "session"))
    session_timeout: float = field(default=fetch.TIMEOUT, metadata=_by(duration, "session"))
    session_cookie: str = field(default=tokens.SESSION_COOKIE, metadata=_by(_cookie))
    csrf_cookie: str = field(default=tokens.CSRF_COOKIE, metadata=_by(_cookie))
    secret: Secret | None = field(default=None, metadata=_local(resolve, "jwt"))
    public_key_file: bytes = field(default=b"", metadata=_local(_public_key, "jwt"), repr=False)
    jwks_url: str = field(default="", metadata=_by(_jwks_url, "jwt"))
    algorithms: tuple[str, ...] = field(
        default=(), metadata=_by(list_of(text, what="algorithms", empty=False), "jwt")
    )
    audience: tuple[str, ...] = field(
        default=(), metadata=_by(one_or_list(_name, what="audiences"), "jwt")
    )
    issuer: str = field(default="", metadata=_by(_name, "jwt"))
    leeway: float = field(default=claims.LEEWAY, metadata=_by(_leeway, "jwt"))

    @property
    def is_required(self) -> bool:
        """Whether a request needs a user where its route does not say otherwise."""
        return self.mode != "none" if self.required is None else self.required

    @property
    def named_algorithms(self) -> tuple[str, ...]:
        """``algorithms``; HS256 where there is a secret and the file does not say."""
        return self.algorithms or (("HS256",) if self.secret is not None else ())


_KEYS = ("secret", "public_key_file", "jwks_url")


def with_environment(
    auth: AuthConfig, environ: Mapping[str, str], problems: Problems
) -> AuthConfig:
    """*auth*, in mode "jwt" without any key with NEXTAUTH_SECRET or JWT_SECRET, if one is set."""
    if auth.mode != "jwt" or any(getattr(auth, key) for key in _KEYS):
        return auth
    if any(problems.touch(f"auth.{key}") for key in _KEYS):
        return auth
    name = next((name for name in SECRET_VARIABLES if environ.get(name)), None)
    if name is None:
        return auth
    try:
        secret = Secret(environ[name], source=f"env:{name}")
        secret.refuse_mistakes()
    except ValueError as error:
        problems.add("auth.secret", str(error))
        return auth
    return attrs.evolve(auth, secret=secret)


def judge_auth(auth: AuthConfig, problems: Problems) -> None:
    """Note what no single key of ``[auth]`` could show."""
    if problems.touch("auth.mode"):
        return
    if auth.mode == "none" and auth.required:
        problems.add("auth.required", 'true needs auth, and auth.mode is "none"')
    _foreign_keys(auth, problems)
    if auth.session_cookie and auth.csrf_cookie in ("", auth.session_cookie):
        problems.add("auth.csrf_cookie", "must have a name of its own beside session_cookie")
    if auth.mode == "session" and not auth.session_url and not problems.touch("auth.session_url"):
        problems.add(
            "auth.session_url",
            'is missing: the URL that says who a token belongs to; or write mode = "jwt" or "none"',
        )
    if auth.mode == "jwt":
        _jwt_keys(auth, problems)


def _foreign_keys(auth: AuthConfig, problems: Problems) -> None:
    for key, attribute in attrs.fields_dict(AuthConfig).items():
        mode = attribute.metadata["mode"]
        if mode and mode != auth.mode and getattr(auth, key) != attribute.default:
            problems.add(f"auth.{key}", f'has no meaning in mode "{auth.mode}"; delete it')


def _jwt_keys(auth: AuthConfig, problems: Problems) -> None:
    if any(problems.touch(f"auth.{key}") for key in (*_KEYS, "algorithms")):
        return
    given = [key for key in _KEYS if getattr(auth, key)]
    if not given:
        problems.add(
            "auth.secret",
            "is missing, and so are public_key_file and jwks_url;"
            f" neither {' nor '.join(SECRET_VARIABLES)} is set",
        )
        return
    for key in given[1:]:
        problems.add(f"auth.{key}", f"has no meaning beside {given[0]}; delete one of them")
    secret = given[0] == "secret"
    known = signing_keys.SECRET_ALGORITHMS if secret else signing_keys.PUBLIC_ALGORITHMS
    try:
        signing_keys.check_algorithms(auth.named_algorithms, known)
    except ValueError as error:
        problems.add("auth.algorithms", str(error))
        return
    if auth.secret is not None:
        try:
            # How long a secret has to be, its algorithms say.
            signing_keys.secret_key(auth.secret, auth.named_algorithms)
        except ValueError as error:
            problems.add("auth.secret", str(error))
    if given[0] == "public_key_file":
        public_key = signing_keys.public_key(auth.public_key_file)
        for name in auth.algorithms:
            if not signing_keys.fits(public_key, name):
                problems.add("auth.algorithms", f"{name} does not go with public_key_file")


def describe_auth(auth: AuthConfig) -> str:
    """For ``naap-proxy check``: how users are told apart. Never a secret's value."""
    if auth.mode == "none":
        return "off"
    words = ["" if auth.is_required else "optional", auth.mode]
    if auth.mode == "session":
        words.append(f"asked of {_shown(auth.session_url)}, kept {auth.cache_ttl:g}s")
        if not fetch.is_local(auth.session_url) and auth.session_url.startswith("http:"):
            words.append("(tokens go there in the clear)")
    else:
        words.append(" or ".join(auth.named_algorithms))
        words.append(f"by {_key_in_words(auth)}")
    where = f"or cookie {auth.session_cookie}" if auth.session_cookie else "only"
    return " ".join(filter(None, [*words, f"from Authorization {where}"]))


def _key_in_words(auth: AuthConfig) -> str:
    if auth.secret is not None:
        return f"the secret from {auth.secret.source}"
    return f"the keys at {_shown(auth.jwks_url)}" if auth.jwks_url else "the public key's file"


def _shown(url: str) -> str:
    # A query may hold a key.
    return url.partition("?")[0]
