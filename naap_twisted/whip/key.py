"""The key that signs Locations: a file in ``state_dir``, or made for this process alone."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from twisted.logger import Logger

from ..errors import ConfigError
from .location import KEY_SIZE

FILE_NAME = "locations.key"


class LocationKey:
    """Reads or makes the key when it is first used.

    :param state_dir: processes with the same directory share the key.
    """

    _log = Logger()

    def __init__(self, state_dir: str | None = None) -> None:
        self._state_dir = state_dir
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
        self._log.info(
            "No state_dir: Locations of WHIP sessions work until this process ends, and in no other"
        )
        return secrets.token_bytes(KEY_SIZE)


def stored_key(path: Path) -> bytes:
    """The key in the file *path*, which is made where there is none.

    :raises ConfigError: the file can't be used, other users can open it, or it holds no key.
    """
    # SQLAlchemy, which this imports, is installed only where a state_dir needs it.
    from ..storage.database import private_file

    private_file(path)
    try:
        with path.open("r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two processes may start at the same time
            key = file.read(KEY_SIZE + 1)
            if not key:
                key = secrets.token_bytes(KEY_SIZE)
                file.write(key)
                os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"state_dir: cannot use {path}: {error.strerror or error}") from None
    if len(key) != KEY_SIZE:
        raise ConfigError(f"state_dir: {path} holds no key; delete it, and a new one is made")
    return key
