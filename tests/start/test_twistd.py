"""twistd's side: options, the service they ask for, and how a bad config ends."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.application.service import IServiceCollection, IServiceMaker, MultiService, Service
from twisted.internet.error import CannotListenError
from twisted.logger import capturedLogs
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import naap_twisted
from naap_twisted import demo
from naap_twisted.errors import ConfigError
from naap_twisted.start import twistd as service
from naap_twisted.start.reloading import ReloadingServer
from tests.config.support import proxy, text_of

ROOT = Path(naap_twisted.__file__).parent.parent
TAC = ROOT / "tac" / "naap_proxy.tac"
BAD = text_of(proxy=proxy("timeout = 0", 'methods = ["post"]', "allowd = 1"))
APP = """
from naap_twisted import create_external_proxy, create_plugin_server

server = create_plugin_server("app", port=0, require_auth=False)
opened = create_plugin_server("open", port=0, host="0.0.0.0", require_auth=False)
opened.mount("/a", create_external_proxy(
    allowed_hosts=["api.openai.com"], forward_headers={"Authorization": "Bearer sk-canary-9f2"}))
"""


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(sys, "path", list(sys.path))
        # Nothing is started here: whether somebody else has the usual port now makes no difference.
        self.patch(service, "check_free", lambda endpoint: None)

    def config(self, text: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        return str(path)

    def options(self, *arguments: str) -> service.Options:
        options = service.Options()
        options.parseOptions(list(arguments))
        return options


class OptionsTests(ServiceCase):
    def test_exactly_one_source(self) -> None:
        """None, two, a port elsewhere, a port that is none."""
        for arguments in (
            [],
            ["--config", "a", "--demo"],
            ["--config", "a", "--app", "b:c"],
            ["--config", "a", "--port", "1"],
            ["--demo", "--port", "many"],
            ["--demo", "--port", "65536"],
            ["--demo", "left over"],
        ):
            with self.assertRaises(UsageError, msg=str(arguments)):
                self.options(*arguments)

    def test_port(self) -> None:
        """A port goes with the demo."""
        self.assertEqual(self.options("--demo", "--port", "4711")["port"], 4711)
        self.assertIsNone(self.options("--demo")["port"])


class MakeTests(ServiceCase):
    def test_config(self) -> None:
        """A good config is the server, not started."""
        (server,) = service.makeService(self.options("--config", self.config(text_of())))
        self.assertIsInstance(server, ReloadingServer)
        self.assertFalse(server.running)
        self.assertFalse(server.server.running)

    def test_bad_config(self) -> None:
        """One line a problem, and nothing else, becomes the exit."""
        options = self.options("--config", self.config(BAD))
        ended = self.assertRaises(SystemExit, service.makeService, options)
        self.assertEqual(
            [line.partition(": ")[0] for line in str(ended.code).splitlines()],
            ["proxy[0].allowd", "proxy[0].methods[0]", "proxy[0].timeout"],
        )

    def test_demo(self) -> None:
        """The demo on its usual port, or the one given."""
        asked = []

        def create(port: int) -> MultiService:
            asked.append(port)
            return MultiService()

        self.patch(demo, "create_demo_service", create)
        service.makeService(self.options("--demo"))
        service.makeService(self.options("--demo", "--port", "0"))
        self.assertEqual(asked, [4020, 0])

    def test_app(self) -> None:
        """A module of the current directory; only a PluginServer will do."""
        name = f"app_{os.getpid()}"
        Path(f"{name}.py").write_text(APP)
        self.addCleanup(sys.modules.pop, name, None)
        sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
        (server,) = service.makeService(self.options("--app", f"{name}:server"))
        self.assertEqual(server.title, "app")
        for reference, reason in (
            (f"{name}:nothing", "has no nothing"),
            (f"{name}:APP", "has no APP"),
            ("json:dumps", "a function, not a PluginServer"),
            ("no_such_module:server", "cannot import no_such_module"),
            (f"{name}:opened", "could use the keys of this route"),
        ):
            options = self.options("--app", reference)
            ended = self.assertRaises(SystemExit, service.makeService, options)
            self.assertIn(reason, str(ended.code))
            self.assertNotIn("sk-canary", str(ended.code))
            self.assertEqual(len(str(ended.code).splitlines()), 1)

    def test_app_that_fails_as_it_is_imported(self) -> None:
        """The error and its place, without a traceback; problems of options as they are."""
        for index, (body, reason) in enumerate(
            (
                ("import os\nos.environ['NO_SUCH_KEY']", "KeyError: 'NO_SUCH_KEY'"),
                ("from naap_twisted import *\ncreate_plugin_server('x', port=-1)", "port: must"),
            )
        ):
            name = f"broken_{os.getpid()}_{index}"
            Path(f"{name}.py").write_text(body)
            error = self.assertRaises(ConfigError, service.load_app, f"{name}:server")
            self.assertEqual(len(error.problems), 1)
            self.assertIn(reason, error.problems[0])
            self.assertTrue(error.problems[0].startswith("--app: "))


class TacTests(ServiceCase):
    def test_environment(self) -> None:
        """The .tac takes its config from NAAP_PROXY_CONFIG."""
        path = self.config(text_of())
        self.patch(os, "environ", {**os.environ, "NAAP_PROXY_CONFIG": path})
        names: dict[str, object] = {}
        exec(compile(TAC.read_text(), str(TAC), "exec"), names)  # noqa: S102
        ((server,),) = IServiceCollection(names["application"])
        self.assertIsInstance(server, ReloadingServer)

    def test_not_set(self) -> None:
        """One line when nobody said which."""
        environ = {key: value for key, value in os.environ.items() if key != "NAAP_PROXY_CONFIG"}
        self.patch(os, "environ", environ)
        ended = self.assertRaises(SystemExit, service.service_from_environment)
        self.assertIn("NAAP_PROXY_CONFIG is not set", str(ended.code))


class PlainStartTests(SynchronousTestCase):
    def test_lines_instead_of_a_traceback(self) -> None:
        """Under twistd too, an address that is taken is one line and the exit."""

        class Taken(Service):
            def privilegedStartService(self) -> None:
                raise CannotListenError("", 80, OSError("in use"))

        front = service.PlainStart()
        Taken().setServiceParent(front)
        ended = self.assertRaises(SystemExit, front.privilegedStartService)
        self.assertEqual(ended.code, "cannot listen on *:80: in use")

    def test_after_the_fork(self) -> None:
        """A command waits for this process: what twistd tells it is an exception's one line."""

        class Broken(Service):
            def startService(self) -> None:
                raise ConfigError("state_dir: no", "b: c")

        front = service.PlainStart()
        Broken().setServiceParent(front)
        front._made_in += 1
        with capturedLogs() as logs:
            error = self.assertRaises(service.CannotStart, front.startService)
        self.assertEqual(str(error), "state_dir: no; b: c")
        self.assertEqual([event["reason"] for event in logs], ["state_dir: no\nb: c"])

    def test_pid_file(self) -> None:
        """Before it, the pid file goes with the process: its own, and no other's."""
        path = Path(self.mktemp())
        for content, stays in ((str(os.getpid()), False), ("1", True)):
            path.write_text(content)
            service.forget_pid_file(str(path))
            self.assertEqual(path.exists(), stays)
        service.forget_pid_file("")
        with capturedLogs() as logs:
            service.forget_pid_file("/nowhere/twistd.pid")
        self.assertEqual(len(logs), 1)

    def test_settled(self) -> None:
        """Once it has started, and twistd has dropped its privileges, the process settles down."""
        front, hurried = service.PlainStart(), []
        self.patch(service, "settle_down", lambda reactor, *then: hurried.append(then))
        front.startService()
        self.assertEqual(hurried, [(front.hurry, None)])


class PluginTests(ServiceCase):
    def test_twistd_knows_it(self) -> None:
        """The plugin is found, and names this module."""
        (found,) = [p for p in getPlugins(IServiceMaker) if p.tapname == "naap-proxy"]
        self.assertEqual(found.module, "naap_twisted.start.twistd")
        self.assertIs(found.options, service.Options)

    def test_twistd_refuses_a_bad_config(self) -> None:
        """The whole command: non-zero, exactly one line a problem, no traceback."""
        program = "from twisted.scripts.twistd import run; run()"
        command = ["naap-proxy", "--config", self.config(BAD)]
        done = subprocess.run(
            [sys.executable, "-c", program, "-n", "--pidfile=", *command],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 3, done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
