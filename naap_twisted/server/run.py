"""Running a server in a process of its own: what twistd and a script have in common."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from twisted.internet.error import CannotListenError
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

from ..errors import ConfigError
from ..observe.text import speed_up_text_logs
from .cautions import as_root
from .signals import outlive_others, when_asked_again

_FILES = 65_536
# New objects between two looks for reference cycles. An exchange leaves no cycle behind, so that
# most looks of Python's own 700 are in vain. With the ticker's clock called directly this took a
# small exchange from 735,743 to 710,653 instructions (callgrind, 1,000 exchanges).
_YOUNG = 5_000
_log = Logger()


class Runnable(Protocol):
    """A server, as what runs it sees it."""

    def startService(self) -> None:
        """Begin to listen. Raises ConfigError and CannotListenError."""

    def stopService(self) -> object:
        """Stop; a Deferred that fires at the end."""

    def hurry(self) -> None:
        """While it stops: at once."""


def run_server(server: Runnable, reactor: Any) -> None:
    """Serve until Ctrl-C, logging to stdout: what ``server.run()`` of a script does.

    :raises SystemExit: the server can't start; the text is one line a problem.
    """
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    raise_file_limit()
    with plainly():
        server.startService()
    for line in as_root(os.geteuid()):
        _log.warn("{caution}", caution=line)
    settle_down()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    outlive_others(reactor)
    when_asked_again(reactor, server.hurry)
    reactor.run()


def settle_down() -> None:
    """What is worth doing once, when everything is loaded and before the first request.

    What lives now lives as long as the process: the garbage collector need not look at it again
    and again, which is what its longest pauses come from.
    """
    speed_up_text_logs()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def raise_file_limit() -> None:
    """Use what the hard limit of open files allows: two sockets an exchange, idle ones beside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what a person can mend into ``SystemExit`` with its text."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit("\n".join(error.problems)) from None
    except CannotListenError as error:
        # A UNIX socket has no interface, and its path for a port.
        where = error.port if error.interface is None else f"{error.interface or '*'}:{error.port}"
        raise SystemExit(f"cannot listen on {where}: {error.socketError}") from None
