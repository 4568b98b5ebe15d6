"""``python -m bench.load.ledger_client ROUNDS [REDIS_PORT]``: what a reservation costs here.

Prints one JSON object: for each round, CPU of this process in microseconds. Redis is another
process, so that what it uses itself is not in it; a script that does nothing, in the same round, is
what a round trip costs anyway.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred

from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisLink
from naap_twisted.secret import Secret
from naap_twisted.spend.ledger import Charge, Correction, MemoryLedger
from naap_twisted.spend.redis_ledger import RedisLedger

_DAY = 86_400
_CHARGE = Charge("route:a", _DAY, _DAY, _DAY // 60, 10**12, 900, enforced=True, keep=2 * _DAY)
_IN_MEMORY, _IN_REDIS = 5_000, 500
_PATIENCE = 5.0


def memory_us() -> float:
    """CPU of one reservation and its settlement, which is another's a moment later."""
    ledger = MemoryLedger()
    began = time.process_time()
    for number in range(_IN_MEMORY):
        charge = evolve(_CHARGE, account=f"route:{number % 100}")
        ledger.reserve([charge])
        ledger.settle([Correction(charge, 120)])
    spent = time.process_time() - began
    began = time.process_time()
    for number in range(_IN_MEMORY):
        evolve(_CHARGE, account=f"route:{number % 100}")
    return (spent - (time.process_time() - began)) * 1e6 / _IN_MEMORY


async def redis_us(step: Callable[[], Any]) -> float:
    """CPU of one *step*, of many that come one after the other."""
    began = time.process_time()
    for _ in range(_IN_REDIS):
        await step()
    return (time.process_time() - began) * 1e6 / _IN_REDIS


class _Told:
    """Steps of a ledger in Redis, each of which is over when Redis has answered.

    :ivar trips: how often Redis was asked.
    """

    def __init__(self, link: RedisLink) -> None:
        self.trips = 0
        self._ledger = RedisLedger(link, prefix="bench:", now=lambda: _DAY)
        self._settled: Deferred[None] = Deferred()
        self._link, self._evaluate = link, link.evaluate
        link.evaluate = self._counted  # type: ignore[method-assign]

    def _counted(self, *arguments: Any) -> Deferred[Any]:
        self.trips += 1
        asked = self._evaluate(*arguments)
        asked.addCallback(self._answered)
        return asked

    def _answered(self, value: Any) -> Any:
        if self._settled.called or not self._ledger.waiting:
            return value
        self._settled.callback(None)
        return value

    async def empty(self) -> None:
        await self._link.evaluate("return 1", [], [])

    async def reserve(self) -> None:
        verdict: Any = self._ledger.reserve([_CHARGE])
        await verdict

    async def settle(self) -> None:
        self._settled = Deferred()
        self._ledger.settle([Correction(_CHARGE, 120)])
        await self._settled


async def in_redis(port: int, rounds: int) -> dict[str, Any]:
    """The rounds, interleaved: a script that does nothing, a reservation, a settlement."""
    address = RedisAddress.parse(Secret(f"redis://127.0.0.1:{port}/0"))
    link = RedisLink(address, reactor, deadline=_PATIENCE)
    link.start()
    due = time.monotonic() + _PATIENCE
    while not link.up and time.monotonic() < due:
        await task.deferLater(reactor, 0.01)
    told = _Told(link)
    steps = {"empty": told.empty, "reserve": told.reserve, "settle": told.settle}
    for step in steps.values():
        await step()  # Redis knows the scripts from here on
    before = told.trips
    found: dict[str, Any] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(await redis_us(step))
    found["trips"] = (told.trips - before) / (len(steps) * rounds * _IN_REDIS)
    await link.stop()
    return found


async def main(_: Any, rounds: int, port: int) -> None:
    found: dict[str, Any] = {"memory": [memory_us() for _ in range(rounds)]}
    if port:
        found["redis"] = await in_redis(port, rounds)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    rounds, port = (*map(int, sys.argv[1:3]), 0)[:2]
    task.react(lambda clock: Deferred.fromCoroutine(main(clock, rounds, port)))
