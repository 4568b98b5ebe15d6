"""A server in a process of its own."""

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.server import run


class RunServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(run.globalLogBeginner, "beginLoggingTo", lambda *args, **options: None)

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
