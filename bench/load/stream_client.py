"""``python stream_client.py PORT PATH STREAMS``: reads so many streams to their ends, all at once.

Prints how many events came.
"""

from __future__ import annotations

import asyncio
import sys

_BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}],"stream":true}'
_END = b"0\r\n\r\n"
_LIMIT = 60.0


async def read(port: int, path: str) -> int:
    """One stream's events.

    :raises SystemExit: it is none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{lines}Content-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY)
    answer = b""
    while not answer.endswith(_END):
        data = await reader.read(65_536)
        if not data or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
            sys.exit(f"{path}: {answer[:300]!r}")
        answer += data
    writer.close()
    return answer.count(b'"content"')


async def main(port: int, path: str, streams: int) -> None:
    found = asyncio.gather(*(read(port, path) for _ in range(streams)))
    print(sum(await asyncio.wait_for(found, _LIMIT)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
