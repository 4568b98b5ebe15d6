"""Noticing a close on a socket that is not being read."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.liveness import peer_closed


class Transport:
    def __init__(self, handle=None, inner=None):
        if handle is not None:
            self.socket = handle
        if inner is not None:
            self.transport = inner


class RealSockets(SynchronousTestCase):
    def setUp(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client = socket.create_connection(server.getsockname(), 5)
            self.addCleanup(self.client.close)
            self.served, _ = server.accept()
            self.addCleanup(self.served.close)

    def test_open(self):
        """An open peer is not taken for a closed one, unread data or not."""
        self.client.sendall(b"x" * 100)
        self.assertFalse(peer_closed(Transport(self.served)))

    def test_closed_behind_unread_data(self):
        """A close is seen although data waits before it."""
        self.client.sendall(b"x" * 100)
        self.client.close()
        self.assertTrue(peer_closed(Transport(self.served)))

    def test_under_tls(self):
        """The socket is found below the transports that wrap it."""
        self.client.close()
        wrapped = Transport(inner=Transport(inner=Transport(self.served)))
        self.assertTrue(peer_closed(wrapped))

    def test_own_end_closed(self):
        """A socket that we closed ourselves is as good as left."""
        self.served.close()
        self.assertTrue(peer_closed(Transport(self.served)))


class Elsewhere(SynchronousTestCase):
    def test_unknown(self):
        """Where it can not be told, nobody is cut off: no socket, or none of TCP's."""
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        other.close()
        for transport in (None, object(), Transport(), Transport(one)):
            self.assertFalse(peer_closed(transport))
        endless = Transport()
        endless.transport = endless
        self.assertFalse(peer_closed(endless))
