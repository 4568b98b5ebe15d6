"""A published key set (RFC 7517), fetched when it is needed and not more often than that."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from joserfc.jwk import Key
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IAgent

from ..errors import ConfigError, InvalidToken, Unavailable
from .fetch import Fetch, FetchFailed, check_url
from .shared import SharedCalls
from .signing_keys import fits, published_key
from .strict_json import read_object

_LIMIT = 256 * 1024
_MOST_KEYS = 100
_LONGEST_NAME = 64
_DOWN = "Authentication is not available at the moment"


class JwksKeys:
    """The keys at a URL.

    The set is fetched at the first token, again after *refresh* seconds, and when a token names a
    key that is not there; never sooner than *pause* seconds after the last try, so that made-up
    key ids cause no flood. If a fetch fails, the keys that are known serve until they are *keep*
    seconds old.

    :param url: https, or http on this machine. A token's own ``jku`` or ``x5u`` is never asked.
    :param ca_file: PEM file of further trust anchors towards it.
    :param agent: another way to it, for tests.
    :param now: seconds on a clock that never goes back.
    :raises ConfigError: the URL can't be.
    """

    _log = Logger()

    def __init__(
        self,
        url: str,
        *,
        refresh: float = 600.0,
        keep: float = 3600.0,
        pause: float = 10.0,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        try:
            check_url(url, cleartext=False)
        except ValueError as error:
            raise ConfigError(f"jwks_url: {error}") from None
        if reactor is None:
            from twisted.internet import reactor
        self._url = url
        self._refresh_after, self._keep, self._pause = refresh, keep, pause
        self._now = now
        self._fetch = Fetch(reactor, limit=_LIMIT, ca_file=ca_file, agent=agent)
        self._calls: SharedCalls[None] = SharedCalls(1)
        self._keys: tuple[Key, ...] = ()
        self._fetched: float | None = None
        self._failed = False
        self._not_before = float("-inf")

    def find(self, kid: str | None, algorithm: str) -> Key | Deferred[Key]:
        """The key that *kid* names, or the only one that fits where a token names none.

        :raises InvalidToken: no key of the set fits.
        :raises Unavailable: the set can't be had now.
        """
        now = self._now()
        if self._fetched is not None and now - self._fetched < self._refresh_after:
            key = self._pick(kid, algorithm)
            if key is not None:
                return key
        if now < self._not_before:
            return self._decide(kid, algorithm)
        return self._calls.ask(b"", self._refresh).addCallback(
            lambda _: self._decide(kid, algorithm)
        )

    def _decide(self, kid: str | None, algorithm: str) -> Key:
        usable = self._fetched is not None and self._now() - self._fetched < self._keep
        key = self._pick(kid, algorithm) if usable else None
        if key is not None:
            return key
        if self._failed or not usable:
            raise Unavailable(_DOWN, reason="the key set could not be fetched")
        raise InvalidToken(reason="no published key fits the token")

    def _pick(self, kid: str | None, algorithm: str) -> Key | None:
        found = [
            key for key in self._keys if (kid is None or key.kid == kid) and fits(key, algorithm)
        ]
        # Without a name there is no telling which of several was meant.
        return found[0] if found and (kid is not None or len(found) == 1) else None

    async def _refresh(self) -> None:
        asked = self._now()
        try:
            status, body = await self._fetch.get(self._url, {"Accept": "application/json"})
            if status != 200:
                raise FetchFailed(f"answered {status}")
            self._keys, weak = _keys_in(body)
            for each in weak:
                self._log.warn("A key of the key set is not used: {key}", key=each)
            self._fetched, self._failed = asked, False
        except (FetchFailed, ValueError) as error:
            self._failed = True
            self._log.warn("The key set could not be fetched: {reason}", reason=str(error))
        self._not_before = self._now() + self._pause


def _keys_in(body: bytes) -> tuple[tuple[Key, ...], list[str]]:
    """The keys that count, and a line for each that is for signatures and must not be used."""
    listed = read_object(body).get("keys")
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError(f"it has no list of at most {_MOST_KEYS} keys")
    found: list[Key] = []
    weak: list[str] = []
    for entry in listed:
        try:
            key = published_key(entry)
        except ValueError as error:
            weak.append(f"{ascii(entry.get('kid'))[:_LONGEST_NAME]} {error}")
            continue
        if key is not None:
            found.append(key)
    if not found:
        raise ValueError("; ".join(["it has no key to verify signatures with", *weak]))
    return tuple(found), weak
