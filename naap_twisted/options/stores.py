"""Values of ``[keys]``, ``[redis]`` and of where state is kept."""

from __future__ import annotations

from collections.abc import Callable

from ..keys.vault import Vault
from ..limits.redis_address import RedisAddress
from ..secret import Secret
from .secrets import resolve
from .values import TEXT, Kind, Surroundings, option_left_out, reads_files, text


@reads_files("str | None", TEXT)
def directory(value: object, surroundings: Surroundings) -> str:
    """An absolute path; ``""`` for none."""
    written = "" if value is None else text(value)
    return str((surroundings.directory / written).absolute()) if written else ""


@reads_files("Secret | str | None", TEXT)
def secret(value: object, surroundings: Surroundings) -> Secret | None:
    """``${env:X}``, ``${file:path}``; ``""`` for none."""
    return None if value is None or value == "" else resolve(value, surroundings)


def _checked(check: Callable[[Secret], object]) -> Kind[Secret | None]:
    """A secret that another part can read: *check* raises ConfigError where it can't."""

    @reads_files("Secret | str | None", TEXT)
    def read(value: object, surroundings: Surroundings) -> Secret | None:
        key = secret(value, surroundings)
        if key is not None:
            with option_left_out():
                check(key)
        return key

    return read


#: One or more Fernet keys, separated by commas.
master_key = _checked(Vault)
#: ``redis://...`` or ``rediss://...``; it may hold a password.
redis_url = _checked(RedisAddress.parse)
