"""The server of a config file, which is read again by SIGHUP and ``naap-proxy reload``.

A reload builds the whole server of the new config with the code of ``check``. Only if all of that
went well does it serve; else the log says what is wrong, and nothing has changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import fields, has
from twisted.application.service import Service
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from ..config import load_config
from ..config.lines import located_in
from ..errors import ConfigError
from ..options.server import Config
from ..server.parts import Reloaded
from ..server.run import cannot_listen
from .assembly import checked_server
from .notify import tell_ready, tell_reloading

#: Seconds from one reload to the next, however often one is asked for: each takes the loop's time.
GAP = 1.0


class ReloadingServer(Service):
    """The servers of the config at *path*, one after the other.

    :ivar server: the one that serves now.
    :raises ConfigError: the config can't be used.
    """

    _log = Logger()

    def __init__(self, path: str | os.PathLike[str], reactor: Any) -> None:
        self._reactor = reactor
        self._shown = os.fspath(path)
        config = load_config(path)
        # Going to the background changes the directory.
        self._path = Path(path).absolute()
        self.server = checked_server(config)
        self.server.reload = self.reload
        self._config = config
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

    def ask(self) -> None:
        """Reload soon: at once, or :data:`GAP` after the last one. More wishes become one."""
        if self._next is None and self.running:
            wait = max(0.0, self._last + GAP - self._reactor.seconds())
            self._next = self._reactor.callLater(wait, self._due)

    def _due(self) -> None:
        self._next = None
        self.reload()

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
        old, config = self.server, load_config(self._path)
        new = checked_server(config, old)
        new.reload = self.reload
        new.take_over(old)
        self.server = new
        changed, self._config = tuple(differences(self._config, config)), config
        generation = new.parts.generation
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
    routes = {route.path: route for route in old.proxy}
    for route in new.proxy:
        known = routes.pop(route.path, None)
        if known is None:
            yield f"{route.path} (new)"
        else:
            names = [each.partition(".")[2] for each in _of_section("", known, route)]
            if names:
                yield f"{route.path} ({', '.join(names)})"
    for path in routes:
        yield f"{path} (gone)"


def _of_section(name: str, old: Any, new: Any) -> Iterator[str]:
    for option in fields(type(old)):
        if getattr(old, option.name) != getattr(new, option.name):
            yield f"{name}.{option.name}"
