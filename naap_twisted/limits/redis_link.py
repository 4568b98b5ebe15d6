"""A connection to Redis, with a deadline for each answer and a circuit that opens at an outage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisFactory, ScriptDoesNotExist

from .redis_address import RedisAddress

_CONNECT = 2.0
_PARTS = 5


class RedisGone(Exception):
    """Redis gave no answer in time, or an error."""


class _Factory(RedisFactory):  # type: ignore[misc]
    """Reconnects soon, because limits are local until then."""

    initialDelay = 0.1
    maxDelay = 1.0


@lru_cache(maxsize=32)
def sha_of(script: str) -> str:
    """The name that Redis has for *script*, which is hashed once and not at each call."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _told(failure: Failure, handler: Any, script: str, *arguments: Any) -> Any:
    failure.trap(ScriptDoesNotExist)
    return handler.eval(script, *arguments)


class _Deadline:
    """Calls *overdue* after *seconds*, unless it is cancelled.

    They are waited for in parts, and sockets are read between them: of a process that was busy with
    a crowd of requests meanwhile the answer may have come already, or the question not have gone.
    """

    def __init__(self, reactor: Any, seconds: float, overdue: Callable[[], object]) -> None:
        self._reactor = reactor
        self._part = seconds / _PARTS
        self._overdue = overdue
        self._left = _PARTS
        self._wait()

    def _wait(self) -> None:
        if self._left:
            self._left -= 1
            self._timer = self._reactor.callLater(self._part, self._wait)
        else:
            self._overdue()

    def cancel(self) -> None:
        """The answer is there."""
        if self._timer.active():
            self._timer.cancel()


class RedisLink:
    """Asks Redis, and stops asking while it is gone.

    :param deadline: seconds for one answer. Past it the circuit opens: no request waits for Redis
        until Redis has answered a probe.
    :param probe: seconds between probes while the circuit is open.
    :ivar up: the circuit is closed: Redis answered last time.
    :ivar outages: how often Redis was lost.
    :ivar when_back: called each time that the circuit closes.
    """

    _log = Logger()

    def __init__(
        self, address: RedisAddress, reactor: Any, *, deadline: float = 0.25, probe: float = 0.25
    ) -> None:
        self.up = False
        self.outages = 0
        self._address = address
        self._reactor = reactor
        self.deadline = deadline
        self.when_back: Callable[[], object] | None = None
        self._every = probe
        self._factory: _Factory | None = None
        self._probing: Any = None
        self._lost_at: float | None = None

    def start(self) -> None:
        """Begin to connect."""
        address = self._address
        endpoint: Any = HostnameEndpoint(
            self._reactor, address.host, address.port, timeout=_CONNECT
        )
        if address.tls:
            endpoint = wrapClientTLS(optionsForClientTLS(address.host), endpoint)
        self._factory = _Factory(
            None,
            address.database,
            1,
            isLazy=True,
            username=address.username,
            password=address.password,
            # A connection on which nothing comes back is cut, so that a new one can be made.
            replyTimeout=_CONNECT,
        )
        self._factory.deferred.addCallbacks(self._connected, lambda _: None)
        self._factory.startConnecting(endpoint)
        self._probe_later()

    def stop(self) -> Deferred[Any]:
        """Disconnect."""
        self.up = False
        factory, self._factory = self._factory, None
        if self._probing is not None and self._probing.active():
            self._probing.cancel()
        return succeed(None) if factory is None else factory.disconnect()

    def evaluate(
        self,
        script: str,
        keys: list[str],
        arguments: list[Any],
        late: Callable[[Any], object] | None = None,
    ) -> Deferred[Any]:
        """The value of *script*; fails with :class:`RedisGone` at the deadline at the latest.

        :param late: told the value where it comes after that.
        """
        return self._ask("evalsha", sha_of(script), keys, arguments, script=script, late=late)

    def ping(self) -> Deferred[Any]:
        """Fire if Redis answers now; fail as :meth:`evaluate` does."""
        return self._ask("ping")

    def _ask(
        self,
        command: str,
        *arguments: Any,
        probing: bool = False,
        script: str = "",
        late: Callable[[Any], object] | None = None,
    ) -> Deferred[Any]:
        if not (self.up or probing):
            return fail(RedisGone("the circuit is open"))
        factory = self._factory
        if factory is None or not factory.size:
            self._gone("not connected")
            return fail(RedisGone("not connected"))
        result: Deferred[Any] = Deferred(lambda _: None)

        def answered(value: Any) -> None:
            deadline.cancel()
            if result.called:
                if late is not None and not isinstance(value, Failure):
                    late(value)
                return
            if isinstance(value, Failure):
                self._gone(value.getErrorMessage() or type(value.value).__name__)
                result.errback(RedisGone("an error"))
            else:
                result.callback(value)

        def overdue() -> None:
            self._gone(f"no answer in {self.deadline} s")
            if not result.called:
                result.errback(RedisGone("too late"))

        deadline = _Deadline(self._reactor, self.deadline, overdue)
        asked = getattr(factory.handler, command)(*arguments)
        if script:
            # A Redis that has restarted, or sees it for the first time, does not know it by name.
            asked.addErrback(_told, factory.handler, script, *arguments[1:])
        asked.addBoth(answered)
        return result

    def _gone(self, reason: str) -> None:
        self.up = False
        if self._factory is None:
            return  # stopped, not lost
        if self._lost_at is None:
            self._lost_at = self._reactor.seconds()
            self.outages += 1
            self._log.error(
                "Redis at {host}:{port} is gone ({reason}); on_redis_loss applies until it is back",
                host=self._address.host,
                port=self._address.port,
                reason=reason,
            )
        if self._probing is None:
            self._probe_later()

    def _probe_later(self) -> None:
        self._probing = self._reactor.callLater(self._every, self._probe)

    def _probe(self) -> None:
        self._probing = None
        if self._factory is not None:
            # Where it fails, _gone() has been told, and tries again later.
            self._ask("ping", probing=True).addCallbacks(self._back, lambda _: None)

    def _connected(self, _: object) -> None:
        """Probe at once when the first connection is there, and not when the probe is due."""
        if self._probing is not None and self._probing.active():
            self._probing.cancel()
            self._probe()

    def _back(self, _: Any) -> None:
        self.up = True
        if self._lost_at is not None:
            seconds = round(self._reactor.seconds() - self._lost_at, 1)
            self._lost_at = None
            self._log.info("Redis is back after {seconds} s: limits are shared", seconds=seconds)
        else:
            self._log.info("Redis answers: limits are shared")
        if self.when_back is not None:
            self.when_back()
