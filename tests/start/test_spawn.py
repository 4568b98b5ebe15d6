"""Tests of naap_twisted.start.spawn: what comes out of a worker, and how it ends."""

from __future__ import annotations

import json
from io import StringIO

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.observe.log import json_observer
from naap_twisted.start import spawn
from naap_twisted.start.spawn import WorkerProcess, how_ended, line_of


class OutputTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Events come whole however they are cut, and other output is told by the worker's name."""
        ended: list[str] = []
        process = WorkerProcess("worker 3", ended.append)
        sent = line_of("error", "a.b", "two\n\tlines") + "Fatal Python error\n" + "[1]\n"
        with capturedLogs() as events:
            for byte in sent.encode():
                process.childDataReceived(1, bytes([byte]))
            process.childDataReceived(2, b"no \xff end")
            process.processEnded(Failure(ProcessTerminated(status=256, exitCode=1)))
        told = [
            (event["log_namespace"], event["log_level"], formatEvent(event)) for event in events
        ]
        own = WorkerProcess.__module__ + ".WorkerProcess"
        self.assertEqual(
            told,
            [
                ("a.b", LogLevel.error, "two\n\tlines"),
                (own, LogLevel.warn, "worker 3: Fatal Python error"),
                (own, LogLevel.warn, "worker 3: [1]"),
                (own, LogLevel.warn, "worker 3: no � end"),
            ],
        )
        self.assertEqual(ended, ["exit status 1"])

    def test_exchanges(self) -> None:
        """The line of an exchange is one for --logger, too."""
        out = StringIO()
        row = '{"route":"/a","status":200}'
        with capturedLogs() as events:
            WorkerProcess("worker 1", print).childDataReceived(
                1, line_of("info", "naap.access", row).encode()
            )
        json_observer(out)(events[0])
        told = json.loads(out.getvalue())
        self.assertEqual(
            (told["system"], told["route"], told["status"]), ("naap.access", "/a", 200)
        )

    def test_bound(self) -> None:
        """A line without an end is not gathered for ever."""
        self.patch(spawn, "_LONGEST", 10)
        process = WorkerProcess("worker 1", print)
        with capturedLogs() as events:
            process.childDataReceived(2, b"x" * 11)
        self.assertEqual(formatEvent(events[0]), "worker 1: " + "x" * 11)

    def test_ends(self) -> None:
        """In words."""
        for error, words in (
            (ProcessDone(0), "exit status 0"),
            (ProcessTerminated(exitCode=3), "exit status 3"),
            (ProcessTerminated(signal=9), "signal 9"),
        ):
            self.assertEqual(how_ended(Failure(error)), words)
