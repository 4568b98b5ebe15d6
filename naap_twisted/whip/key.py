"""The key that signs Locations: a file in ``state_dir``, or made for this process alone."""

from __future__ import annotations

import secrets
from pathlib import Path

from twisted.logger import Logger

from ..storage.key_file import KEY_SIZE, stored_key

FILE_NAME = "locations.key"


class LocationKey:
    """Reads or makes the key when it is first used.

    :param state_dir: processes with the same directory share the key.
    :param given: the key where there is no *state_dir*; ``None``: it is made.
    """

    _log = Logger()

    def __init__(self, state_dir: str | None = None, given: bytes | None = None) -> None:
        self._state_dir = state_dir
        self._given = given
        self._key = b""

    def open(self) -> bytes:
        """The key's bytes.

        :raises ConfigError: the file can't be used, or other users can open it.
        """
        if not self._key:
            self._key = self._find()
        return self._key

    def _find(self) -> bytes:
        if self._state_dir:
            return stored_key(Path(self._state_dir).absolute() / FILE_NAME)
        if self._given is not None:
            return self._given  # The supervisor has told how long it works.
        self._log.info(
            "No state_dir: Locations of WHIP sessions work until this process ends, and in no other"
        )
        return secrets.token_bytes(KEY_SIZE)
