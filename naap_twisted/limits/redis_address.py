"""Parses ``redis_url``. Pure."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from ..errors import ConfigError
from ..secret import Secret

_FORM = "is not of the form redis://[user:password@]host[:port][/number], or rediss:// for TLS"


@frozen
class RedisAddress:
    """A parsed ``redis://[[user]:password@]host[:port][/db]``; ``rediss://`` for TLS."""

    host: str
    port: int
    database: int | None
    username: str | None
    password: str | None = field(repr=False)
    tls: bool

    @classmethod
    def parse(cls, url: Secret) -> RedisAddress:
        """Parse *url*.

        :raises ConfigError: it has another form; the message does not quote it.
        """
        try:
            parts = urlsplit(url.reveal().decode("ascii"))
            database = int(parts.path.strip("/") or 0)
            port = parts.port or 6379
        except ValueError:
            raise ConfigError(f"redis_url: {_FORM}") from None
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or database < 0:
            raise ConfigError(f"redis_url: {_FORM}")
        return cls(
            parts.hostname,
            port,
            database or None,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            parts.scheme == "rediss",
        )
