"""A socket whose attempt is given up closes between two turns of the reactor."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.upstream.attempts import cancelled_next_turn


class Made:
    """A protocol that was made."""

    def __init__(self):
        self.transport = self
        self.aborted = False

    def abortConnection(self):
        self.aborted = True


class CancelTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.cancelled = []
        self.attempt = Deferred(self.cancelled.append)
        self.result = cancelled_next_turn(self.attempt, self.clock)

    def test_outcomes(self):
        """What becomes of the attempt becomes of the result."""
        self.attempt.callback("made")
        self.assertEqual(self.successResultOf(self.result), "made")
        self.setUp()
        self.attempt.errback(ConnectError())
        self.failureResultOf(self.result, ConnectError)

    def test_cancelled_later(self):
        """Who leaves is free at once; the attempt ends in the next turn."""
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.assertEqual(self.cancelled, [])
        self.clock.advance(0)
        self.assertEqual(self.cancelled, [self.attempt])

    def test_made_in_between(self):
        """A connection that nobody wants any more is aborted."""
        made = Made()
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.attempt.callback(made)
        self.assertTrue(made.aborted)
        self.clock.advance(0)
        self.assertEqual(self.cancelled, [])

    def test_failed_in_between(self):
        """A failure that nobody waits for is nobody's."""
        self.result.cancel()
        self.failureResultOf(self.result, CancelledError)
        self.attempt.errback(ConnectingCancelledError(None))
        self.clock.advance(0)
        self.assertEqual(self.flushLoggedErrors(), [])


class Bystander(DatagramProtocol):
    """A UDP port that was opened at a bad moment."""

    stopped = False

    def stopProtocol(self):
        self.stopped = True


class StaleEventTests(TestCase):
    """The event of a closed socket, and the socket that has its number now."""

    timeout = 20
    skip = None if isinstance(reactor, EPollReactor) else "another reactor"

    def fill_holes(self):
        """The next descriptor is the highest; once it is closed, the next one has its number."""
        highest = max(map(int, os.listdir("/proc/self/fd")))
        while True:
            filler = os.open(os.devnull, os.O_RDONLY)
            self.addCleanup(os.close, filler)
            if filler >= highest:
                return

    async def played(self, guard):
        """In one batch: an event whose handler gives up the attempt and opens a UDP port, then
        the event of the attempt, which has connected. The UDP port, a turn later."""
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
        bystander, opened = Bystander(), Deferred()
        self.fill_holes()

        def handle():
            reactor.removeReader(reader)
            attempt.cancel()
            port = reactor.listenUDP(0, bystander, interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            reactor.callLater(0, opened.callback, None)

        reader = Reader(ours, handle)
        reactor.addReader(reader)
        theirs.send(b"x")
        attempt = guard(endpoint.connect(factory))
        attempt.addErrback(lambda failure: failure.trap(CancelledError, ConnectingCancelledError))
        await opened
        return bystander

    async def test_unguarded(self):
        """What this module is for, as the installed Twisted has it; passes only while it is so."""
        bystander = await self.played(lambda attempt: attempt)
        errors = self.flushLoggedErrors(RuntimeError)
        texts = [str(error.value) for error in errors]
        self.assertEqual(texts, ["doWrite called on a twisted.internet.udp.Port"])
        self.assertTrue(bystander.stopped)

    async def test_guarded(self):
        """The UDP port lives, and nothing is logged."""
        bystander = await self.played(lambda attempt: cancelled_next_turn(attempt, reactor))
        self.assertFalse(bystander.stopped)
        self.assertEqual(self.flushLoggedErrors(), [])


class Reader:
    """One descriptor for ``reactor.addReader``."""

    def __init__(self, sock, handle):
        self._sock, self.doRead = sock, handle

    def fileno(self):
        return self._sock.fileno()

    def logPrefix(self):
        return "reader"

    def connectionLost(self, reason):
        pass
