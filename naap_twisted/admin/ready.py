"""Whether this server should be sent requests: what ``/readyz`` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

#: Seconds to answer in. An orchestrator's probe waits one second by default.
PATIENCE = 0.8
OK = "ok"


class Probe:
    """Asks one thing whether it answers; those who ask at once share one question.

    A thing that hangs is thus asked once, however often /readyz is.

    :param ask: its Deferred fails where there is no answer.
    """

    def __init__(self, ask: Callable[[], Deferred[Any]], clock: IReactorTime) -> None:
        self._ask = ask
        self._clock = clock
        self._waiting: list[Deferred[bool]] = []
        self._asked = False

    def __call__(self) -> Deferred[bool]:
        """Whether it answered, within :data:`PATIENCE`."""
        waiter: Deferred[bool] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if not self._asked:
            self._asked = True
            maybeDeferred(self._ask).addCallbacks(
                lambda _: self._answered(True), lambda _: self._answered(False)
            )
        return waiter.addTimeout(PATIENCE, self._clock).addErrback(lambda _: False)

    def _answered(self, well: bool) -> None:
        self._asked = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(well)


class Readiness:
    """Looks at *server*.

    Redis is needed where ``on_redis_loss`` is "deny". Elsewhere the server goes on by itself while
    it is gone: were that "not ready", losing Redis would take every machine away at once.
    """

    def __init__(self, server: PluginServer, clock: IReactorTime) -> None:
        self._server = server
        self._probes = {
            name: Probe(ask, clock) for name, ask in server.parts.state.probes().items()
        }

    async def report(self) -> dict[str, Any]:
        """The document; its ``status`` is "ready", or "not ready" with what is ``failing``."""
        server = self._server
        draining = not server.running or server.site().draining
        checks = {
            "server": "draining" if draining else OK,
            "listeners": OK if server.is_listening else "down",
        }
        answers = await gatherResults([probe() for probe in self._probes.values()])
        for name, well in zip(self._probes, answers, strict=True):
            checks[name] = OK if well else "unreachable"
        optional = set() if server.parts.state.needs_redis else {"redis"}
        failing = [name for name, said in checks.items() if said != OK and name not in optional]
        return {
            "status": "not ready" if failing else "ready",
            "service": server.title,
            "failing": failing,
            "checks": checks,
        }
