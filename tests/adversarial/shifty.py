"""An upstream whose mood is in the path: it answers early, late, twice, cut, or not any more."""

import hashlib
import socket

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from naap_twisted.framing.body import body_decoder, chunk
from naap_twisted.framing.fields import HeadBuffer, HeadLimits
from naap_twisted.framing.head import parse_request
from naap_twisted.testing import Watchable

_LIMITS = HeadLimits()
_LATE = 0.005

#: Moods in which the whole answer comes, whatever happens to the connection then.
KIND = (
    *("plain", "chunked", "pieces", "late", "interim", "empty", "until_close", "says_close"),
    *("closes", "twice", "early", "early_error"),
    *("early_and_deaf", "early_and_swallows", "early_and_closes"),
)
#: Moods in which it does not.
UNKIND = ("cut", "cut_head", "reset", "switches")


def name_of(key):
    """What an answer says of the Authorization value that its request had: never the key."""
    return hashlib.sha256(key).hexdigest()[:16].encode()


class Shifty(Watchable, Factory):
    """Listens on loopback; ``/v1/MOOD/NUMBER`` is answered with who asked, and the number.

    :ivar open: its connections.
    :ivar connections: all that it has had.
    :ivar asked: numbers of the requests whose head came, in order.
    """

    noisy = False

    def __init__(self, test, tls=None, receive_buffer=None):
        super().__init__()
        self.open = set()
        self.connections = []
        self.asked = []
        if tls is None:
            self._port = reactor.listenTCP(0, self, interface="127.0.0.1")
        else:
            self._port = reactor.listenSSL(0, self, tls, interface="127.0.0.1")
        if receive_buffer is not None:
            self._port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port = self._port.getHost().port
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        test.addCleanup(self.stop)

    async def stop(self):
        """Listen no more, and reset what is open."""
        await self._port.stopListening()
        for connection in list(self.open):
            connection.transport.abortConnection()

    def buildProtocol(self, address):
        self.connections.append(_Connection(self, address.port))
        return self.connections[-1]

    def at(self, port):
        """The idle connection that a client has from its own *port*; ``None``: it is closed here.

        A deaf one never is idle: it does not hear that its client is another by now.
        """
        return next((each for each in self.open if each.port == port and each.idle), None)


class _Connection(Protocol):
    """One connection, one request at a time.

    :ivar idle: every request that has begun was answered.
    :ivar last: who sent the last request, for answers that nobody asked for.
    :ivar number: its number.
    :ivar names: everybody who sent one.
    """

    def __init__(self, factory, port):
        self._factory, self.port = factory, port
        self._head, self._decoder = HeadBuffer(_LIMITS), None
        self._swallows = False
        self.idle, self.last, self.number, self.names = True, b"nobody", b"", set()

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)  # a stray byte is not to wait for an acknowledgement
        self._factory.open.add(self)

    def connectionLost(self, reason):
        self._factory.open.discard(self)

    def stray(self, data):
        """Into the kernel now: the peer has *data* before anybody's next turn."""
        self.transport.socket.send(data)

    def dataReceived(self, data):
        while data and not self._swallows:
            if self._decoder is None:
                found = self._head.feed(data)
                if found is None:
                    return
                data = self._begin(parse_request(found[0], _LIMITS), found[1])
            else:
                data = self._decoder.feed(data)[1]
                if data is not None:
                    self._finish()

    def _begin(self, head, rest):
        self.idle = False
        mood, number = head.target.split(b"/")[-2:]
        self.last = name_of(dict(head.fields).get(b"authorization", b""))
        self.names.add(self.last)
        self._mood, self.number, self._method = mood.decode(), number, head.method
        self._factory.asked.append(number)
        self._factory.changed()
        self._decoder = body_decoder(head.body_length)
        if self._mood.startswith("early"):
            self._early()
        if head.body_length == 0:
            self._finish()
            return rest
        if self._swallows:
            return b""
        rest = self._decoder.feed(rest)[1]
        if rest is not None:
            self._finish()
        return rest

    def _early(self):
        error = self._mood in ("early_error", "early_and_closes")
        self.transport.write(self._answer(413 if error else 200))
        if self._mood == "early_and_closes":
            self.transport.loseConnection()
        if self._mood == "early_and_deaf":
            self.transport.pauseProducing()
        self._swallows = self._mood in ("early_and_deaf", "early_and_swallows")

    def _finish(self):
        self._decoder = None
        if not self._mood.startswith("early"):
            getattr(self, "_" + self._mood)()
        self.idle = self._mood != "late"

    def _answer(self, status=200, more=b"", body=None):
        body = self.last + b" " + self.number if body is None else body
        head = b"HTTP/1.1 %d X\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n"
        return head % (status, more, len(body)) + (b"" if self._method == b"HEAD" else body)

    def _coded(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        if self._method == b"HEAD":
            return [head]
        return [head, chunk(self.last), chunk(b" " + self.number), b"0\r\n\r\n"]

    def _plain(self):
        self.transport.write(self._answer())

    def _chunked(self):
        self.transport.write(b"".join(self._coded()))

    def _pieces(self):
        for delay, piece in enumerate(self._coded()):
            reactor.callLater(delay * _LATE / 4, self.transport.write, piece)

    def _late(self):
        reactor.callLater(_LATE, self._now_at_last)

    def _now_at_last(self):
        self._plain()
        self.idle = True

    def _interim(self):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n" + hints + self._answer())

    def _empty(self):
        told = b"X-Told: %s %s\r\n" % (self.last, self.number)
        self.transport.write(b"HTTP/1.1 204 No\r\n%s\r\n" % told)

    def _until_close(self):
        body = b"" if self._method == b"HEAD" else self.last + b" " + self.number
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body)
        self.transport.loseConnection()

    def _says_close(self):
        self.transport.write(self._answer(more=b"Connection: close\r\n"))
        self.transport.loseConnection()

    def _closes(self):
        self.transport.write(self._answer())
        self.transport.loseConnection()

    def _twice(self):
        self.transport.write(self._answer() + self._answer(body=b"the second of " + self.last))

    def _cut(self):
        whole = self._answer(body=b"never more than half of this")
        self.transport.write(whole[: -len(whole) // 8])
        self.transport.loseConnection()

    def _cut_head(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        self.transport.loseConnection()

    def _reset(self):
        self.transport.abortConnection()

    def _switches(self):
        self.transport.write(b"HTTP/1.1 101 Now\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
