"""The states of an upstream connection between one request and the next, as a table.

This table alone decides whether a connection may serve another user. The rules:

1. One exchange at a time: a request begins on an idle connection only.
2. A request is complete once its last byte has left this machine, and not once it was written:
   bytes that wait here would be the beginning of the next request, or would hold it up.
3. The head of an answer has to come after its request is complete. An answer that overtakes its
   request is relayed as any other, but it is the last one on its connection: the upstream may
   read the rest as a body, read it as a request, or drop the next request with it (RFC 9112
   section 9.3 asks for a body that is read to its end, or for a close).
4. An answer that says ``close``, or that ends by a close, is the last one on its connection.
5. Not a byte follows an answer, and none comes on an idle connection.
6. A closed connection stays closed.
7. An event that the table does not name for a state closes the connection.

Only :attr:`State.IDLE` may wait in the pool, and :attr:`Event.END` in :attr:`State.READING` is the
only way back to it.
"""

from __future__ import annotations

import enum


class Request(enum.Enum):
    """How far the request's side is."""

    NONE = "there is none"
    PART = "more of it is to be written"
    WRITTEN = "all of it is written, and some may still be on this machine"
    WHOLE = "its last byte has left"
    OVERTAKEN = "its answer came first, and how far it gets no longer matters"
    OVER = "the connection sends nothing any more"


class Answer(enum.Enum):
    """How far the answer's side is."""

    NONE = "none is awaited"
    AWAITED = "its head is not here yet; interim answers may have been"
    BODY = "its head is here, its body is on the way"
    LAST = "the same, and no other answer may follow"
    OVER = "the connection hears nothing any more"


class State(enum.Enum):
    """Every possible pair; another one, such as ``State((Request.NONE, Answer.BODY))``, fails."""

    IDLE = (Request.NONE, Answer.NONE)
    SENDING = (Request.PART, Answer.AWAITED)
    WRITTEN = (Request.WRITTEN, Answer.AWAITED)
    AWAITING = (Request.WHOLE, Answer.AWAITED)
    READING = (Request.WHOLE, Answer.BODY)
    LAST = (Request.WHOLE, Answer.LAST)
    OVERTAKEN = (Request.OVERTAKEN, Answer.LAST)
    CLOSED = (Request.OVER, Answer.OVER)

    # Enum's own hash is a Python function, which would run at each event of the hot path.
    __hash__ = object.__hash__

    def __init__(self, request: Request, answer: Answer) -> None:
        self.request = request
        self.answer = answer


class Event(enum.Enum):
    """What happens to a connection."""

    BEGUN = "a request's head is to be written"
    WRITTEN = "a request's last byte is written"
    GONE = "a request's last byte has left this machine"
    HEAD = "the final head of an answer after which the connection may go on"
    LAST_HEAD = "the final head of an answer after which it may not"
    END = "an answer is here to its last byte, and nothing behind it"
    BROKEN = "surplus or stray bytes, a cut, a deadline, a cancelled exchange"


_NAMED: dict[State, dict[Event, State]] = {
    State.IDLE: {Event.BEGUN: State.SENDING},
    State.SENDING: {
        Event.WRITTEN: State.WRITTEN,
        Event.HEAD: State.OVERTAKEN,
        Event.LAST_HEAD: State.OVERTAKEN,
    },
    State.WRITTEN: {
        Event.GONE: State.AWAITING,
        Event.HEAD: State.OVERTAKEN,
        Event.LAST_HEAD: State.OVERTAKEN,
    },
    State.AWAITING: {Event.HEAD: State.READING, Event.LAST_HEAD: State.LAST},
    State.READING: {Event.END: State.IDLE},
    State.LAST: {},
    State.OVERTAKEN: {Event.WRITTEN: State.OVERTAKEN},
    State.CLOSED: {},
}

#: The state after an event, for every state and every event.
NEXT: dict[tuple[State, Event], State] = {
    (state, event): _NAMED[state].get(event, State.CLOSED) for state in State for event in Event
}

# The same by event, and members as names of the module: to look a member up in its enum would take
# the hot path longer than everything else here.
(
    ON_BEGUN,
    ON_WRITTEN,
    ON_GONE,
    ON_HEAD,
    ON_LAST_HEAD,
    ON_END,
    ON_BROKEN,
) = ({state: NEXT[state, event] for state in State} for event in Event)
IDLE, WRITTEN, AWAITING = State.IDLE, State.WRITTEN, State.AWAITING
OVERTAKEN, CLOSED = State.OVERTAKEN, State.CLOSED
AWAITED = Answer.AWAITED
