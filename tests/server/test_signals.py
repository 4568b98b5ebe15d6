"""A second Ctrl-C ends a drain, in a real process; which signals are taken over, and how."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.server import signals
from tests.support import INTERRUPTIBLE

DEADLINE = 60.0
SERVER = """
import sys
from twisted.internet import reactor
from naap_twisted import create_plugin_server
server = create_plugin_server("slow", 0, require_auth=False, drain_timeout=600.0)

@server.router.route("/never")
def never(request):
    from twisted.internet.defer import Deferred
    print("PORT asked", file=sys.stderr, flush=True)
    return Deferred()

reactor.callWhenRunning(lambda: print("PORT", server.addresses()[0], file=sys.stderr, flush=True))
server.run()
"""


class SecondSignalTests(SynchronousTestCase):
    def start(self):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(
            [*INTERRUPTIBLE, sys.executable, "-c", SERVER],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A read of a process that neither writes nor ends is over then.
        deadline = Timer(DEADLINE, process.kill)
        deadline.start()
        self.addCleanup(deadline.cancel)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process

    def read_until(self, process, word):
        for line in process.stdout:
            self.seen.append(line)
            if word in line:
                return line
        raise AssertionError("".join(self.seen))

    def test_second_signal(self):
        """The first waits for what is in flight, the second cuts it: no traceback, exit code 0."""
        self.seen = []
        process = self.start()
        port = int(self.read_until(process, "PORT http").rpartition(":")[2])
        browser = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.addCleanup(browser.close)
        browser.sendall(b"GET /api/v1/never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.read_until(process, "PORT asked")
        process.send_signal(signal.SIGINT)
        self.read_until(process, "draining 1 connections")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        self.assertEqual(process.wait(30), 0, rest)
        self.assertNotIn("Traceback", "".join(self.seen) + rest)
        self.assertIn('"outcome":"drained"', rest)


class OthersTests(SynchronousTestCase):
    """What becomes of signals that have no meaning for a server."""

    def setUp(self):
        self.handlers = dict.fromkeys(signals._OTHERS, signal.SIG_DFL)
        self.patch(signals.signal, "getsignal", self.handlers.__getitem__)
        self.patch(signals.signal, "signal", self.handlers.__setitem__)
        self.later = []

    def callFromThread(self, call, *arguments):
        self.later.append((call, arguments))

    def test_logged(self):
        """One line each, written by the reactor and not by the handler."""
        signals.outlive_others(self)
        with capturedLogs() as logs:
            for number, handler in self.handlers.items():
                handler(number, None)
            self.assertEqual(logs, [])
            for call, arguments in self.later:
                call(*arguments)
        told = [event["signal"] for event in logs]
        self.assertEqual(told[:4], ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"])
        self.assertEqual(told[4:], ["SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO"])

    def test_left_alone(self):
        """One that is ignored, and one that somebody handles."""

        def rotate(number, frame):
            """twistd's own, for SIGUSR1."""

        self.handlers[signal.SIGHUP], self.handlers[signal.SIGUSR1] = signal.SIG_IGN, rotate
        signals.outlive_others(self)
        self.assertEqual(self.handlers[signal.SIGHUP], signal.SIG_IGN)
        self.assertIs(self.handlers[signal.SIGUSR1], rotate)
        self.assertTrue(callable(self.handlers[signal.SIGUSR2]))

    def test_hangup(self):
        """It reloads, in the reactor's thread, whatever became of it before."""
        self.handlers[signal.SIGHUP] = signal.SIG_IGN
        reloads = []
        signals.on_hangup(self, lambda: reloads.append(1))
        self.handlers[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(reloads, [])
        ((reload, _),) = self.later
        reload()
        self.assertEqual(reloads, [1])
