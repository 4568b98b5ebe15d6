"""Accepting with few files left: what is given up, in which order, and how it ends."""

from __future__ import annotations

import os
import resource

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream import accepting
from naap_twisted.downstream.accepting import Accepting, HeldFiles


class Table:
    """A table of open files with so many *free*, in the place of ``os``."""

    O_RDONLY, O_CLOEXEC, devnull = os.O_RDONLY, os.O_CLOEXEC, os.devnull

    def __init__(self, size, free):
        self.size, self.free, self.next = size, free, 0

    def _take(self):
        if not self.free:
            raise OSError(24, "Too many open files")
        self.free -= 1
        return self.size - self.free - 1

    def dup(self, file):
        return self._take()

    def open(self, path, flags):
        return self._take()

    def close(self, file):
        self.free += 1


class FakePort:
    """As much of a port as is touched here. Each accepted connection takes a file."""

    connected = True
    numberAccepts = 21

    def __init__(self, table):
        self.table, self.accepted, self.reading = table, [], True

    def fileno(self):
        return 3

    def doRead(self):
        self.accepted.append(self.numberAccepts)
        self.table._take()

    def stopReading(self):
        self.reading = False

    def startReading(self):
        self.reading = True


class FakeSite:
    tight = False


class HeldFilesTests(SynchronousTestCase):
    def test_both_ways(self):
        """They are files, of this process, and none is lost."""
        before = len(os.listdir("/dev/fd"))
        held = HeldFiles(3)
        for _ in range(2):
            self.assertTrue(held.take())
        self.assertEqual(len(os.listdir("/dev/fd")), before + 3)
        self.assertTrue(held.give())
        self.assertFalse(held.give())
        self.assertEqual(len(os.listdir("/dev/fd")), before)


class AcceptingTests(SynchronousTestCase):
    def begin(self, free, size=200):
        self.table = Table(size, free)
        self.patch(accepting, "os", self.table)
        self.patch(resource, "getrlimit", lambda kind: (size, size))
        self.port, self.site, self.clock = FakePort(self.table), FakeSite(), Clock()
        self.accepting = Accepting(self.port, self.site, self.clock)

    def test_room(self):
        """As Twisted does it, but that four files are held back."""
        self.begin(free=100)
        self.port.doRead()
        self.assertEqual((self.port.accepted, self.site.tight), ([21], False))
        self.assertEqual(self.table.free, 100 - 4 - 1)
        self.accepting.close()
        self.assertEqual(self.table.free, 100 - 1)

    def test_tight(self):
        """Little is left: who comes is one too many, until there is more."""
        self.begin(free=50)
        self.port.doRead()
        self.assertTrue(self.site.tight)
        self.table.free += 20
        self.port.doRead()
        self.assertFalse(self.site.tight)

    def test_full(self):
        """What was held back goes to one at a time; then the port waits, and is told once."""
        self.begin(free=4)
        with capturedLogs() as logged:
            for _ in range(4):
                self.port.doRead()
                self.assertTrue(self.site.tight)
            self.assertEqual((self.port.accepted, self.port.reading), ([1] * 4, True))
            for _ in range(3):
                self.port.doRead()
                self.assertFalse(self.port.reading)
                self.clock.advance(0.25)
                self.assertTrue(self.port.reading)
        self.assertEqual(len(self.port.accepted), 4)
        self.assertEqual(self.accepting.pauses, 3)
        self.assertEqual(len([e for e in logged if "limit" in e]), 1)

    def test_told_again(self):
        """After a minute."""
        self.begin(free=0)
        with capturedLogs() as logged:
            for _ in range(3):
                self.port.doRead()
                self.clock.advance(31.0)
        self.assertEqual(len([e for e in logged if "limit" in e]), 2)

    def test_recovery(self):
        """Once there are files again they are held back again, and all is as before."""
        self.begin(free=4)
        self.port.doRead()
        self.assertTrue(self.site.tight)
        self.clock.advance(1.0)
        self.assertTrue(self.site.tight)
        self.table.free += 100
        self.clock.advance(1.0)
        self.assertFalse(self.site.tight)
        self.port.doRead()
        self.assertFalse(self.site.tight)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed(self):
        """A port that stops leaves neither a file nor a call behind."""
        self.begin(free=0)
        self.port.doRead()
        self.accepting.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.begin(free=0)
        self.port.doRead()
        self.port.connected = False
        self.clock.advance(1.0)
        self.assertFalse(self.port.reading)
