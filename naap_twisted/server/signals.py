"""Signals: SIGINT and SIGTERM stop a server gently, a second one at once; SIGHUP reloads it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from twisted.logger import Logger

_STOPPING = (signal.SIGINT, signal.SIGTERM)
# The default action of these is to end the process, with every stream in flight (signal(7)): on a
# closed terminal, a log rotation's habit, a pipe whose reader left, a timer. SIGQUIT and the
# signals of a fault keep their default action, which writes a core for an operator to read.
_OTHERS = (
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE),
    *(signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO),
)

_log = Logger()


@runtime_checkable
class Reloadable(Protocol):
    """A service that can read its config again."""

    def ask(self) -> None:
        """Ask for a reload, which comes soon."""


@runtime_checkable
class Hurried(Protocol):
    """A service that can be told to stop at once."""

    def hurry(self) -> None:
        """Cut the open exchanges instead of waiting for their end."""


def when_asked_again(reactor: Any, hurry: Callable[[], None]) -> None:
    """Call *hurry*, in the reactor's thread, for a stop signal that comes during the shutdown.

    Twisted's own handler would show a traceback then, as the reactor is stopping already: this one
    replaces it when the shutdown begins. To be called before the reactor runs.
    """

    def again(number: int, frame: object) -> None:
        reactor.callFromThread(hurry)

    def take_over() -> None:
        for number in _STOPPING:
            # A signal that is ignored (nohup, a background job of a shell) stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, again)

    reactor.addSystemEventTrigger("before", "shutdown", take_over)


def outlive_others(reactor: Any) -> None:
    """Log signals that have no meaning here, instead of being ended by them.

    To be called in the main thread. A signal that is ignored stays ignored (nohup; SIGPIPE, which
    Python itself ignores), and one that has a handler keeps it (SIGUSR1 rotates twistd's log file).
    """

    def tell(number: int) -> None:
        _log.info(
            "{signal}: nothing changed; SIGHUP reloads a server of a config file",
            signal=signal.Signals(number).name,
        )

    def on_signal(number: int, frame: object) -> None:
        # The handler itself must not log: it may run in the middle of another log line.
        reactor.callFromThread(tell, number)

    for number in _OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, on_signal)


def on_hangup(reactor: Any, reload: Callable[[], None]) -> None:
    """Call *reload*, in the reactor's thread, for each SIGHUP; to be called in the main thread.

    Under nohup, too: the end of a terminal then reloads what has not changed.
    """

    def on_signal(number: int, frame: object) -> None:
        reactor.callFromThread(reload)

    signal.signal(signal.SIGHUP, on_signal)
