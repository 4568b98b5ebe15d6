"""What log observers write to, behind the queue: files that rotate, pipes, full disks, syslog."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

from twisted.logger import (
    FileLogObserver,
    LegacyLogObserverWrapper,
    Logger,
    LogPublisher,
    textFileLogObserver,
)
from twisted.python.log import FileLogObserver as OldFileLogObserver
from twisted.python.logfile import LogFile
from twisted.python.syslog import SyslogObserver
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted._twisted import file_of
from naap_twisted.observe import outlets
from naap_twisted.observe.log_queue import LogQueue
from naap_twisted.observe.outlets import Descriptor, Methods, QueuedFile, write_in_a_thread

PATIENCE = 20.0


class DescriptorTests(SynchronousTestCase):
    def test_a_pipe(self):
        """More than it holds, of a reader that comes late, blocking or not."""
        for blocking in (True, False):
            reads, writes = os.pipe()
            os.set_blocking(writes, blocking)
            lines = [f"{number} ünïcode \ud800\n" for number in range(20_000)]
            got = []

            def read(reads=reads, got=got):
                with open(reads, "rb") as file:
                    got.append(file.read())

            reader = threading.Thread(target=read)
            reader.start()
            self.assertEqual(Descriptor(writes, "utf-8").take(lines), (20_000, ""))
            os.close(writes)
            reader.join(PATIENCE)
            wanted = "".join(lines).encode("utf-8", "backslashreplace")
            self.assertEqual(got, [wanted])

    def test_nobody_reads(self):
        """A pipe whose reader is gone."""
        reads, writes = os.pipe()
        self.addCleanup(os.close, writes)
        os.close(reads)
        self.assertEqual(Descriptor(writes, "utf-8").take(["a\n", "b\n"]), (0, "Broken pipe"))

    def test_a_line_that_was_torn(self):
        """A disk that is full inside of a line: the next begins on a line of its own."""
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        self.addCleanup(os.close, writes)
        room = [len("one\n") + 2]

        def write(descriptor, data):
            if not room[0]:
                raise OSError(28, "No space left on device")
            taken = min(room[0], len(data))
            room[0] -= taken
            return real(descriptor, data[:taken])

        real = os.write
        self.patch(outlets.os, "write", write)
        outlet = Descriptor(writes, "utf-8")
        self.assertEqual(outlet.take(["one\n", "two\n", "3\n"]), (1, "No space left on device"))
        self.assertEqual(outlet.take(["four\n"]), (0, "No space left on device"))
        room[0] = 100
        self.assertEqual(outlet.take(["five\n", "six\n"]), (2, ""))
        self.assertEqual(os.read(reads, 100), b"one\ntw\nfive\nsix\n")


class ObserverTests(SynchronousTestCase):
    def setUp(self):
        self.triggers, self.calls = [], []
        self.queue = LogQueue()
        self.patch(outlets.atexit, "register", lambda function: None)
        self.patch(outlets.os, "register_at_fork", lambda **options: None)

    def addSystemEventTrigger(self, *trigger):
        """As a reactor does."""
        self.triggers.append(trigger)

    def callFromThread(self, function, *arguments):
        """As a reactor does."""
        self.calls.append((function, arguments))

    def log_to(self, *observers):
        """A Logger of these observers, which write through the queue."""
        publisher = LogPublisher(*observers)
        write_in_a_thread(self, publisher, self.queue)
        return Logger("t", observer=publisher)

    def test_files(self):
        """A text of any kind; the last line is out at the reactor's end."""
        text, wire = io.StringIO(), io.BytesIO()
        log = self.log_to(
            textFileLogObserver(text), FileLogObserver(wire, lambda event: event["log_format"])
        )
        log.info("hellö")
        ((phase, kind, end),) = self.triggers
        self.assertEqual((phase, kind), ("after", "shutdown"))
        end()
        self.assertRegex(text.getvalue(), r"\A\S+ \[t#info\] hellö\n\Z")
        self.assertEqual(wire.getvalue().decode(), "hellö")

    def test_a_real_file(self):
        """Of one that has a descriptor the buffer is left out."""
        path = Path(self.mktemp())
        with path.open("w") as file:
            observer = textFileLogObserver(file)
            log = self.log_to(observer)
            self.assertIsInstance(file_of(observer)._outlet, Descriptor)
            log.info("hello")
            self.queue.finish(PATIENCE)
            self.assertIn("hello", path.read_text())

    def test_again(self):
        """A second call puts nothing between; other observers stay as they are."""
        observer, other = textFileLogObserver(io.StringIO()), [].append
        publisher = LogPublisher(observer, other)
        for _ in range(2):
            write_in_a_thread(self, publisher, self.queue)
        self.assertIsInstance(file_of(observer)._outlet, Methods)
        self.assertEqual(len(self.triggers), 1)

    def test_rotation(self):
        """A log that is asked to rotate does so between two lines, in the thread that writes."""
        path = Path(self.mktemp()).absolute()
        file = LogFile.fromFullPath(str(path))
        self.addCleanup(file.close)
        log = self.log_to(textFileLogObserver(file))
        threads, rename = set(), os.rename

        def renaming(*arguments):
            threads.add(threading.current_thread())
            rename(*arguments)

        self.patch(os, "rename", renaming)
        log.info("one")
        file.rotate()  # what twistd's handler of SIGUSR1 calls
        log.info("two")
        self.queue.finish(PATIENCE)
        self.assertIn("one", path.with_name(f"{path.name}.1").read_text())
        self.assertIn("two", path.read_text())
        self.assertNotIn("one", path.read_text())
        self.assertNotIn(threading.main_thread(), threads)

    def test_rotation_by_size(self):
        """A file that is full rotates by itself as it is written to."""
        path = Path(self.mktemp()).absolute()
        file = LogFile(path.name, str(path.parent), rotateLength=100)
        self.addCleanup(file.close)
        log = self.log_to(textFileLogObserver(file))
        self.queue.finish(PATIENCE)
        for number in range(6):
            log.info("x" * 60 + str(number))
        found = sorted(path.parent.glob(f"{path.name}*"))
        self.assertEqual(len(found), 3)
        text = "".join(each.read_text() for each in found)
        self.assertEqual(text.count("\n"), 6)

    def test_old_observers(self):
        """Those of twisted.python.log, which a .tac file may set."""
        text = io.StringIO()
        old = OldFileLogObserver(text)
        log = self.log_to(LegacyLogObserverWrapper(old.emit))
        write_in_a_thread(self, LogPublisher(LegacyLogObserverWrapper(old.emit)), self.queue)
        self.assertIsInstance(old.write.__self__, QueuedFile)
        log.info("hello")
        self.queue.finish(PATIENCE)
        self.assertRegex(text.getvalue(), r"\A\S+ \S+ \[-\] hello\n\Z")
        self.assertEqual(len(self.triggers), 1)

    def test_syslog(self):
        """Line by line and with its priority, in the thread."""
        sent = []
        self.patch(SyslogObserver, "openlog", staticmethod(lambda *arguments: None))

        def send(*arguments):
            sent.append((threading.current_thread() is threading.main_thread(), *arguments))

        self.patch(SyslogObserver, "syslog", staticmethod(send))
        old = SyslogObserver("naap")
        log = self.log_to(LegacyLogObserverWrapper(old.emit))
        log.info("one\ntwo")
        log.critical("three")
        self.queue.finish(PATIENCE)
        self.assertEqual(
            sent, [(False, 6, "[-] one"), (False, 6, "[-] \ttwo"), (False, 1, "[-] three")]
        )

    def test_a_full_disk(self):
        """Nothing is raised; what is lost is counted, and told on the reactor's thread."""
        if sys.platform != "linux":
            self.skipTest("/dev/full is Linux's")
        with open("/dev/full", "w") as full:
            observer = textFileLogObserver(full)
            log = self.log_to(observer)
            log.info("lost")
            self.queue.finish(PATIENCE)
        self.assertEqual((self.queue.dropped, self.calls), (1, []))
        text = io.StringIO()
        self.queue.put(Methods(text.write, text.flush), "kept")
        self.assertEqual(self.calls, [(outlets._tell_dropped, (1, "No space left on device"))])

    def test_a_closed_file(self):
        """So is what goes to a file that somebody has closed."""
        text = io.StringIO()
        log = self.log_to(textFileLogObserver(text))
        text.close()
        log.info("lost")
        self.queue.finish(PATIENCE)
        self.assertEqual(self.queue.dropped, 1)
