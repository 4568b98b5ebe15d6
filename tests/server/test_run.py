"""A server in a process of its own."""

import os

from twisted.internet.error import CannotListenError
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.server import run


class RunServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(run.globalLogBeginner, "beginLoggingTo", lambda *args, **options: None)
        # The log of the tests stays as it is.
        self.patch(run, "write_in_a_thread", lambda reactor: None)

    def test_run(self) -> None:
        """Started, run, and stopped with the reactor."""
        calls: list[object] = []

        class Server:
            def startService(self) -> None:
                calls.append("start")

            def stopService(self) -> None:
                """Called by the reactor."""

            def hurry(self) -> None:
                """Called for a second signal."""

        class Reactor:
            def addSystemEventTrigger(self, *trigger: object) -> None:
                calls.append(trigger)

            def run(self) -> None:
                calls.append("run")

        server = Server()
        run.run_server(server, Reactor())
        start, stop, signals, ran = calls
        self.assertEqual((start, ran), ("start", "run"))
        self.assertEqual(stop, ("before", "shutdown", server.stopService))
        self.assertEqual(signals[:2], ("before", "shutdown"))

    def test_root_is_warned(self) -> None:
        """A process that still runs as root says so."""
        for name in ("outlive_others", "when_asked_again", "speed_up_text_logs"):
            self.patch(run, name, lambda *_: None)
        for name in ("freeze", "set_threshold"):
            self.patch(run.gc, name, lambda *_: None)
        for user, warnings in ((0, 1), (1000, 0)):
            self.patch(os, "geteuid", lambda user=user: user)
            with capturedLogs() as logs:
                run.settle_down(None, lambda: None)
            self.assertEqual(len([e for e in logs if "caution" in e]), warnings)

    def test_cannot_start(self) -> None:
        """A port that is taken, an open relay: lines, and the exit."""
        taken = CannotListenError("127.0.0.1", 1, OSError("in use"))
        for error, text in (
            (taken, "cannot listen on 127.0.0.1:1: in use"),
            (ConfigError("a: b"), "a: b"),
        ):

            class Server:
                def startService(self, error: Exception = error) -> None:
                    raise error

            ended = self.assertRaises(SystemExit, run.run_server, Server(), None)
            self.assertEqual(ended.code, text)
