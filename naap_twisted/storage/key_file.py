"""A key of this server's own, in a file that its processes share and nobody else can open."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from ..errors import ConfigError

#: Bytes of a key.
KEY_SIZE = 32


def own_key(state_dir: str, name: str, process_key: bytes) -> bytes:
    """The key in the file *name* of *state_dir*; with ``""`` *process_key*.

    :raises ConfigError: see :func:`stored_key`.
    """
    if not state_dir:
        return process_key
    return stored_key(Path(state_dir).absolute() / name)


def stored_key(path: Path) -> bytes:
    """The key in the file *path*, which is made where there is none.

    :raises ConfigError: the file can't be used, other users can open it, or it holds no key.
    """
    # SQLAlchemy, which this imports, is installed only where a state_dir needs it.
    from .database import private_file

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
