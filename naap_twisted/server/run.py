"""A process that is there for one server: what twistd and a script do beside starting it."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from twisted.internet.error import CannotListenError
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

from ..errors import ConfigError
from ..observe.outlets import write_in_a_thread
from ..observe.text import speed_up_text_logs
from .cautions import as_root
from .chain import MOST_FILES
from .signals import Hurried, on_hangup, outlive_others, when_asked_again

# New objects between two looks for reference cycles. An exchange leaves no cycle behind, so that
# most looks of Python's own 700 are in vain. With the ticker's clock called directly this took a
# small exchange from 735,743 to 710,653 instructions (callgrind, 1,000 exchanges).
_YOUNG = 5_000
_log = Logger()


class Runnable(Hurried, Protocol):
    """A service that :func:`run_server` can run."""

    def startService(self) -> None:
        """Begin to listen. Raises ConfigError and CannotListenError."""

    def stopService(self) -> object:
        """Stop; the Deferred fires at the end."""


def run_server(server: Runnable, reactor: Any) -> None:
    """Serve until Ctrl-C, logging to stdout: what ``server.run()`` of a script does.

    :raises SystemExit: the server can't start; the text is one line a problem.
    """
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    raise_file_limit()
    with plainly():
        server.startService()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    settle_down(reactor, server.hurry)
    reactor.run()


def settle_down(
    reactor: Any,
    hurry: Callable[[], None],
    reload: Callable[[], None] | None = None,
    *,
    cautions: bool = True,
) -> None:
    """Make the process ready for its first request, once its server has started.

    :param hurry: is called for a second stop signal.
    :param reload: is called for SIGHUP.
    :param cautions: whether to say what is wrong with the process; its supervisor may have.
    """
    for line in as_root(os.geteuid()) if cautions else ():
        _log.warn("{caution}", caution=line)
    outlive_others(reactor)
    if reload is not None:
        on_hangup(reactor, reload)
    when_asked_again(reactor, hurry)
    speed_up_text_logs()
    write_in_a_thread(reactor)
    # The objects there are now live as long as the process. Frozen, they are not traversed in each
    # full collection, which is what the garbage collector's longest pauses come from.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def raise_file_limit() -> None:
    """Raise the soft limit of open files towards the hard one: an exchange takes two sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error that a person can mend into a ``SystemExit`` that says it without traceback."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit("\n".join(error.problems)) from None
    except CannotListenError as error:
        raise SystemExit(cannot_listen(error)) from None


def cannot_listen(error: CannotListenError) -> str:
    """The line that says which address can't be had, and why."""
    # For a UNIX socket Twisted gives no interface, and the path as the port.
    where = error.port if error.interface is None else f"{error.interface or '*'}:{error.port}"
    return f"cannot listen on {where}: {error.socketError}"
