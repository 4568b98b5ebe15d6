"""A key store in memory, for tests that need no disk; it keeps the same contract."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred, execute

from naap_twisted.errors import NoUserKey, TooManyKeys
from naap_twisted.keys.rules import MOST_KEYS
from naap_twisted.keys.vault import last4
from naap_twisted.model import KeyInfo
from naap_twisted.secret import Secret


class MemoryKeyStore:
    """Forgets everything when the process ends.

    :param now: seconds since the epoch; it dates the keys.
    :param path: where the keys' routes stand, for messages.
    """

    def __init__(self, now: Callable[[], float] = time.time, path: str = "/api/v1/keys") -> None:
        self._now = now
        self._path = path
        self._users: dict[str, dict[str, tuple[Secret, int]]] = {}

    def put(self, user_id: str, provider: str, key: Secret) -> Deferred[KeyInfo]:
        """See :class:`~naap_twisted.interfaces.IKeyStore`."""
        return execute(self._put, user_id, provider, key)

    def _put(self, user_id: str, provider: str, key: Secret) -> KeyInfo:
        keys = self._users.setdefault(user_id, {})
        if provider not in keys and len(keys) >= MOST_KEYS:
            raise TooManyKeys(f"At most {MOST_KEYS} keys can be kept")
        keys[provider] = (key, int(self._now()))
        return self._info(provider, *keys[provider])

    def get(self, user_id: str, provider: str) -> Deferred[Secret]:
        """See :class:`~naap_twisted.interfaces.IKeyStore`."""
        return execute(self._get, user_id, provider)

    def _get(self, user_id: str, provider: str) -> Secret:
        found = self._users.get(user_id, {}).get(provider)
        if found is None:
            raise NoUserKey(provider, self._path)
        return found[0]

    def delete(self, user_id: str, provider: str) -> Deferred[bool]:
        """See :class:`~naap_twisted.interfaces.IKeyStore`."""
        return execute(lambda: self._users.get(user_id, {}).pop(provider, None) is not None)

    def describe(self, user_id: str) -> Deferred[tuple[KeyInfo, ...]]:
        """See :class:`~naap_twisted.interfaces.IKeyStore`."""
        return execute(
            lambda: tuple(
                self._info(provider, *held)
                for provider, held in sorted(self._users.get(user_id, {}).items())
            )
        )

    def _info(self, provider: str, key: Secret, updated_at: int) -> KeyInfo:
        return KeyInfo(provider, last4(key), updated_at)
