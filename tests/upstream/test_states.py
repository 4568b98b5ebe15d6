"""The table of an upstream connection, and the connection held against it in any order of events.

(The property drives the real connection and the real pool. What it expects is not read from the
table, but from what the test itself has put on the wire.)
"""

import re
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from naap_twisted.deadlines import NEVER, Ticker
from naap_twisted.upstream import connection as connection_module
from naap_twisted.upstream.connection import UpstreamConnection
from naap_twisted.upstream.pool import Pool
from naap_twisted.upstream.states import NEXT, Answer, Event, Request, State

from .support import Body, Producer, UpstreamTransport, outbound


class Table(SynchronousTestCase):
    """What can be read off the table itself."""

    def test_complete(self):
        """Every state knows every event."""
        self.assertEqual(len(NEXT), len(State) * len(Event))

    def test_no_other_pair(self):
        """A combination that makes no sense can not be written down."""
        known = {state.value for state in State}
        for request in Request:
            for answer in Answer:
                if (request, answer) not in known:
                    self.assertRaises(ValueError, State, (request, answer))
        self.assertEqual(len(known), len(State))

    def test_one_way_back(self):
        """To idle leads the end of an answer that was read after its request was whole."""
        back = [pair for pair, after in NEXT.items() if after is State.IDLE]
        self.assertEqual(back, [(State.READING, Event.END)])

    def test_closed_for_good(self):
        """Nothing opens a closed connection, and what breaks any other closes it."""
        for event in Event:
            self.assertIs(NEXT[State.CLOSED, event], State.CLOSED)
        for state in State:
            self.assertIs(NEXT[state, Event.BROKEN], State.CLOSED)

    def test_begin(self):
        """A request begins on an idle connection only."""
        begun = [state for state in State if NEXT[state, Event.BEGUN] is not State.CLOSED]
        self.assertEqual(begun, [State.IDLE])

    def test_no_way_around_the_whole_request(self):
        """No path of events leads from a request's beginning to idle without its last byte gone."""
        reached, new = set(), {NEXT[State.IDLE, Event.BEGUN]}
        while new:
            reached |= new
            events = [event for event in Event if event is not Event.GONE]
            new = {NEXT[state, event] for state in reached for event in events} - reached
        self.assertNotIn(State.IDLE, reached)


KEY = (("origin",), None)
HEAD = b"HTTP/1.1 200 OK\r\n"
# A final answer: its bytes, and whether another may follow on the connection.
ANSWERS = {
    "length": (HEAD + b"Content-Length: 3\r\n\r\nown", True),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nown\r\n0\r\n\r\n", True),
    "interim": (b"HTTP/1.1 100 Go\r\n\r\n" + HEAD + b"Content-Length: 3\r\n\r\nown", True),
    "204": (b"HTTP/1.1 204 No\r\n\r\n", True),
    "304": (b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", True),
    "413": (b"HTTP/1.1 413 Large\r\nContent-Length: 3\r\n\r\nown", True),
    "close": (HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nown", False),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nown", False),
    "until_close": (HEAD + b"\r\nown", False),
    "101": (b"HTTP/1.1 101 No\r\nUpgrade: x\r\n\r\n", False),
    "bad": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", False),
}
STRAY = HEAD + b"Content-Length: 5\r\n\r\nstray"


class Wire(UpstreamTransport):
    """A connection's two directions, and what has happened on them, told by the test alone.

    :ivar here: bytes of a request wait in this machine.
    :ivar unread: bytes from the peer that the reactor has not read.
    :ivar spoilt: something has happened after which no request may ever follow.
    """

    def __init__(self):
        super().__init__()
        self.here = False
        self.unread = b""
        self.spoilt = ""
        self.asked = 0

    def whole_requests(self):
        """How many requests stand in what was sent, if nothing but whole ones does."""
        sent, count = self.value(), 0
        while sent:
            head, gap, sent = sent.partition(b"\r\n\r\n")
            if not gap:
                return None
            length = re.search(rb"Content-Length: (\d+)", head)
            if length is not None:
                if len(sent) < int(length[1]):
                    return None
                sent = sent[int(length[1]) :]
            elif b"chunked" in head:
                _, gap, sent = sent.partition(b"0\r\n\r\n")
                if not gap:
                    return None
            count += 1
        return count


class Play:
    """Two ends of a pool: requests go in at one, a peer does what it likes at the other."""

    def __init__(self, test):
        self.test = test
        self.clock = Clock()
        self.ticker = Ticker(self.clock)
        self.pool = Pool()
        self.connection = None
        self.bodies = []
        self.finished = []
        self.producer = self.response = None
        self.answered = True  # all of an answer was sent, or is about to be
        self.endless = False  # it has no end but the connection's
        self.rest = b""

    @property
    def wire(self):
        return self.connection.transport

    def idle(self):
        return [c for waiting in self.pool._idle.values() for c in waiting]

    # Events. Each does nothing where it makes no sense.

    def ask(self, kind):
        """A request of the next user, on a waiting connection or a new one."""
        waiting = self.idle()
        connection = self.pool.take(KEY)
        if connection is None:
            connection = UpstreamConnection(self.ticker, self.pool, KEY)
            connection.makeConnection(Wire())
        else:
            self.test.assertIn(connection, waiting)
            self.test.reused += 1
            self.fit(connection.transport)
        self.connection, self.producer, self.rest = connection, None, b""
        self.response, self.answered, self.endless = None, False, False
        self.wire.asked += 1
        body = {"bytes": b"abc", "large": b"x" * 20_000}.get(kind)
        if kind in ("sized", "chunked"):
            body = self.producer = Producer(6 if kind == "sized" else UNKNOWN_LENGTH)
            self.sent = 0
        # More than one flight, or not by the fast door: it may be here for long.
        self.wire.here = kind not in ("none", "HEAD", "bytes")
        method = {"none": b"GET", "HEAD": b"HEAD"}.get(kind, b"POST")
        self.method = method
        taken = Body()
        self.bodies.append(taken)
        answer = connection.exchange(outbound(method, body=body), NEVER)
        answer.addCallback(self.taken, taken)
        answer.addErrback(lambda failure: None)
        self.answer = answer

    def taken(self, response, body):
        self.response = response
        response.deliverBody(body)

    def fit(self, wire):
        """Whether a request may follow what was on *wire*, by everything that is known of it."""
        self.test.assertEqual(wire.spoilt, "")
        self.test.assertEqual(wire.unread, b"")
        self.test.assertFalse(wire.here)
        self.test.assertFalse(wire.disconnected)
        self.test.assertEqual(wire.whole_requests(), wire.asked)

    def piece(self, size):
        """The body's producer writes: as it should, or more than it said."""
        if self.producer is not None:
            self.sent += size
            self.producer.consumer.write(b"y" * size)

    def body_ends(self, _):
        """It says that this was all, whatever it has written."""
        producer, self.producer = self.producer, None
        if producer is not None and not producer.done.called:
            self.finished.append(producer)
            producer.done.callback(None)

    def body_fails(self, _):
        """The browser left in its middle."""
        producer, self.producer = self.producer, None
        if producer is not None and not producer.done.called:
            self.wire.spoilt = "half a body"
            producer.done.errback(EOFError())

    def late_piece(self, _):
        """A producer writes after its own end."""
        for producer in self.finished:
            producer.consumer.write(b"of another")

    def leaves(self, _):
        """What waited in this machine has gone."""
        if self.connection is not None and self.producer is None:
            self.wire.here = False

    def answers(self, kind, cut):
        """The peer answers, at once or up to *cut*."""
        if self.answered:
            return
        self.answered = True
        data, again = ANSWERS[kind]
        if self.method == b"HEAD" and data.endswith((b"own", b"own\r\n0\r\n\r\n")):
            data = data[: data.rindex(b"\r\n\r\n", 0, data.index(b"own")) + 4]
        self.endless = kind == "until_close" and self.method != b"HEAD"
        if self.endless or not (again or kind == "until_close"):
            self.spoil(kind)
        if self.producer is not None or self.wire.here:
            self.spoil("overtaken")
        self.rest = data[cut:]
        self.hear(data[:cut])

    def goes_on(self, _):
        """The rest of an answer that was cut."""
        data, self.rest = self.rest, b""
        self.hear(data)

    def hear(self, data):
        if data and not self.wire.disconnected:
            self.connection.dataReceived(data)

    def spoil(self, how):
        self.wire.spoilt = self.wire.spoilt or how

    def strays(self, _):
        """Bytes that answer nothing, seen by the reactor."""
        if self.connection is not None and self.answered and not self.rest and not self.endless:
            self.spoil("stray")
            self.hear(STRAY)

    def strays_unread(self, _):
        """The same, and the reactor has not come to it."""
        if self.connection is not None and self.answered and not self.rest:
            self.wire.unread += STRAY

    def surplus(self, _):
        """An answer with another right behind it."""
        if not self.answered:
            self.answered = True
            self.spoil("surplus")
            self.hear(ANSWERS["204"][0] + STRAY)

    def closes(self, clean):
        """The peer's end, in order or not."""
        if self.connection is not None and not self.wire.disconnected:
            self.spoil("closed")
            self.wire.disconnected = True
            self.rest = b""
            self.connection.connectionLost(Failure((ConnectionDone if clean else ConnectionLost)()))

    def gives_up(self, _):
        """The browser leaves: before the answer's head, or in its body."""
        if self.connection is None or (self.answered and not self.rest):
            return
        self.spoil("given up")
        if self.response is None:
            self.answer.cancel()
        else:
            self.response.abortConnection()

    def flow(self, wanted):
        """The browser is slow, or reads again."""
        if self.response is not None:
            (self.response.resumeProducing if wanted else self.response.pauseProducing)()

    def time(self, seconds):
        """Deadlines may pass."""
        busy = self.connection is not None and self.connection.state is not State.IDLE
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)
        if busy and self.connection.state is State.CLOSED:
            self.spoil("late")

    # What has to hold after each of them.

    def judge(self):
        pooled = self.idle()
        for connection in pooled:
            self.test.assertIs(connection.state, State.IDLE)
            self.test.assertEqual(connection.transport.spoilt, "")
            self.test.assertFalse(connection.transport.here)
            self.test.assertEqual(connection.transport.whole_requests(), connection.transport.asked)
            self.test.assertEqual(connection.transport.producerState, "producing")
        if self.connection is not None and self.connection.state is State.IDLE:
            self.test.assertIn(self.connection, pooled)
        self.test.assertEqual(len(pooled), len(self.pool))
        for body in self.bodies:
            self.test.assertIn(body.data, (b"", b"o", b"ow", b"own"))
        for connection in [*pooled, *([self.connection] if self.connection else [])]:
            self.test.assertNotIn(b"of another", connection.transport.value())


KINDS = ("none", "HEAD", "bytes", "large", "sized", "chunked")
WHOLE = 10_000


def exchange(kind, late, size, how):
    """An exchange as it should be, but for its body's *size* and a piece of another."""
    mixed = [("late_piece", None)] if late else []
    body = [("piece", size), ("body_ends", None), ("leaves", None)]
    return [("ask", kind), *mixed, *body, ("answers", how, WHOLE)]


def exchanges():
    """Exchanges, most of them good."""
    sizes = st.sampled_from([6, 6, 6, 6, 3, 7])
    how = st.sampled_from(["length", "chunked", "204", "413", "interim"])
    return st.builds(exchange, st.sampled_from(KINDS), st.booleans(), sizes, how)


def one_event():
    """Any event."""
    nothing = st.none()
    return st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(KINDS)),
        st.tuples(st.just("answers"), st.sampled_from(sorted(ANSWERS)), st.just(WHOLE)),
        st.tuples(st.just("answers"), st.sampled_from(sorted(ANSWERS)), st.integers(1, 60)),
        st.tuples(st.just("piece"), st.sampled_from([1, 3, 3, 6, 6, 7])),
        st.tuples(st.sampled_from(["goes_on", "body_ends", "leaves", "late_piece"]), nothing),
        st.tuples(st.sampled_from(["body_fails", "strays", "strays_unread"]), nothing),
        st.tuples(st.sampled_from(["surplus", "gives_up"]), nothing),
        st.tuples(st.sampled_from(["closes", "flow"]), st.booleans()),
        st.tuples(st.just("time"), st.sampled_from([0.5, 3.0, 11.0, 25.0])),
    )


def scripts():
    """Exchanges, whole or broken off, and anything between."""
    some = st.builds(lambda events, stop: events[:stop], exchanges(), st.integers(1, 5))
    parts = st.one_of(exchanges(), exchanges(), some, st.lists(one_event(), max_size=3))
    return st.lists(parts, max_size=12).map(lambda lists: list(chain.from_iterable(lists)))


class Property(SynchronousTestCase):
    """Whatever happens in whatever order, only an idle connection waits in the pool."""

    reused = 0

    def setUp(self):
        def unread(wire):
            return bool(wire.unread)

        self.patch(connection_module, "unsent", lambda wire: wire.here)
        self.patch(connection_module, "unread", unread)
        self.patch(connection_module, "listening_below", lambda wire: wire)

    @settings(max_examples=1000, deadline=None, derandomize=True, database=None)
    @given(scripts())
    def play(self, happens):
        play = Play(self)
        for name, *arguments in happens:
            getattr(play, name)(*arguments)
            play.judge()

    def test_any_order(self):
        """A connection is in the pool exactly while the table says idle, and fit for the next."""
        self.play()
        # The property says nothing of connections that are never used again.
        self.assertGreater(self.reused, 300)
