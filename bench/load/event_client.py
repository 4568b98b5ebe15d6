"""``python event_client.py``: holds many event streams, says how late their events came.

Reads one JSON object from stdin: port, request (its head), streams, seconds. Prints one line
``OPEN`` when all streams have had their first event, then one JSON object. Times in seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

_EVENT = re.compile(rb"data: (\d+) (\d+\.\d+) \.+\n\n")
_BATCH = 100
_PAUSE = 0.05
_OPEN_LIMIT = 30.0
#: A proxy bounds the connections of one address: spread them over 127.0.0.0/8.
_PER_ADDRESS = 500


class Stream(asyncio.Protocol):
    """One stream.

    :ivar late: for each event, seconds from its sending to its arrival.
    :ivar missed: numbers that were skipped.
    """

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._rest = b""
        self.number = 0
        self.missed = 0
        self.last = 0.0
        self.late: list[float] = []
        self.closed = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._rest += data
        end = 0
        for event in _EVENT.finditer(self._rest):
            number = int(event[1])
            self.missed += number - self.number - 1
            self.number, self.last = number, now
            self.late.append(now - float(event[2]))
            end = event.end()
        self._rest = self._rest[end:][-4096:]

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True


async def hold(port: int, request: bytes, count: int, seconds: float) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    streams: list[Stream] = []
    while len(streams) < count:
        source = (f"127.0.0.{2 + len(streams) // _PER_ADDRESS}", 0)
        batch = [
            loop.create_connection(lambda: Stream(request), "127.0.0.1", port, local_addr=source)
            for _ in range(min(_BATCH, count - len(streams)))
        ]
        streams += [protocol for _, protocol in await asyncio.gather(*batch)]
        await asyncio.sleep(_PAUSE)
    limit = loop.time() + _OPEN_LIMIT
    while not all(stream.late or stream.closed for stream in streams) and loop.time() < limit:
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)
    for stream in streams:
        stream.late.clear()  # the rush of opening is not the steady state
    print("OPEN", flush=True)
    await asyncio.sleep(seconds)
    now = time.monotonic()
    late = sorted(value for stream in streams for value in stream.late)
    # A stream that says nothing more has no late events: count its silence.
    silent = max(max(0.0, now - stream.last - 1.0) for stream in streams)
    return {
        "events": len(late),
        "median": late[len(late) // 2] if late else None,
        "p99": late[int(len(late) * 0.99)] if late else None,
        "worst": max([silent, *late[-1:]]),
        "missed": sum(stream.missed for stream in streams),
        "closed": sum(stream.closed for stream in streams),
        "never_opened": sum(not stream.number for stream in streams),
    }


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    result = asyncio.run(
        hold(asked["port"], asked["request"].encode(), asked["streams"], asked["seconds"])
    )
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
