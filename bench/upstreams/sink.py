"""An HTTP server that reads a body to its end and answers with the number of bytes it read.

nginx answers an unread body at once and drains it later, which is no measure of an upload. Each
connection has a thread: a read of a megabyte is the kernel's work, done outside Python's lock.
The sizes of chunked bodies include the chunks' framing.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading

_BUFFER = 1 << 20
_LAST_CHUNK = b"0\r\n\r\n"


def serve(connection: socket.socket) -> None:
    buffer = bytearray(_BUFFER)
    with connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        while True:
            head, rest = read_head(connection, rest)
            if not head:
                return
            lower = head.lower()
            if b"expect: 100-continue" in lower:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", lower)
            if length:
                size = read_length(connection, buffer, rest, int(length[1]))
            elif b"transfer-encoding: chunked" in lower:
                size = read_chunks(connection, buffer, rest)
            else:
                size = 0
            rest = b""
            answer = b'{"bytes":%d}' % size
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(answer), answer)
            )
            if b"\r\nconnection: close" in lower:
                return


def read_head(connection: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_length(connection: socket.socket, buffer: bytearray, rest: bytes, length: int) -> int:
    got = len(rest)
    while got < length:
        count = connection.recv_into(buffer, min(_BUFFER, length - got))
        if not count:
            raise ConnectionError
        got += count
    return got


def read_chunks(connection: socket.socket, buffer: bytearray, rest: bytes) -> int:
    # The bodies sent here are one letter repeated, so the last chunk can't be mistaken.
    size, tail = len(rest), rest[-len(_LAST_CHUNK) :]
    while tail != _LAST_CHUNK:
        count = connection.recv_into(buffer)
        if not count:
            raise ConnectionError
        size += count
        tail = (tail + bytes(buffer[max(0, count - 5) : count]))[-len(_LAST_CHUNK) :]
    return size


def main(port: int) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
