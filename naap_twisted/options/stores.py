"""Values of ``[keys]``, ``[redis]`` and of where state is kept."""

from __future__ import annotations

from ..errors import ConfigError
from ..keys.vault import Vault
from ..limits.redis_address import RedisAddress
from ..secret import Secret
from .secrets import resolve
from .values import TEXT, Surroundings, reads_files, text


@reads_files("str | None", TEXT)
def directory(value: object, surroundings: Surroundings) -> str:
    """An absolute path; ``""`` for none."""
    written = "" if value is None else text(value)
    return str((surroundings.directory / written).absolute()) if written else ""


@reads_files("Secret | str | None", TEXT)
def secret(value: object, surroundings: Surroundings) -> Secret | None:
    """``${env:X}``, ``${file:path}``; ``""`` for none."""
    return None if value is None or value == "" else resolve(value, surroundings)


@reads_files("Secret | str | None", TEXT)
def master_key(value: object, surroundings: Surroundings) -> Secret | None:
    """One or more Fernet keys, separated by commas."""
    found = secret(value, surroundings)
    if found is not None:
        _reason(lambda: Vault(found))
    return found


@reads_files("Secret | str | None", TEXT)
def redis_url(value: object, surroundings: Surroundings) -> Secret | None:
    """``redis://...`` or ``rediss://...``; may hold a password."""
    found = secret(value, surroundings)
    if found is not None:
        _reason(lambda: RedisAddress.parse(found))
    return found


def _reason(check: object) -> None:
    """A ConfigError of *check* as the ValueError that parsers raise: without its option's name."""
    try:
        check()  # type: ignore[operator]
    except ConfigError as error:
        raise ValueError(error.problems[0].partition(": ")[2]) from None
