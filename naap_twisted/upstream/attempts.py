"""Connection attempts that are given up between two turns of the reactor, never inside one.

Twisted closes the socket of a cancelled attempt at once. Where an event handler does that (the
browser left; another address won the race), the reactor may still hold an event for that socket
in the batch that it is working through. A socket that is opened in the same batch gets the same
number, and with it the stale event: a UDP port of a DNS look-up fails with "doWrite called on
udp.Port", a fresh TCP connection is taken for lost. Twisted has known the kind for long
(its issue 4759) and looks a descriptor up by number to this day.

Everything else that we close goes through ``abortConnection``, ``loseConnection`` or
``stopListening``, which wait for the next turn by themselves.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


def cancelled_next_turn(attempt: Deferred[Any], clock: IReactorTime) -> Deferred[Any]:
    """*attempt*, an endpoint's ``connect``; who cancels it is free at once, its socket later.

    A connection that was made in between belongs to nobody and is aborted.
    """
    left = False

    def leave(_: object) -> None:
        nonlocal left
        left = True
        clock.callLater(0, attempt.cancel)

    result: Deferred[Any] = Deferred(leave)

    def connected(protocol: Any) -> None:
        if left:
            protocol.transport.abortConnection()
        else:
            result.callback(protocol)

    def failed(failure: Failure) -> None:
        if not left:
            result.errback(failure)

    attempt.addCallbacks(connected, failed)
    return result
