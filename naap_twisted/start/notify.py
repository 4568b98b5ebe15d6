"""What systemd is told of a service of ``Type=notify``: when it is ready, reloads and stops.

Messages are those of sd_notify(3), one datagram each to the socket that ``NOTIFY_SOCKET`` names;
without that variable nobody is told, as nobody asks.
"""

from __future__ import annotations

import os
import socket
import time

from twisted.logger import Logger

_log = Logger()


def tell_ready(status: str = "") -> bool:
    """The start, or a reload, is over. *status* is what ``systemctl status`` shows.

    :returns: whether it was told.
    """
    return _tell("READY=1", f"STATUS={_line(status)}")


def tell_reloading() -> bool:
    """A reload begins; :func:`tell_ready` ends it.

    :returns: whether it was told.
    """
    # systemd 253 and later wants to know which of several reloads it is, by the time that it began.
    return _tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def tell_stopping() -> bool:
    """The shutdown begins.

    :returns: whether it was told.
    """
    return _tell("STOPPING=1", "STATUS=draining")


def _line(text: str) -> str:
    return " ".join(text.split())


def _tell(*fields: str) -> bool:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    # "@" stands for the NUL that a name in the abstract namespace begins with.
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # A manager that does not read must not stop the loop.
            sender.setblocking(False)
            sender.connect(address)
            sender.send("\n".join(fields).encode("utf-8", "replace"))
    except OSError as error:
        _log.warn("NOTIFY_SOCKET: cannot tell {what}: {error}", what=fields[0], error=error)
        return False
    return True
