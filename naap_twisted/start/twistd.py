"""``twistd naap-proxy``: its options, and the service that they ask for.

A bad config and a taken address end the command before twistd goes to the background, with one line
a problem on stderr and exit status 1. They become ``SystemExit``, which twistd lets pass; it prints
its own help for a ``UsageError``, and a traceback for most other errors. A problem that only the
start itself can find comes after twistd's fork. There ``SystemExit`` would leave the command
waiting for ever, and the pid file behind: :class:`CannotStart` does neither.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService
from twisted.logger import Logger
from twisted.python import usage

from .._twisted import end_with_status_0
from ..errors import ConfigError
from ..options.references import import_object
from ..server.plugin_server import PluginServer
from ..server.ports import check_free
from ..server.run import plainly, raise_file_limit, settle_down
from ..server.signals import Hurried, Reloadable
from .assembly import import_from_here
from .notify import tell_ready, tell_stopping
from .reloading import ReloadingServer

if TYPE_CHECKING:
    from .crew import Crew

DEMO_PORT = 4020
_log = Logger()


class Options(usage.Options):
    """Exactly one of ``--config``, ``--app`` and ``--demo``."""

    synopsis = "(--config FILE | --app PACKAGE.MODULE:SERVER | --demo [--port PORT])"
    longdesc = "Lets a browser call third-party APIs while the keys stay here."
    optParameters = [
        ["config", "c", None, "A TOML file; `naap-proxy init` prints one to begin with."],
        ["app", "a", None, "A PluginServer built in code: package.module:name."],
        ["port", "p", None, f"With --demo: the port on loopback (default {DEMO_PORT}).", int],
    ]
    optFlags = [["demo", "d", "Serve a demo on loopback: embedded upstreams and a page at /."]]

    def postOptions(self) -> None:
        """:raises UsageError: not exactly one source, or ``--port`` where it has no meaning."""
        chosen = [name for name in ("config", "app", "demo") if self[name]]
        if len(chosen) != 1:
            raise usage.UsageError("give exactly one of --config FILE, --app MODULE:NAME, --demo")
        if self["port"] is not None and not self["demo"]:
            raise usage.UsageError("--port goes with --demo; elsewhere server.listen says it")
        if self["port"] is not None and not 0 <= self["port"] <= 65535:
            raise usage.UsageError("--port must be 0 to 65535")


def makeService(options: Options) -> IService:
    """The service that *options* ask for; twistd calls it.

    :raises SystemExit: it can't start; the text is one line a problem.
    """
    with plainly():
        made = _make(options)
    # The parent options are twistd's own; in a .tac file there are none.
    twistd: dict[str, Any] = options.parent or {}
    front = PlainStart(twistd.get("pidfile") or "")
    made.setServiceParent(front)
    return front


class CannotStart(Exception):
    """A start that failed after the fork: twistd tells the waiting command why, and ends."""


class PlainStart(MultiService):
    """Ends a start that fails with one line a problem, where twistd would show a traceback.

    :param pid_file: twistd's pid file; ``""`` for none.
    """

    def __init__(self, pid_file: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made_in = os.getpid()
        self._pid_file = pid_file

    def privilegedStartService(self) -> None:
        """Open the sockets.

        :raises SystemExit, CannotStart: an address can't be had, or the server would be an open
            relay.
        """
        raise_file_limit()
        with self._plainly():
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Open the stores and serve.

        :raises SystemExit, CannotStart: a store can't be opened.
        """
        from twisted.internet import reactor

        with self._plainly():
            super().startService()  # type: ignore[no-untyped-call]
        # By now twistd has become the user of its --uid.
        reload = next((service.ask for service in self if isinstance(service, Reloadable)), None)
        settle_down(reactor, self.hurry, reload)
        end_with_status_0(reactor)
        tell_ready("serving")

    def stopService(self) -> Any:
        """Close what is open; a Deferred that fires when that is done."""
        tell_stopping()
        return super().stopService()  # type: ignore[no-untyped-call]

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            with plainly():
                yield
        except SystemExit as ended:
            if os.getpid() == self._made_in:
                forget_pid_file(self._pid_file)
                if sys.__stderr__ not in (None, sys.stderr):
                    # twistd has put its log in the place of stderr; the terminal is this one.
                    print(ended.code, file=sys.__stderr__)
                raise
            # twistd has forked: the command at the terminal waits for this process's report.
            _log.critical("Cannot start: {reason}", reason=ended.code)
            raise CannotStart("; ".join(str(ended.code).splitlines())) from None

    def hurry(self) -> None:
        """Let the services that are stopping stop at once."""
        for service in self:
            if isinstance(service, Hurried):
                service.hurry()


def forget_pid_file(path: str) -> None:
    """Remove twistd's pid file, which it leaves behind when ``SystemExit`` ends it."""
    try:
        if path and Path(path).read_text() == str(os.getpid()):
            os.unlink(path)
    except OSError as error:
        _log.warn("Cannot remove the pid file: {error}", error=error)


def service_from_environment(variable: str = "NAAP_PROXY_CONFIG") -> IService:
    """The service of the config file that *variable* names in the environment; for ``.tac`` files.

    :raises SystemExit: the variable is not set, or the server can't start.
    """
    path = os.environ.get(variable)
    if not path:
        raise SystemExit(f"{variable} is not set; it names the config file")
    options = Options()  # type: ignore[no-untyped-call]
    options["config"] = path
    return makeService(options)


def load_app(reference: str) -> PluginServer:
    """The ``PluginServer`` that ``"package.module:name"`` names, also in the current directory.

    :raises ConfigError: it can't be imported, or is no ``PluginServer``.
    """
    import_from_here()
    try:
        app = import_object(reference)
    except ConfigError as error:
        raise ConfigError(*(f"--app: {line}" for line in error.problems)) from None
    if not isinstance(app, PluginServer):
        raise ConfigError(f"--app: {reference} is a {type(app).__name__}, not a PluginServer")
    return app


def _make(options: Options) -> IService:
    if options["demo"]:
        # Other servers don't load the demo's modules.
        from ..demo import create_demo_service

        port = DEMO_PORT if options["port"] is None else options["port"]
        check_free(f"tcp:{port}:interface=127.0.0.1")
        return create_demo_service(port)
    if options["app"]:
        server = load_app(options["app"])
        # The server checks again as it starts, but by then twistd has forked.
        server.check_start()
    else:
        import_from_here()
        from twisted.internet import reactor

        def hire(size: int) -> Crew:

            from .crew import Crew
            from .spawn import Spawner

            return Crew(size, reactor, Spawner(reactor, piped=logs_elsewhere(options.parent or {})))

        reloading = ReloadingServer(options["config"], reactor, hire=hire)
        _check_free(reloading.server)
        return reloading
    _check_free(server)
    return server


def logs_elsewhere(twistd: dict[str, Any]) -> bool:
    """Whether twistd's log is not on its stdout."""
    return not twistd.get("nodaemon") or any(map(twistd.get, ("logfile", "syslog", "logger")))


def _check_free(server: PluginServer) -> None:
    for endpoint in server.endpoints():
        check_free(endpoint)
