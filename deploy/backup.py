#!/usr/bin/env python3
"""Copies the state_dir of a running server to a new directory: backup.py STATE_DIR TARGET.

The database is copied as of one moment, with what is in its write-ahead log; the server goes on
meanwhile. Files of keys, which never change, are copied as they are. TARGET appears when all of it
is on the disk, and is good as a state_dir. It holds secrets: its mode is 0700.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

# Seconds that a writer of the database may take.
PATIENCE = 30.0


def back_up(source: Path, target: Path) -> None:
    """Copy *source* to *target*.

    :raises SystemExit: one of them is unfit.
    """
    if not source.is_dir():
        raise SystemExit(f"{source} is not a directory")
    if target.exists():
        raise SystemExit(f"{target} is there already")
    # Made with mode 0700, beside the target so that the last step is a rename.
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for path in sorted(source.iterdir()):
            if path.suffix == ".sqlite3":
                copy_database(path, made / path.name)
            elif path.is_file() and not path.name.endswith(("-wal", "-shm")):
                shutil.copyfile(path, made / path.name)
        for path in made.iterdir():
            path.chmod(0o600)
            flush(path)
        flush(made)
        made.rename(target)
    except BaseException:
        shutil.rmtree(made)
        raise
    flush(target.parent)


def copy_database(source: Path, target: Path) -> None:
    """A copy of one moment.

    :raises SystemExit: the copy is damaged, as the database is then.
    """
    # Opened for reading and writing, as a log that a crash left has to be taken in; not created.
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=PATIENCE)) as base:
        base.execute("VACUUM INTO ?", (str(target),))
    with closing(sqlite3.connect(target)) as copy:
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise SystemExit(f"{source} is damaged: {verdict}")


def flush(path: Path) -> None:
    """Wait until *path* is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(f"usage: {sys.argv[0]} STATE_DIR TARGET")
    os.umask(0o077)
    back_up(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
