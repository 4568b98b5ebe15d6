"""A server of endless event streams: one event a second on each, stamped with its sending time.

The stamp is CLOCK_MONOTONIC, which all processes of a machine share: the client takes its lateness
from there, so an upstream that is itself behind is not held against the proxy.
"""

from __future__ import annotations

import asyncio
import sys
import time

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_PERIOD = 1.0


class Stream(asyncio.Protocol):
    """One connection; the request's head fits into one piece, and has no body."""

    def __init__(self) -> None:
        self._seen = b""
        self._count = 0
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if self._next is None and b"\r\n\r\n" in self._seen:
            self._transport.write(_HEAD)
            self._due = asyncio.get_running_loop().time()
            self._event()

    def _event(self) -> None:
        self._count += 1
        event = b"data: %d %.6f %s\n\n" % (self._count, time.monotonic(), b"." * 60)
        self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
        self._due += _PERIOD
        self._next = asyncio.get_running_loop().call_at(self._due, self._event)

    def connection_lost(self, error: Exception | None) -> None:
        if self._next is not None:
            self._next.cancel()


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
