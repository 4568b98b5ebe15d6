"""Sockets asked directly: writing at once, and what Twisted doesn't tell about either direction.

Twisted queues every write and asks epoll to be told that the socket is writable: two system calls
and a turn of the reactor for an answer that the kernel would have taken straight away. Here the
kernel is asked first; what it does not take goes Twisted's way, which alone deals with errors and
back-pressure.

Twisted's private names for a transport's queues are used in this module only.
"""

from __future__ import annotations

import fcntl
import select
import termios
from typing import Any

from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOProtocol

#: More than a piece as the reactor reads it, as a chunk, is left to Twisted's write loop.
MOST = 64 * 1024 + 16


def send_now(transport: Any, data: bytes) -> bool:
    """Write *data* to a transport, directly if it is plain TCP with nothing queued.

    :returns: whether the kernel has taken all of it.
    """
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
            return True
        data = data[sent:]
    transport.write(data)
    return False


def unsent(transport: Any) -> bool:
    """Whether bytes written to *transport* may still be on this machine.

    They wait in Twisted's queues, of TLS and of TCP, or in the kernel's, which keeps them until
    the peer's kernel has acknowledged them. A transport that is no socket keeps nothing.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        aggregator = getattr(transport, "_aggregator", None)
        if transport._appSendBuffer or getattr(aggregator, "_buffer", None):
            return True
        transport = transport.transport
    if not isinstance(transport, Connection):
        return False
    if transport._tempDataLen or len(transport.dataBuffer) != transport.offset:
        return True
    try:
        queued = fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return False  # a system whose sockets don't tell
    return any(queued)


def stop_writing(transport: Any) -> None:
    """Leave in Twisted's queues what is there: nothing of it goes to the wire any more."""
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if isinstance(transport, Connection):
        transport.stopWriting()


def listening_below(transport: Any) -> select.poll | None:
    """What tells, by :func:`unread`, of the socket that *transport* reads from, through TLS or not.

    ``None``: it has none. Made once a connection: to peek at a socket on which nothing has come
    would raise an exception, at three times the cost.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if not isinstance(transport, Connection):
        return None
    poll = select.poll()
    poll.register(transport.fileno(), select.POLLIN)
    return poll


def unread(below: select.poll) -> bool:
    """Whether anything has come that nobody has read yet: bytes, an end, an error.

    It is not to be asked of a connection that has closed: its number may be another's by then.
    """
    return bool(below.poll(0))
