"""What signals do: Ctrl-C ends a server in peace, a second one at once; no other ends it at all."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from twisted.logger import Logger

_ASKED = (signal.SIGINT, signal.SIGTERM)
# What a signal that has no meaning here does is to end the process, with every stream that is in
# flight (signal(7)): a closed terminal, a log rotation's habit, a pipe's peer that left, a timer.
# SIGQUIT and the signals of a fault are for whoever wants a core.
_OTHERS = (
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE),
    *(signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO),
)

_log = Logger()


@runtime_checkable
class Hurried(Protocol):
    """What can stop at once."""

    def hurry(self) -> None:
        """Stop waiting for what is in flight."""


def when_asked_again(reactor: Any, hurry: Callable[[], None]) -> None:
    """Call *hurry*, in the reactor's thread, for a signal that comes while it shuts down.

    Twisted would show a traceback for it: its reactor is stopping already. To be called before the
    reactor runs; it takes the signals over when the shutdown begins.
    """

    def again(number: int, frame: object) -> None:
        reactor.callFromThread(hurry)

    def take_over() -> None:
        for number in _ASKED:
            # One that is ignored (nohup, a background job of a shell) stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, again)

    reactor.addSystemEventTrigger("before", "shutdown", take_over)


def outlive_others(reactor: Any) -> None:
    """Log signals that have no meaning here, instead of being ended by them.

    To be called in the main thread. One that is ignored stays so (nohup; SIGPIPE, which Python
    itself ignores), and one that somebody handles is theirs (SIGUSR1 rotates twistd's log file).
    """

    def tell(number: int) -> None:
        _log.info(
            "{signal}: reload is not available in this version; nothing changed",
            signal=signal.Signals(number).name,
        )

    def came(number: int, frame: object) -> None:
        # Not here: a signal may come while a log line is being written.
        reactor.callFromThread(tell, number)

    for number in _OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, came)
