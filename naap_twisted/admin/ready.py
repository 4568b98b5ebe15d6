"""``/readyz``: whether a load balancer should send requests to this server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from ..auth.single_flight import SingleFlight

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

#: Seconds that a store has to answer a ping. Kubernetes' probes wait one second by default.
PATIENCE = 0.8
OK = "ok"


class Probe:
    """Pings one store. A store that hangs has one ping in flight, however often /readyz is asked.

    :param ping: its Deferred fails where the store does not answer.
    """

    def __init__(self, ping: Callable[[], Deferred[Any]], clock: IReactorTime) -> None:
        self._ping = ping
        self._clock = clock
        self._calls: SingleFlight[Any] = SingleFlight(1)

    def __call__(self) -> Deferred[bool]:
        """Whether the store answers within :data:`PATIENCE`."""
        answer = self._calls.ask(b"", self._call).addTimeout(PATIENCE, self._clock)
        return answer.addCallbacks(lambda _: True, lambda _: False)

    async def _call(self) -> Any:
        return await self._ping()


class Readiness:
    """Judges *server*.

    Losing Redis makes a server "not ready" only where ``on_redis_loss`` is "deny". Elsewhere it
    goes on counting by itself; to call that "not ready" would take every machine away at once.
    """

    def __init__(self, server: PluginServer) -> None:
        self._server = server
        clock, pings = server.parts.clock, server.parts.state.probes()
        self._probes = {name: Probe(ping, clock) for name, ping in pings.items()}

    async def report(self) -> dict[str, Any]:
        """The document; its ``status`` is "ready", or "not ready" with what is ``failing``."""
        server = self._server
        ending = not server.running or server.site().closing
        checks = {
            "server": "draining" if ending else OK,
            "listeners": OK if server.is_listening else "down",
        }
        answers = await gatherResults([probe() for probe in self._probes.values()])
        for name, answered in zip(self._probes, answers, strict=True):
            checks[name] = OK if answered else "unreachable"
        if server.parts.setting.crew is not None:
            checks |= await server.parts.setting.crew.checks()
        optional = set() if server.parts.state.needs_redis else {"redis"}
        watch = server.parts.state.watch
        if watch is not None:
            checks["ledger"] = watch.word(answers=checks[watch.where] == OK)
            if not watch.refuses:
                optional.add("ledger")
        failing = [name for name, word in checks.items() if word != OK and name not in optional]
        return {
            "status": "not ready" if failing else "ready",
            "service": server.title,
            "failing": failing,
            "checks": checks,
        }
