"""What has to be installed, and the message that says so."""

from __future__ import annotations

import os
import shutil


class Missing(Exception):
    """Something that the benchmark can't do without."""


PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "node": "nodejs", "npm": "npm"}


def program(name: str) -> str:
    """The full path of a program.

    :raises Missing: it is not installed; the text says what to install.
    """
    # Debian keeps nginx where only root's PATH looks.
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Missing(f"{name} is missing: apt-get install {PACKAGES.get(name, name)}")
    return path
