"""The option ``guest`` of ``[auth]``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..auth.fetch import check_url
from ..auth.guests import GuestOptions
from ..auth.signed_text import signing_keys
from ..headers import is_token
from ..model import RateLimit
from ..secret import Secret
from . import http_values, values
from .secrets import resolve
from .values import TEXT, Kind, Surroundings, duration, list_of, one_of, reads, reads_files

# Browsers cut what is longer (RFC 6265bis section 5.5).
_LONGEST_TTL = 400 * 86_400.0
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@reads("float | str", values.NUMBER_OR_TEXT)
def _ttl(value: object) -> float:
    seconds = duration(value)
    if not 60 <= seconds <= _LONGEST_TTL:
        raise ValueError("must be from one minute to 400 days")
    return seconds


@values.reads_text()
def _cookie(written: str) -> str:
    if not is_token(written):
        raise ValueError("is not a cookie's name")
    return written


@reads("RateLimit | Mapping[str, float | str]", http_values.rate_limit.schema["anyOf"][0])
def _ceiling(value: object) -> RateLimit:
    limit = http_values.rate_limit(value)
    if limit is None:
        raise ValueError('must be a limit such as { requests = 20, window = "1h" }')
    return limit


@reads_files("Secret | str", TEXT)
def _keys(value: object, surroundings: Surroundings) -> Secret:
    keys = resolve(value, surroundings)
    signing_keys(keys)
    return keys


@reads_files("Secret | str", TEXT)
def _secret(value: object, surroundings: Surroundings) -> Secret:
    return resolve(value, surroundings)


@values.reads_text()
def _url(written: str) -> str:
    check_url(written, cleartext=False)
    return written


@values.reads_text()
def _hostname(written: str) -> str:
    if _HOSTNAME.fullmatch(written) is None:
        raise ValueError('is no host name in lower case, such as "app.example.org"')
    return written


@values.reads_text()
def _action(written: str) -> str:
    if not written or not written.isprintable():
        raise ValueError("must be printable, and not empty")
    return written


@values.reads_text()
def _project(written: str) -> str:
    if re.fullmatch(r"[0-9]{1,20}", written) is None:
        raise ValueError("is the number of a Firebase project, in quotes; its id is no number")
    return written


_TABLE = values.table_of(
    {
        "ttl": _ttl,
        "cookie": _cookie,
        "same_site": one_of("lax", "strict", "none"),
        "keys": _keys,
        "per_address": _ceiling,
        "per_prefix": _ceiling,
        "verify_url": _url,
        "verify_secret": _secret,
        "verify_hostnames": list_of(_hostname, what="host names", empty=False),
        "verify_action": _action,
        "app_check": _project,
        "app_check_keys": _url,
    }
)
# What has no meaning alone, and beside what.
_BESIDE = {
    "verify_url": "verify_secret",
    "verify_secret": "verify_url",
    "verify_hostnames": "verify_url",
    "verify_action": "verify_url",
    "app_check_keys": "app_check",
}


def _read(value: object, surroundings: Surroundings) -> GuestOptions | None:
    if value is None or isinstance(value, GuestOptions):
        return value
    if not isinstance(value, Mapping):
        raise values.expected('a table such as { ttl = "30d" }', value)
    read = _TABLE(value, surroundings)
    flaws = [
        (f".{name}", f"has no meaning without {other}; set both")
        for name, other in _BESIDE.items()
        if name in read and other not in read
    ]
    if flaws:
        raise values.Flaws(*flaws)
    return GuestOptions(**read)


guest: Kind[GuestOptions | None] = Kind(_read, "Mapping[str, object] | None", _TABLE.schema)
