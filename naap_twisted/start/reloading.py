"""The server of a config file, which is read again by SIGHUP and ``naap-proxy reload``.

A reload builds the whole server of the new config with the code of ``check``. Only if all of that
went well does it serve; else the log says what is wrong, and nothing has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, fields, has
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from ..config.lines import located_in
from ..config.load import ConfigFile
from ..errors import ConfigError
from ..options.server import Config
from ..server.parts import Reloaded
from ..server.plugin_server import PluginServer
from ..server.run import cannot_listen
from ..server.setting import ALONE, Setting
from ..server.sockets import HeldSockets
from .assembly import checked_server
from .notify import tell_ready, tell_reloading

if TYPE_CHECKING:
    # Its module reads metrics, and most servers have no workers.
    from .crew import Crew

#: Seconds from one reload to the next, however often one is asked for: each takes the loop's time.
GAP = 1.0


class ReloadingServer(Service):
    """The servers of the config at *path*, one after the other.

    Where the config has ``workers`` it is their supervisor, and none of it serves here.

    :param setting: of the process.
    :param read: reads the config's file.
    :param hire: makes a crew of so many workers; ``None`` where there can't be one.
    :ivar server: the one that serves now.
    :raises ConfigError: the config can't be used.
    """

    _log = Logger()

    def __init__(
        self,
        path: str | os.PathLike[str],
        reactor: Any,
        setting: Setting = ALONE,
        *,
        read: Callable[[Path], ConfigFile] = ConfigFile.read,
        hire: Callable[[int], Crew] | None = None,
    ) -> None:
        self._reactor = reactor
        self._read = read
        self._shown = os.fspath(path)
        file = read(Path(path))
        config = file.parse()
        # Going to the background changes the directory.
        self._path = Path(path).absolute()
        size = config.server.workers
        self._crew = hire(size) if hire is not None and size > 1 else None
        if self._crew is not None:
            setting = Setting(HeldSockets(size), self._crew)
        self.server = checked_server(config, setting=setting)
        self._config = config
        self._serves(self.server, file)
        self._next: Any = None
        self._last = -GAP

    def privilegedStartService(self) -> None:
        """See :meth:`~naap_twisted.server.plugin_server.PluginServer.privilegedStartService`."""
        self.server.privilegedStartService()

    def startService(self) -> None:
        """See :meth:`~naap_twisted.server.plugin_server.PluginServer.startService`."""
        super().startService()  # type: ignore[no-untyped-call]
        self.server.startService()

    def stopService(self) -> Any:
        """See :meth:`~naap_twisted.server.plugin_server.PluginServer.stopService`."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return self.server.stopService()

    def hurry(self) -> None:
        """Cut every open exchange, while the server stops."""
        self.server.hurry()

    def addresses(self) -> list[str]:
        """Where the server listens: ``scheme://host:port``, or a UNIX endpoint's string."""
        return self.server.addresses()

    def _serves(self, server: PluginServer, file: ConfigFile) -> None:
        """Note that *server*, of *file*, serves now."""
        self.server = server
        server.reload = self.reload if self._crew is None else self.reload_all
        if self._crew is not None:
            options = server.config.server
            self._crew.file = evolve(file, path=self._path)
            self._crew.most = options.drain_timeout + (options.lame_duck or 0.0)

    def ask(self) -> None:
        """Reload soon: at once, or :data:`GAP` after the last one. More wishes become one."""
        if self._next is None and self.running:
            wait = max(0.0, self._last + GAP - self._reactor.seconds())
            self._next = self._reactor.callLater(wait, self._due)

    def _due(self) -> None:
        self._next = None
        Deferred.fromCoroutine(self.reload_all())

    async def reload_all(self) -> Reloaded:
        """The same, in every worker, too. One that can't is told; the others serve by the new."""
        told = self.reload()
        if self._crew is None or told.problems:
            return told
        assert self._crew.file is not None
        problems = await self._crew.reload(self._crew.file)
        for problem in problems:
            self._log.error("reload refused there: {problem}", problem=problem)
        return evolve(told, problems=tuple(problems), partly=bool(problems))

    def reload(self) -> Reloaded:
        """Read the config again, and serve by it if it can be used; the log tells which."""
        self._last = self._reactor.seconds()
        tally = self.server.parts.tally
        tell_reloading()
        try:
            told = self._change()
        except ConfigError as error:
            told = self._refused(located_in(self._path, error.problems, self._shown))
        except CannotListenError as error:
            told = self._refused([cannot_listen(error)])
        except Exception as error:
            # Whatever it is, it must not leave a service manager waiting for the end of a reload.
            self._log.failure("A reload failed")
            told = self._refused([f"{type(error).__name__}, which should not happen"])
        tally.reloads["refused" if told.problems else "done"] += 1
        refused = f"reload refused: {told.problems[0]}" if told.problems else ""
        tell_ready(refused or f"serving, generation {told.generation}")
        return told

    def _refused(self, problems: list[str]) -> Reloaded:
        for problem in problems:
            self._log.error("reload refused, nothing has changed: {problem}", problem=problem)
        return Reloaded(self.server.parts.generation, problems=tuple(problems))

    def _change(self) -> Reloaded:
        if not self.running:
            raise ConfigError("the server is not running")
        old, file = self.server, self._read(self._path)
        config = file.parse()
        if config.server.workers != self._config.server.workers:
            raise ConfigError(f"server.workers: is {self._config.server.workers} until a restart")
        new = checked_server(config, old)
        new.take_over(old)
        self._serves(new, file)
        changed, self._config = tuple(differences(self._config, config)), config
        generation = new.parts.generation
        # Of a reload by several processes the supervisor tells.
        if new.parts.setting.workplace is None:
            self._log.info(
                "reloaded {path}, generation {generation}; changed: {changed}",
                path=self._shown,
                generation=generation,
                changed=", ".join(changed) or "no option, but files may have",
            )
        return Reloaded(generation, changed)


def differences(old: Config, new: Config) -> Iterator[str]:
    """The options that differ, by name; of routes also which came and went, by path."""
    for section in fields(Config):
        before, after = getattr(old, section.name), getattr(new, section.name)
        if section.name != "proxy" and before != after:
            if has(type(before)):
                yield from _of_section(section.name, before, after)
            else:
                yield section.name
    routes = {(route.path, route.methods): route for route in old.proxy}
    for route in new.proxy:
        known = routes.pop((route.path, route.methods), None)
        if known is None:
            yield f"{route.path} (new)"
        else:
            names = [each.partition(".")[2] for each in _of_section("", known, route)]
            if names:
                yield f"{route.path} ({', '.join(names)})"
    for path, _ in routes:
        yield f"{path} (gone)"


def _of_section(name: str, old: Any, new: Any) -> Iterator[str]:
    for option in fields(type(old)):
        if getattr(old, option.name) != getattr(new, option.name):
            yield f"{name}.{option.name}"
