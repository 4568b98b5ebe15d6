"""When a file is looked at, and when it is taken."""

import errno
import os
from pathlib import Path

from attrs import frozen
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.credentials.secret_files import PERIOD, SecretFiles, look_at
from naap_twisted.options.secrets import resolve
from naap_twisted.options.values import Surroundings
from naap_twisted.secret import Secret


class Reactor(Clock):
    """A clock whose threads do their work at once, or when they are told to."""

    held = None

    def getThreadPool(self):
        return self

    def callInThreadWithCallback(self, done, work):
        if self.held is None:
            done(True, work())
        else:
            self.held.append(lambda: done(True, work()))

    def callFromThread(self, call, *arguments):
        call(*arguments)


@frozen
class Options:
    key: Secret


Options.__module__ = "naap_twisted.options"  # what is not ours is not looked into


class SecretFilesTests(SynchronousTestCase):
    def setUp(self):
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.write("one")
        self.reactor, self.taken = Reactor(), []
        self.files = SecretFiles(self.reactor)
        self.options = Options(resolve("Bearer ${file:key}", Surroundings(self.directory, {})))

    def write(self, text):
        file = self.directory / "next"
        file.write_text(text)
        file.chmod(0o600)
        file.rename(self.directory / "key")

    def watch(self):
        self.files.watch("/route", self.options, self.taken.append)

    def look(self, times=1):
        for _ in range(times):
            self.reactor.advance(PERIOD)

    def test_taken_at_the_second_look(self):
        self.watch()
        self.files.start()
        self.look(3)
        self.write("two")
        self.look()
        self.assertEqual(self.taken, [])
        self.look()
        self.assertEqual([options.key.reveal() for options in self.taken], [b"Bearer two"])
        self.look(5)
        self.assertEqual(len(self.taken), 1)

    def test_the_same_again(self):
        """A file that was only touched changes nothing."""
        self.watch()
        self.files.start()
        self.write("one")
        self.look(3)
        self.assertEqual(self.taken, [])

    def test_on_and_off(self):
        """No timer without files, none before the start, none after the stop."""
        self.files.start()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.watch()
        self.watch()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.files.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.files.start()
        self.write("two")
        self.look(3)
        self.assertEqual(len(self.taken), 2)

    def test_a_look_that_hangs(self):
        """It holds one thread, whatever else happens."""
        self.watch()
        self.files.start()
        self.reactor.held = []
        self.look(3)
        self.files.stop()
        self.files.start()
        self.watch()
        self.look(3)
        self.assertEqual(len(self.reactor.held), 1)
        held, self.reactor.held = self.reactor.held, None
        held[0]()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_a_bug(self):
        """It is logged, and the next look comes."""
        self.watch()
        self.files.start()
        self.write("two")
        self.files._watched[0].take = lambda options: 1 / 0
        self.look(3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_look_at(self):
        """Another inode, size, time or mode is another look; so is an error."""
        file = self.directory / "key"
        looks = {look_at((file,))}
        file.chmod(0o400)
        looks.add(look_at((file,)))
        os.utime(file, (1, 1))
        looks.add(look_at((file,)))
        self.write("longer")
        looks.add(look_at((file,)))
        file.unlink()
        self.assertEqual(look_at((file,)), (errno.ENOENT,))
        self.assertGreaterEqual(len(looks), 3)
