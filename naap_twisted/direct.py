"""Writing to a socket at once instead of in the reactor's next turn.

Twisted queues every write and asks epoll to be told that the socket is writable: two system calls
and a turn of the reactor for an answer that the kernel would have taken straight away. Here the
kernel is asked first; what it does not take goes Twisted's way, which alone deals with errors and
back-pressure.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection

#: More than this is left to Twisted, whose write loop is made for it.
MOST = 64 * 1024


def send_now(transport: Any, data: bytes) -> None:
    """Write *data* to a transport, directly if it is plain TCP with nothing queued."""
    if (
        len(data) <= MOST
        and isinstance(transport, Connection)
        and transport.connected
        and not transport.disconnecting
        and not transport._tempDataLen
        and len(transport.dataBuffer) == transport.offset
        and not transport._writeDisconnected
        and not transport._aborting
        # A pull producer is asked for more by Twisted's write loop only.
        and (transport.producer is None or transport.streamingProducer)
    ):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0  # full or broken: Twisted's write loop will meet it, too
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)
