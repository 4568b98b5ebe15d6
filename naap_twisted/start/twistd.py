"""``twistd naap-proxy``: its options, and the service they ask for.

What can not start ends here, before twistd goes to the background: one line a problem on stderr,
exit status 1. twistd prints its whole help for a ``UsageError`` and a traceback for most other
errors, but lets ``SystemExit`` pass: so that is what a bad config becomes. An address that is taken
is found here, too. What only the start itself can find comes after twistd's fork. ``SystemExit``
would leave the command waiting for ever there, and its pid file behind: :class:`CannotStart` does
not.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.python import usage

from ..config import load_config
from ..errors import ConfigError
from ..observe.text import speed_up_text_logs
from ..options.references import import_object
from ..server.cautions import as_root
from ..server.plugin_server import PluginServer
from ..server.ports import check_free
from ..server.signals import Hurried, outlive_others, when_asked_again
from .assembly import checked_server

DEMO_PORT = 4020
_FILES = 65_536
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
    """The service that *options* ask for.

    :raises SystemExit: it can't start; the text is one line a problem.
    """
    with plainly():
        made = _make(options)
    # Of twistd itself; a .tac file has none.
    twistd: dict[str, Any] = options.parent or {}
    front = PlainStart(twistd.get("pidfile") or "")
    made.setServiceParent(front)
    return front


class CannotStart(Exception):
    """What can't start, in the background: twistd tells it to the command that waits, and ends."""


class PlainStart(MultiService):
    """Ends a start that can't be with one line a problem, where twistd would show a traceback.

    :param pid_file: that of twistd; ``""`` for none.
    """

    def __init__(self, pid_file: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made_in = os.getpid()
        self._pid_file = pid_file

    def privilegedStartService(self) -> None:
        """:raises SystemExit, CannotStart: an address can't be listened on, or it would be open."""
        raise_file_limit()
        with self._plainly():
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """:raises SystemExit, CannotStart: as above."""
        from twisted.internet import reactor

        with self._plainly():
            super().startService()  # type: ignore[no-untyped-call]
        # By now twistd has become the user of its --uid.
        for line in as_root(os.geteuid()):
            _log.warn("{caution}", caution=line)
        outlive_others(reactor)
        when_asked_again(reactor, self.hurry)
        settle_down()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            with plainly():
                yield
        except SystemExit as ended:
            if os.getpid() == self._made_in:
                forget_pid_file(self._pid_file)
                if sys.__stderr__ not in (None, sys.stderr):
                    # twistd has made its log of stderr by now; whoever started it reads this one.
                    print(ended.code, file=sys.__stderr__)
                raise
            # twistd has forked since: a command waits for its child's word, and this is it.
            _log.critical("Cannot start: {reason}", reason=ended.code)
            raise CannotStart("; ".join(str(ended.code).splitlines())) from None

    def hurry(self) -> None:
        """Whatever is stopping here: at once."""
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


def settle_down() -> None:
    """What is worth doing once, when everything is loaded and before the first request.

    What lives now lives as long as the process: the garbage collector need not look at it again
    and again, which is what its longest pauses come from.
    """
    speed_up_text_logs()
    gc.collect()
    gc.freeze()


def raise_file_limit() -> None:
    """Use what the hard limit of open files allows: two sockets an exchange, idle ones beside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what a person can mend into ``SystemExit`` with its text."""
    try:
        yield
    except ConfigError as error:
        raise SystemExit("\n".join(error.problems)) from None
    except CannotListenError as error:
        # A UNIX socket has no interface, and its path for a port.
        where = error.port if error.interface is None else f"{error.interface or '*'}:{error.port}"
        raise SystemExit(f"cannot listen on {where}: {error.socketError}") from None


def service_from_environment(variable: str = "NAAP_PROXY_CONFIG") -> IService:
    """The service of the config file that an environment variable names; for ``.tac`` files.

    :raises SystemExit: the variable is not set, or the config can't start.
    """
    path = os.environ.get(variable)
    if not path:
        raise SystemExit(f"{variable} is not set; it names the config file")
    options = Options()  # type: ignore[no-untyped-call]
    options["config"] = path
    return makeService(options)


def load_app(reference: str) -> PluginServer:
    """The ``PluginServer`` that ``"package.module:name"`` names, the current directory included.

    :raises ConfigError: it can't be imported, or is something else.
    """
    _import_from_here()
    try:
        app = import_object(reference)
    except ConfigError as error:
        raise ConfigError(*(f"--app: {line}" for line in error.problems)) from None
    if not isinstance(app, PluginServer):
        raise ConfigError(f"--app: {reference} is a {type(app).__name__}, not a PluginServer")
    return app


def run_server(server: PluginServer, reactor: Any) -> None:
    """Serve until Ctrl-C, logging to stdout: what ``server.run()`` of a script does.

    :raises SystemExit: the server can't start; the text is one line a problem.
    """
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    raise_file_limit()
    with plainly():
        server.startService()
    for line in as_root(os.geteuid()):
        _log.warn("{caution}", caution=line)
    settle_down()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    outlive_others(reactor)
    when_asked_again(reactor, server.hurry)
    reactor.run()


def _import_from_here() -> None:
    # twistd run as a console script leaves its own directory, not the current one, on the path.
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def _make(options: Options) -> IService:
    if options["demo"]:
        # The demo is not loaded into servers that don't show it.
        from ..demo import create_demo_service

        port = DEMO_PORT if options["port"] is None else options["port"]
        check_free(f"tcp:{port}:interface=127.0.0.1")
        return create_demo_service(port)
    if options["app"]:
        server = load_app(options["app"])
    else:
        _import_from_here()
        return _free(checked_server(load_config(options["config"])))
    # It checks again as it starts, but by then twistd has forked.
    server.check_start()
    return _free(server)


def _free(server: PluginServer) -> PluginServer:
    for endpoint in server.endpoints():
        check_free(endpoint)
    return server
