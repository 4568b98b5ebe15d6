"""A client that sends exactly the bytes it is given, and reads HTTP/1.1 responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import define, field
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from ..framing.body import body_decoder
from ..framing.fields import HeadLimits
from ..framing.head import ResponseHead, parse_response
from .watchable import Watchable

_LIMITS = HeadLimits(size=1024 * 1024, lines=1000)
HeaderPairs = Mapping[str, str] | Sequence[tuple[str, str]]


@define
class Answer:
    """A response as :class:`RawClient` read it.

    :ivar complete: whether it ended where its framing says; ``False``: the connection broke off.
    """

    status: int
    headers: Headers = field(repr=False)
    body: bytes
    complete: bool

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by a comma; ``None`` if it is absent."""
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def request_bytes(
    method: str, path: str, headers: HeaderPairs = (), body: bytes | None = None
) -> bytes:
    """The bytes of an HTTP/1.1 request; a missing Host and Content-Length are added.

    >>> request_bytes("GET", "/a", {"X-B": "c"})
    b'GET /a HTTP/1.1\\r\\nHost: localhost\\r\\nX-B: c\\r\\n\\r\\n'
    """
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in pairs}
    if "host" not in names:
        pairs.insert(0, ("Host", "localhost"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


class RawClient(Watchable, Protocol):
    """One connection to a server, which sends whatever it is told to.

    :ivar buffer: the bytes received that no ``read`` has taken.
    :ivar closed: whether the connection has ended.
    :ivar clean: whether it ended in order (FIN) and not by a reset.
    """

    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray()
        self.closed = False
        self.clean = False

    @classmethod
    async def connect(
        cls,
        test: SynchronousTestCase,
        port: int,
        *,
        tls: IOpenSSLClientConnectionCreator | None = None,
        host: str = "127.0.0.1",
    ) -> RawClient:
        """Connect; the connection is closed at the end of *test*.

        :param tls: what the client trusts; ``None`` for plain TCP.
        :raises ConnectError: nobody listens, or the TLS handshake failed.
        """
        from twisted.internet import reactor

        endpoint: IStreamClientEndpoint = TCP4ClientEndpoint(reactor, host, port)
        if tls is not None:
            endpoint = wrapClientTLS(tls, endpoint)
        return await cls.over(test, endpoint)

    @classmethod
    async def over(cls, test: SynchronousTestCase, endpoint: IStreamClientEndpoint) -> RawClient:
        """Connect by *endpoint*, to a UNIX socket perhaps; closed at the end of *test*.

        :raises ConnectError: nobody listens.
        """
        factory = Factory.forProtocol(cls)
        factory.noisy = False
        client = cast(RawClient, await endpoint.connect(factory))
        test.addCleanup(client.stop)
        return client

    def send(self, data: bytes) -> None:
        """Write *data* as it is."""
        self.transport.write(data)

    def request(
        self, method: str, path: str, headers: HeaderPairs = (), body: bytes | None = None
    ) -> None:
        """Send what :func:`request_bytes` makes of the arguments."""
        self.send(request_bytes(method, path, headers, body))

    def half_close(self) -> None:
        """Send FIN, so that the server knows that nothing follows, and go on reading."""
        self.transport.loseWriteConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self.transport.abortConnection()

    def pause(self) -> None:
        """Stop reading from the socket, so that the server's writes fill its buffers."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    async def read(self, count: int) -> bytes:
        """The next *count* bytes; fewer only where the connection ended."""
        await self.until(lambda: len(self.buffer) >= count or self.closed)
        return self._take(count)

    async def read_until(self, delimiter: bytes) -> bytes:
        """The bytes up to *delimiter* and with it; fewer only where the connection ended."""
        await self.until(lambda: delimiter in self.buffer or self.closed)
        start = self.buffer.find(delimiter)
        return self._take(len(self.buffer) if start < 0 else start + len(delimiter))

    async def read_to_end(self) -> bytes:
        """The bytes up to the end of the connection; :attr:`clean` says how it ended."""
        await self.until(lambda: self.closed)
        return self._take(len(self.buffer))

    async def head(self, method: str = "GET") -> ResponseHead:
        """The head of the next final response; interim responses (1xx) are skipped.

        :param method: the method of the request that it answers.
        :raises EOFError: the connection ended before the end of a head.
        :raises FramingError: what came is no response head.
        """
        while True:
            block = await self.read_until(b"\r\n\r\n")
            if not block.endswith(b"\r\n\r\n"):
                raise EOFError(f"closed inside a head, after {len(block)} bytes")
            head = parse_response(block[:-2], method.encode(), _LIMITS)
            if head.status >= 200:
                return head

    async def answer(self, method: str = "GET") -> Answer:
        """The next final response, read to its end or to the connection's.

        :param method: the method of the request that it answers.
        :raises EOFError: the connection ended before the end of a head.
        :raises FramingError: the head or the framing of the body is malformed.
        """
        head = await self.head(method)
        headers = Headers()
        for name, value in head.fields:
            headers.addRawHeader(name, value)
        body, complete = bytearray(), head.body_length == 0
        decoder = body_decoder(head.body_length)
        while not complete:
            pieces, rest = decoder.feed(self._take(len(self.buffer)))
            body += b"".join(pieces)
            if rest is not None:
                self.buffer[:0] = rest
                complete = True
            elif self.closed:
                complete = self.clean and decoder.eof()
                break
            else:
                await self.until(lambda: self.buffer or self.closed)
        return Answer(head.status, headers, bytes(body), complete)

    async def stop(self) -> None:
        """Reset the connection and wait for its end; called at the test's end, too."""
        if not self.closed:
            self.abort()
        await self.until(lambda: self.closed)

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def dataReceived(self, data: bytes) -> None:
        """Called by Twisted: keep *data* for the next read."""
        self.buffer += data
        self.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Called by Twisted: the connection has ended."""
        self.closed = True
        self.clean = reason.check(ConnectionDone) is not None
        self.changed()
