"""An upstream that counts what it makes, and ends each answer as its question says.

A question is a chat whose member ``user`` is a :class:`Plan`. What it makes is a token for every
four bytes of the question and one for every event; what it reports, where it does, is just that.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from naap_twisted.testing import Watchable

#: Tokens of an answer at most.
MOST = 24
#: Billionths of a dollar of a token: of the question, and of the answer.
INPUT_PRICE, OUTPUT_PRICE = 1000, 2000
PRICES = "[prices]\nm = { input = 1, output = 2 }\n"
#: How an answer ends. Told: with its usage; untold: in order, without; cut: in the midst of its
#: framing; reset: by its upstream, once the caller has it; left: by its caller, likewise; bolted:
#: by its caller, who does not wait for it; deaf: before there is any; refused: it is an error.
ENDS = ("told", "untold", "cut", "reset", "left", "bolted", "deaf", "refused")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENTS = _HEAD % (b"200 OK", b"text/event-stream")
_ERROR = _HEAD % (b"500 Broken", b"application/json")
_LAST = b"0\r\n\r\n"


@frozen
class Plan:
    """What one answer is to be.

    :ivar number: of the request, so that two can be told apart.
    :ivar events: that come, with a word each; *end*: how it ends, one of :data:`ENDS`.
    :ivar word: three or four letters: what an estimate takes for a token, and a third more.
    """

    number: int
    events: int
    end: str
    word: str = "word"

    def body(self) -> bytes:
        """The question that asks for it."""
        said = f"{self.number} {self.events} {self.end} {self.word}"
        chat = {"model": "m", "max_tokens": MOST, "stream": True, "user": said.ljust(32)}
        return json.dumps(chat).encode()

    @classmethod
    def of(cls, body: bytes) -> Plan:
        """The plan of a question."""
        number, events, end, word = json.loads(body)["user"].split()
        return cls(int(number), int(events), end, word)


@frozen
class Amount:
    """Tokens of a question and of an answer."""

    input: int = 0
    output: int = 0

    def of(self, unit: str) -> int:
        """Both together, in ``"tokens"`` or, for ``"usd"``, billionths of a dollar."""
        if unit == "tokens":
            return self.input + self.output
        return INPUT_PRICE * self.input + OUTPUT_PRICE * self.output


def worst(body: bytes) -> Amount:
    """What a question may cost at most: a token for three bytes of it, and its limit."""
    return Amount(-(-len(body) // 3), MOST)


@define(eq=False)
class Work:
    """One question that has come, and what was made of it.

    :ivar route: the first segment of the path that was asked for.
    :ivar made: so far; *tells*: the answer has reported it.
    """

    route: str
    plan: Plan
    made: Amount
    tells: bool = False


@define(eq=False)
class Maker(Watchable):
    """Listens on loopback until the end of *test*.

    :ivar works: every question that came, in order.
    """

    test: Any
    works: list[Work] = field(factory=list)
    _open: dict[int, _Making] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        from twisted.internet import reactor as installed

        Watchable.__init__(self)
        reactor: Any = installed
        factory = Factory.forProtocol(lambda: _Making(self))
        factory.noisy = False
        port = reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1000)
        self.origin = f"http://127.0.0.1:{port.getHost().port}"
        self.test.addCleanup(self._stop)
        self.test.addCleanup(port.stopListening)

    def _stop(self) -> Any:
        for making in list(self._open.values()):
            making.transport.abortConnection()
        return self.until(lambda: not self._open)

    def has(self, plan: Plan) -> bool:
        """Whether the question has come, and is not over."""
        return plan.number in self._open

    def reset(self, plan: Plan) -> None:
        """Reset the connection of a plan that is to end so."""
        self._open[plan.number].transport.abortConnection()

    def made(self, route: str, unit: str) -> int:
        """What was made so far of the questions that came by *route*."""
        return sum(work.made.of(unit) for work in list(self.works) if work.route == route)


class _Making(Protocol):
    """One connection; the next question comes when the last is answered."""

    transport: Any

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._buffer = b""
        self._numbers: list[int] = []

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(rest) < int(length[1]):
            return
        self._buffer = b""
        route = head.split()[1].decode().split("/")[1]
        plan = Plan.of(rest)
        self._numbers.append(plan.number)
        self._maker._open[plan.number] = self
        asked = "stream_options" in json.loads(rest)
        # What the server adds to ask for the usage is no token of the page's.
        work = Work(route, plan, Amount(-(-len(plan.body()) // 4)))
        if plan.end == "refused":
            work.made = Amount()
        self._maker.works.append(work)
        self._answer(work, asked)
        self._maker.changed()

    def _answer(self, work: Work, asked: bool) -> None:
        plan = work.plan
        if plan.end == "bolted":
            return
        if plan.end == "deaf":
            self.transport.loseConnection()
            return
        if plan.end == "refused":
            self.transport.write(_ERROR + _chunk(b"{}") + _LAST)
            return
        self.transport.write(_EVENTS)
        for _ in range(plan.events):
            work.made = evolve(work.made, output=work.made.output + 1)
            self._send({"choices": [{"index": 0, "delta": {"content": plan.word}}]})
        self._end(work, asked)

    def _end(self, work: Work, asked: bool) -> None:
        end = work.plan.end
        if end == "told" and asked:
            work.tells = True
            made = {"prompt_tokens": work.made.input, "completion_tokens": work.made.output}
            self._send({"choices": [], "usage": made})
        if end in ("told", "untold"):
            self.transport.write(_chunk(b"data: [DONE]\n\n") + _LAST)
        elif end == "cut":
            self.transport.loseConnection()

    def _send(self, document: object) -> None:
        self.transport.write(_chunk(b"data: %b\n\n" % json.dumps(document).encode()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for number in self._numbers:
            self._maker._open.pop(number, None)
        self._maker.changed()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
