"""Connection attempts that are cancelled between two turns of the reactor, never inside one.

Twisted closes the socket of a cancelled attempt at once. Where an event handler cancels (the
browser left; another address won the race), the reactor may still hold an event for that socket
in the batch that it is working through. A socket that is opened in the same batch gets the same
number, and with it the stale event: a UDP port of a DNS look-up fails with "doWrite called on
udp.Port", and a fresh TCP connection is taken for lost (Twisted's issue 4759).

``abortConnection``, ``loseConnection`` and ``stopListening`` wait for the next turn by themselves.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


def cancelled_next_turn(attempt: Deferred[Any], clock: IReactorTime) -> Deferred[Any]:
    """*attempt*, an endpoint's ``connect``: a cancel fails it now and closes its socket later.

    A connection that is made in between is aborted, because no caller waits for it any more.
    """
    cancelled = False

    def cancel_later(_: object) -> None:
        nonlocal cancelled
        cancelled = True
        clock.callLater(0, attempt.cancel)

    result: Deferred[Any] = Deferred(cancel_later)

    def connected(protocol: Any) -> None:
        if cancelled:
            protocol.transport.abortConnection()
        else:
            result.callback(protocol)

    def failed(failure: Failure) -> None:
        if not cancelled:
            result.errback(failure)

    attempt.addCallbacks(connected, failed)
    return result
