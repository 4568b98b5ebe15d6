"""Reads the beginning of a response's body, or none of it, and ends the exchange."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from ..framing.codings import Inflater, Unreadable


class Beginning(Protocol):
    """Takes the first bytes of a body and ends the exchange without the rest.

    It ends the exchange by ``loseConnection``, which every response's transport has.

    :param most: how many bytes, counted without the content coding.
    :ivar done: fires with the bytes; fails with Unreadable where the coding can't be decoded.
    :ivar complete: whether they are the whole body.
    """

    transport: Any

    def __init__(self, most: int, inflater: Inflater | None = None) -> None:
        self._most = most
        self._inflater = inflater
        self._data = bytearray()
        self.complete = False
        self.done: Deferred[bytes] = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        try:
            if self._inflater is not None:
                self._inflater.put(data)
                data = self._inflater.take(self._most - len(self._data))
        except Unreadable as error:
            self.done.errback(error)
            self.transport.loseConnection()
            return
        self._data += data
        if len(self._data) >= self._most:
            self.done.callback(bytes(self._data[: self._most]))
            self.transport.loseConnection()

    def within(self, seconds: float, clock: IReactorTime) -> Deferred[bytes]:
        """:attr:`done`, which then fires with what has come when *seconds* have passed."""
        if not self.done.called:
            late = clock.callLater(seconds, self._give_up_the_rest)
            self.done.addBoth(_cancelling, late)
        return self.done

    def _give_up_the_rest(self) -> None:
        self.done.callback(bytes(self._data))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.complete = bool(reason.check(ResponseDone, PotentialDataLoss))
            self.done.callback(bytes(self._data))


def _cancelling(outcome: bytes | Failure, call: IDelayedCall) -> bytes | Failure:
    if call.active():
        call.cancel()
    return outcome


def discard(response: IResponse) -> None:
    """End the exchange of *response*; its connection lives on only if the body is here already."""
    sink = Protocol()
    response.deliverBody(sink)
    sink.transport.loseConnection()  # type: ignore[union-attr]
