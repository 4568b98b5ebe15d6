"""A process of its own that asks a proxy and resets most of its connections at any moment.

``python -m tests.adversarial.storm PORT COUNT URL``: *COUNT* requests, 150 at a time; ``%d`` in
*URL* is one of forty numbers. Prints as JSON how many answers of each status came.
"""

import json
import random
import selectors
import socket
import struct
import sys
from collections import Counter
from time import monotonic

AT_A_TIME = 150
LATEST_RESET = 0.03
_RESET = struct.pack("ii", 1, 0)


class Storm:
    """Connections that come and go."""

    def __init__(self, port, count, url):
        self.left, self.statuses = count, Counter()
        self._address, self._url = ("127.0.0.1", port), url
        self._selector = selectors.DefaultSelector()
        self._chance = random.Random(count)
        self._resets = {}

    def run(self):
        """Until every request has had its end."""
        while self.left or self._selector.get_map():
            while self.left and len(self._selector.get_map()) < AT_A_TIME:
                self._begin()
            for sock, when in list(self._resets.items()):
                if when <= monotonic():
                    self._end(sock)
            for key, _ in self._selector.select(0.001):
                if key.fileobj in self._selector.get_map():
                    self._go_on(key.fileobj, key.data)
        return self.statuses

    def _begin(self):
        self.left -= 1
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.setblocking(False)
        sock.connect_ex(self._address)
        self._selector.register(sock, selectors.EVENT_WRITE)

    def _go_on(self, sock, answer):
        try:
            if answer is None:
                url = self._url % self._chance.randrange(40)
                sock.sendall(
                    b"POST /api/v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 2\r\n"
                    b"X-Target-URL: %s\r\n\r\n{}" % url.encode()
                )
                self._selector.modify(sock, selectors.EVENT_READ, bytearray())
                if self._chance.random() < 0.7:
                    self._resets[sock] = monotonic() + self._chance.random() * LATEST_RESET
                return
            piece = sock.recv(65536)
        except OSError as error:
            self._end(sock, type(error).__name__)
            return
        answer += piece
        if not piece:
            self._end(sock, answer[9:12].decode())

    def _end(self, sock, status=None):
        if status is not None:
            self.statuses[status] += 1
        self._resets.pop(sock, None)
        self._selector.unregister(sock)
        sock.close()


if __name__ == "__main__":
    print(json.dumps(Storm(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()))
