"""A published key set (RFC 7517), fetched when a token needs it and not more often."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from joserfc.jwk import Key
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IAgent

from ..errors import InvalidToken, Unavailable, naming_option
from .fetch import DOWN, Fetch, FetchFailed, check_url
from .signing_keys import fits, published_key
from .single_flight import SingleFlight
from .strict_json import read_object

_LIMIT = 256 * 1024
_MOST_KEYS = 100
_LONGEST_NAME = 64
#: Seconds until a set is fetched again, until an unreachable set counts no more, between two tries.
_REFRESH, _KEEP, _PAUSE = 600.0, 3600.0, 10.0


class JwksKeys:
    """The keys of the set at a URL.

    The set is fetched at the first token, again after :data:`_REFRESH` seconds, and when a token
    names a key that is not in it; never sooner than :data:`_PAUSE` seconds after the last try, so
    that made-up key ids cause no flood. While fetches fail, it serves for :data:`_KEEP` seconds.

    :param url: https, or http on this machine. A token's own ``jku`` or ``x5u`` is never asked.
    :param ca_file: PEM file of further trust anchors towards it.
    :param agent: takes the place of Twisted's, for tests.
    :param now: seconds on a monotonic clock.
    :raises ConfigError: the URL is none, or is plain http to another machine.
    """

    _log = Logger()

    def __init__(
        self,
        url: str,
        *,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        with naming_option("jwks_url"):
            check_url(url, cleartext=False)
        self._url = url
        self._now = now
        self._fetch = Fetch(reactor, limit=_LIMIT, ca_file=ca_file, agent=agent)
        self._calls: SingleFlight[None] = SingleFlight(1)
        self._keys: tuple[Key, ...] = ()
        self._fetched: float | None = None
        self._failed = False
        self._not_before = float("-inf")

    def find(self, kid: str | None, algorithm: str) -> Key | Deferred[Key]:
        """The key that *kid* names; for a token without *kid* the only key that fits.

        :raises InvalidToken: no key of the set fits.
        :raises Unavailable: the set can't be fetched now.
        """
        key = self._pick(kid, algorithm) if self._younger_than(_REFRESH) else None
        if key is not None:
            return key
        if self._now() < self._not_before:
            return self._decide(kid, algorithm)
        refreshed = self._calls.ask(b"", self._refresh)
        return refreshed.addCallback(lambda _: self._decide(kid, algorithm))

    def _younger_than(self, seconds: float) -> bool:
        return self._fetched is not None and self._now() - self._fetched < seconds

    def _decide(self, kid: str | None, algorithm: str) -> Key:
        usable = self._younger_than(_KEEP)
        key = self._pick(kid, algorithm) if usable else None
        if key is not None:
            return key
        if self._failed or not usable:
            raise Unavailable(DOWN, reason="the key set could not be fetched")
        raise InvalidToken(reason="no published key fits the token")

    def _pick(self, kid: str | None, algorithm: str) -> Key | None:
        fitting = [
            key for key in self._keys if (kid is None or key.kid == kid) and fits(key, algorithm)
        ]
        # A token without kid does not say which of several keys signed it.
        return fitting[0] if fitting and (kid is not None or len(fitting) == 1) else None

    async def _refresh(self) -> None:
        asked = self._now()
        try:
            status, body = await self._fetch.get(self._url, {"Accept": "application/json"})
            if status != 200:
                raise FetchFailed(f"answered {status}")
            self._keys, unusable = _keys_in(body)
            for description in unusable:
                self._log.warn("A key of the key set is not used: {key}", key=description)
            self._fetched, self._failed = asked, False
        except (FetchFailed, ValueError) as error:
            self._failed = True
            self._log.warn("The key set could not be fetched: {reason}", reason=str(error))
        self._not_before = self._now() + _PAUSE


def _keys_in(body: bytes) -> tuple[tuple[Key, ...], list[str]]:
    """The keys that verify tokens, and a line for each signing key that no algorithm may use."""
    listed = read_object(body).get("keys")
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError(f"it has no list of at most {_MOST_KEYS} keys")
    keys: list[Key] = []
    unusable: list[str] = []
    for entry in listed:
        try:
            key = published_key(entry)
        except ValueError as error:
            unusable.append(f"{ascii(entry.get('kid'))[:_LONGEST_NAME]} {error}")
            continue
        if key is not None:
            keys.append(key)
    if not keys:
        raise ValueError("; ".join(["it has no key to verify signatures with", *unusable]))
    return tuple(keys), unusable
