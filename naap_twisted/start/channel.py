"""What a supervisor and one of its workers say to each other: JSON lines on a UNIX socket.

Each side tells the other, or asks and gets an answer. File descriptors come with the line before
whose end they were sent. A line that is too long, or none of ours, ends the connection, and with it
the worker.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import Unavailable

#: Seconds that an answer may take.
PATIENCE = 5.0
#: Questions that wait for their answers.
MOST_ASKED = 10_000
#: Bytes of a line: a config may have a megabyte, and numbers of many routes as much.
LONGEST = 16 * 1024 * 1024
#: File descriptors that wait for their line.
_MOST_DESCRIPTORS = 1_024
_encode = json.JSONEncoder(separators=(",", ":")).encode
Handler = Callable[..., Any]


@implementer(IFileDescriptorReceiver)
class Channel(LineOnlyReceiver):
    """One end of the channel.

    :param handlers: called by the words that the other side says, with what it gives by name. What
        one returns, a Deferred included, is the answer where the other side has asked.
    :param lost: called when the other side is gone.
    :ivar descriptors: that have come and that no line has taken yet.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST
    _log = Logger()

    def __init__(
        self, reactor: Any, handlers: Mapping[str, Handler], lost: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._handlers = handlers
        self._lost = lost
        self._asked: dict[int, Deferred[Any]] = {}
        self._number = 0
        self._open = False
        self.descriptors: list[int] = []

    def connectionMade(self) -> None:
        """The other side hears from now on."""
        self._open = True

    def close(self) -> None:
        """End the connection, after what was said."""
        if self._open:
            transport: Any = self.transport
            transport.loseConnection()

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """Keep *descriptor* for the line that it belongs to."""
        if len(self.descriptors) >= _MOST_DESCRIPTORS:
            os.close(descriptor)
            return
        os.set_inheritable(descriptor, False)
        self.descriptors.append(descriptor)

    def take_descriptors(self, count: int) -> list[int]:
        """The first *count* that have come, for the handler of the line that they came with.

        Those of the next line may be here, too.

        :raises ValueError: there are fewer.
        """
        if len(self.descriptors) < count:
            raise ValueError("fewer file descriptors have come than were announced")
        taken = self.descriptors[:count]
        del self.descriptors[:count]
        return taken

    def tell(self, word: str, descriptors: tuple[int, ...] = (), **content: Any) -> None:
        """Say *word*, with *content* by name; nothing where the other side is gone."""
        self._say([word, content, 0], descriptors)

    def ask(
        self,
        word: str,
        descriptors: tuple[int, ...] = (),
        patience: float = PATIENCE,
        **content: Any,
    ) -> Deferred[Any]:
        """Fire with what the other side answers.

        Fails with :exc:`Unavailable` where it has no answer, or none in time.
        """
        if not self._open or len(self._asked) >= MOST_ASKED:
            return fail(Unavailable(reason="the process that is asked is gone or overloaded"))
        self._number += 1
        number = self._number
        answer: Deferred[Any] = Deferred()
        self._asked[number] = answer
        self._say([word, content, number], descriptors)

        def late(_: object, seconds: float) -> None:
            raise Unavailable(reason=f"no answer to {word} within {seconds:g} s")

        def over(outcome: Any) -> Any:
            self._asked.pop(number, None)
            return outcome

        return answer.addTimeout(patience, self._reactor, late).addBoth(over)

    def _say(self, message: list[Any], descriptors: tuple[int, ...] = ()) -> None:
        if not self._open:
            return
        transport: Any = self.transport
        for descriptor in descriptors:
            transport.sendFileDescriptor(descriptor)
        transport.write(_encode(message).encode() + b"\n")

    def lineReceived(self, line: bytes) -> None:
        """Hear a message: ``[word, content, number]``, or ``[null, outcome, number, well]``."""
        try:
            word, content, number, *well = json.loads(line)
            if word is None:
                self._answered(number, content, bool(well[0]))
                return
            handler = self._handlers[word]
        except (ValueError, KeyError, TypeError, IndexError):
            self._log.error("a line of the other process is none of ours; the connection ends")
            self.close()
            return
        outcome = maybeDeferred(handler, **content)
        if number:
            outcome.addCallbacks(
                lambda value: self._say([None, value, number, True]),
                lambda failure: self._say([None, self._reason(failure), number, False]),
            )
        outcome.addErrback(lambda failure: self._log.failure("{word} failed", failure, word=word))

    def _reason(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, Unavailable):
            return error.reason or str(error)
        self._log.failure("the answer to another process failed", failure)
        return "it failed there"

    def _answered(self, number: int, content: Any, well: bool) -> None:
        answer = self._asked.pop(number, None)
        if answer is None:
            return  # It came too late.
        if well:
            answer.callback(content)
        else:
            answer.errback(Unavailable(reason=str(content)))

    def connectionLost(self, reason: object = None) -> None:
        """Fail what is asked, and tell."""
        self._open = False
        for descriptor in self.take_descriptors(len(self.descriptors)):
            os.close(descriptor)
        asked, self._asked = [*self._asked.values()], {}
        for answer in asked:
            answer.errback(Unavailable(reason="the process that was asked is gone"))
        self._lost()


class OneChannel(Factory):
    """Gives *channel* to the one connection that there is."""

    noisy = False

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def buildProtocol(self, addr: object) -> Channel:
        """The channel."""
        return self._channel
