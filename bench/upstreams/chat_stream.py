"""``python chat_stream.py PORT``: answers each request with a chat's stream, an event at a time.

An event comes every 5 ms to all streams that are open, so that each is a read of its own for the
proxy, as a model's events are. ``EVENTS`` of them, and the usage where it was asked for.
"""

from __future__ import annotations

import asyncio
import json
import sys

EVENTS = 400
_PERIOD = 0.005
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _event(choices: list[object], usage: object) -> bytes:
    chunk = {"id": "chatcmpl-123", "object": "chat.completion.chunk", "created": 1700000000}
    chunk |= {"model": "gpt-4o-mini", "system_fingerprint": "fp_44709d6fcb", "choices": choices}
    data = b"data: %b\n\n" % json.dumps({**chunk, "usage": usage}).encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


_WORD = _event([{"index": 0, "delta": {"content": " word"}, "finish_reason": None}], None)
_USAGE = _event([], {"prompt_tokens": 20, "completion_tokens": EVENTS})
_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Stream(asyncio.Protocol):
    """One connection, which may bring one request after the other."""

    open: set[Stream] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._left = 0
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._seen.endswith(b"}"):
            return
        self._asked = b"include_usage" in self._seen
        self._seen, self._left = b"", EVENTS
        self._transport.write(_HEAD)
        self.open.add(self)

    def tick(self) -> None:
        """Send the next event."""
        if self._left:
            self._left -= 1
            self._transport.write(_WORD)
        else:
            self.open.discard(self)
            self._transport.write((_USAGE if self._asked else b"") + _END)

    def connection_lost(self, error: Exception | None) -> None:
        self.open.discard(self)


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(Stream, "127.0.0.1", port, backlog=4096)
    due = loop.time()
    while True:
        due = max(due + _PERIOD, loop.time())
        await asyncio.sleep(due - loop.time())
        for stream in list(Stream.open):
            stream.tick()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
