"""The look at a socket that is not being read: has its browser left?

Back-pressure stops reading, and then the reactor hears of no close. The kernel knows it all the
same: a FIN that has arrived moves the socket to CLOSE_WAIT even while data waits before it.
"""

from __future__ import annotations

import socket

# linux/tcp.h, enum of TCP states; tcp_info opens with one byte of tcpi_state.
_CLOSED_STATES = frozenset((7, 8))  # CLOSE, CLOSE_WAIT


def peer_closed(transport: object) -> bool:
    """Whether the other end of a TCP or TLS transport has closed; ``False`` where unknown."""
    inner = transport
    for _ in range(4):  # TLS wraps at most a few transports around the TCP one
        handle = getattr(inner, "socket", None)
        if isinstance(handle, socket.socket):
            break
        inner = getattr(inner, "transport", None)
    else:
        return False
    option = getattr(socket, "TCP_INFO", None)
    if option is None or handle.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return handle.getsockopt(socket.IPPROTO_TCP, option, 1)[0] in _CLOSED_STATES
    except OSError:
        return True
