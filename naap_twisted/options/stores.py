"""Values of ``[keys]``, ``[redis]``, of where state is kept, of trust anchors and of a webhook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..auth.fetch import check_url
from ..keys.vault import Vault
from ..limits.redis_address import RedisAddress
from ..secret import Secret
from .secrets import resolve
from .values import TEXT, Kind, Surroundings, option_left_out, reads_files, text, unreadable

#: Bytes of a key that signs.
_LEAST_KEY = 16


@reads_files("str | None", TEXT)
def directory(value: object, surroundings: Surroundings) -> str:
    """An absolute path, of a file or a directory; ``""`` for none."""
    written = "" if value is None else text(value)
    return str((surroundings.directory / written).absolute()) if written else ""


@reads_files("str | None", TEXT)
def ca_file(value: object, surroundings: Surroundings) -> str:
    """The absolute path of a PEM file with trust anchors; ``""`` for none."""
    path = directory(value, surroundings)
    try:
        content = Path(path).read_bytes() if path else b""
    except (OSError, ValueError) as error:
        raise unreadable(Path(path), error) from None
    if path and b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"{path} holds no PEM certificate")
    return path


def _secret(check: Callable[[Secret], object] | None = None) -> Kind[Secret | None]:
    """``""`` is none; *check* raises ConfigError where the secret is of no use to its part."""

    @reads_files("Secret | str | None", TEXT)
    def read(value: object, surroundings: Surroundings) -> Secret | None:
        key = None if value is None or value == "" else resolve(value, surroundings)
        if key is not None and check is not None:
            with option_left_out():
                check(key)
        return key

    return read


def _webhook(url: Secret) -> None:
    check_url(url.reveal().decode("utf-8", "replace"), cleartext=False)


def _long_enough(key: Secret) -> None:
    if len(key.reveal()) < _LEAST_KEY:
        raise ValueError(f"is shorter than {_LEAST_KEY} characters, so that it could be guessed")


#: ``${env:X}``, ``${file:path}`` or plain text.
secret = _secret()
#: One or more Fernet keys, separated by commas.
master_key = _secret(Vault)
#: ``redis://...`` or ``rediss://...``; it may hold a password.
redis_url = _secret(RedisAddress.parse)
#: The URL of a webhook, which may hold a secret: https, or of this machine.
webhook = _secret(_webhook)
#: Signs what is posted to it.
webhook_key = _secret(_long_enough)
