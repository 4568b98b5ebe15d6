"""Ctrl-C, twice: the first ends a server in peace, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

_ASKED = (signal.SIGINT, signal.SIGTERM)


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
