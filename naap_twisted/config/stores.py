"""``[keys]``, ``[redis]`` and where state is kept: parsers, and what must be there together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..keys.vault import Vault
from ..limits.redis_address import RedisAddress
from ..model import UserKeyHeader
from ..secret import Secret
from .secrets import Surroundings, resolve
from .values import text

if TYPE_CHECKING:
    from .read import Problems
    from .schema import Config


def directory(value: object, surroundings: Surroundings) -> str:
    """An absolute path; ``""`` for none."""
    written = text(value)
    return str((surroundings.directory / written).absolute()) if written else ""


def secret(value: object, surroundings: Surroundings) -> Secret | None:
    """``${env:X}``, ``${file:path}``; ``""`` for none."""
    return None if value == "" else resolve(value, surroundings)


def master_key(value: object, surroundings: Surroundings) -> Secret | None:
    """One or more Fernet keys, separated by commas."""
    found = secret(value, surroundings)
    if found is not None:
        _reason(lambda: Vault(found))
    return found


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


def judge_stores(config: Config, problems: Problems) -> None:
    """Note what needs something else that is not there."""
    server = config.server
    kept = bool(server.state_dir or server.database_url)
    sealed = config.keys.master_key is not None
    unclear = problems.touch("keys.master_key") or problems.touch("server.database_url")
    if sealed and not kept and not unclear and not problems.touch("server.state_dir"):
        problems.add("keys.master_key", "needs server.state_dir to keep the keys in")
    for index, route in enumerate(config.proxy):
        for name, value in route.forward_headers.items():
            if not isinstance(value, UserKeyHeader):
                continue
            where = f"proxy[{index}].forward_headers.{name}"
            if not sealed and not unclear:
                problems.add(where, "${user_key:...} needs keys.master_key")
            if route.authorize == "anyone" or config.auth.mode == "none":
                problems.add(where, "${user_key:...} needs auth: whose key would it be?")
