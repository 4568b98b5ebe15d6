"""The wallet in a storm: processes are killed, Redis restarts, answers break off, callers leave.

A seed decides what happens when; it is in the message of a failure. A witness reads the ledger all
the while (see :mod:`tests.spend.wallet_case`).
"""

from __future__ import annotations

import random
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from naap_twisted.spend.ledger import HELD_MINUTES

from ..integration.support import until
from ..servers import NO_POSTGRES, NO_REDIS, Postgres, Redis
from .books import Books, PostgresBooks, RedisBooks, Sums
from .wallet_case import UNITS, WORST, WalletFaultCase, booked

NO_PROCESS = None if sys.platform == "linux" else "needs Linux"
SEEDS = (1, 2, 3)
PROCESSES, WORKERS, EACH = 4, 24, 8
#: Python that runs before the proxy's: its clock is past the time of every reservation.
LATER = f"import time; wall = time.time; time.time = lambda: wall() + {60 * (HELD_MINUTES + 2)}\n"
#: Looks of a worker, of a tenth of a second, for a ledger that comes back.
_PATIENCE = 100
#: Looks at the ledger, of 20 ms, that find the same.
_CALM = 25


class StormCase(WalletFaultCase):
    """What holds with every ledger that processes share.

    :ivar unsure: plans whose callers got no answer, or 503: a reservation may be left of each.
    """

    async def check_storm(self, *faults: Any) -> None:
        """For each seed a storm; then the reservations that are left are spent as estimated."""
        names = [f"seed{seed}" for seed in SEEDS]
        await self.open(*names, processes=PROCESSES)
        witness = self.witness()
        for seed, name in zip(SEEDS, names, strict=True):
            await self.storm(seed, name, faults)
        before = await self.at_rest()
        await self.afterwards(names)
        # A refused question costs nothing, so that what was held is what is spent beside it now.
        expired = {account: (sum(both), 0) for account, both in before.items()}
        self.assertEqual(self.books.sums(), expired)
        await witness.stop()
        self.assertEqual(witness.broken, [], f"seeds {SEEDS}")
        self.assertGreater(witness.seen, 50)
        self.assertGreater(sum(held for _, held in before.values()), 0, "nothing was left held")
        for name in names:
            for unit in UNITS:
                high = witness.highest[f"{name}-{unit} {unit}"]
                self.assertGreaterEqual(high, self.fits * WORST.of(unit), (name, unit))
                self.check_sum(name, unit)

    async def storm(self, seed: int, name: str, faults: Any) -> None:
        """Workers ask one question after the other, while *faults* happen."""
        chance = random.Random(seed)
        self.unsure: dict[str, int] = getattr(self, "unsure", {})
        known = len(self.maker.works)
        at = sorted(chance.sample(range(10, 50), len(faults) + 1))
        happen = [Deferred.fromCoroutine(self.happen(known + at[0], self.kill_one, chance))]
        for count, fault in zip(at[1:], faults, strict=True):
            happen.append(Deferred.fromCoroutine(self.happen(known + count, fault, chance)))
        work = [Deferred.fromCoroutine(self.work(name, chance)) for _ in range(WORKERS)]
        await gatherResults([*happen, *work])

    async def happen(self, count: int, fault: Any, chance: random.Random) -> None:
        """Let *fault* happen once so many questions have come."""
        await self.maker.until(lambda: len(self.maker.works) >= count)
        await fault(chance)

    async def kill_one(self, chance: random.Random) -> None:
        """Kill a process as kill -9 does, in the midst of its work, and start another."""
        at = chance.randrange(PROCESSES)
        await self.processes[at].kill()
        self.processes[at] = await self.process()

    async def work(self, name: str, chance: random.Random) -> None:
        """One caller, who comes back."""
        for _ in range(EACH):
            unit, plan = chance.choice(UNITS), self.random_plan(chance)
            process = chance.choice(self.processes)
            status = await self.ask(process, f"{name}-{unit}", plan)
            if status in (0, 503) and plan.end not in ("bolted", "deaf"):
                key = f"{name}-{unit}"
                self.unsure[key] = self.unsure.get(key, 0) + 1
            for _ in range(_PATIENCE):
                if status != 503 or self.calm(process):
                    break
                await deferLater(reactor, 0.1)

    def calm(self, process: Any) -> bool:
        """Whether *process* has its ledger, or is gone."""
        lost, found = process.output.count(b"is gone ("), process.output.count(b"Redis is back")
        return bool(process.ended) or lost == found

    async def at_rest(self) -> Sums:
        """The sums, once no process settles anything any more."""
        seen: list[Sums] = []

        def calm() -> bool:
            seen.append(self.books.sums())
            return len(seen) > _CALM and all(sums == seen[-1] for sums in seen[-_CALM:])

        await until(calm, 30.0)
        return seen[-1]

    async def afterwards(self, names: list[str]) -> None:
        """A process a quarter of an hour later finds what is held, and spends it."""
        later = await self.process(LATER)
        for name in names:
            for unit in UNITS:
                await self.ask(later, f"{name}-{unit}", self.plan(0, "refused"))
        await until(lambda: not any(held for _, held in self.books.sums().values()), 10.0)

    def check_sum(self, name: str, unit: str) -> None:
        """What is spent is what was made, but for estimates and for what nobody saw the end of."""
        key = f"{name}-{unit}", unit
        works = [work for work in self.maker.works if work.route == key[0]]
        spent, held = self.books.sums()[key]
        made = sum(work.made.of(unit) for work in works)
        told = sum(booked(work).of(unit) for work in works)
        most = told + self.unsure.get(key[0], 0) * WORST.of(unit)
        self.assertEqual(held, 0)
        self.assertTrue(made <= spent <= most, (name, unit, made, spent, told, most))


class RedisTests(StormCase):
    skip = NO_PROCESS or NO_REDIS
    ready = b"limits are shared"

    def setUp(self) -> None:
        self.redis = Redis(self, keeps=True)
        self.shared = "", f'[redis]\nurl = "{self.redis.url}"\non_redis_loss = "deny"\n'

    def open_books(self) -> Books:
        return RedisBooks(self.redis.port)

    async def restart(self, chance: random.Random) -> None:
        """Kill Redis, and start it on what it wrote."""
        self.redis.kill()
        self.redis.start(wait=False)

    async def test_storm(self) -> None:
        """Never more than the limit and one worst case, never less than was made."""
        await self.check_storm(self.restart)


class PostgresTests(StormCase):
    skip = NO_PROCESS or NO_POSTGRES

    def setUp(self) -> None:
        self.url = Postgres.shared().database("naap_storm")
        self.shared = f'database_url = "{self.url}"', ""

    def open_books(self) -> Books:
        return PostgresBooks(self.url)

    async def test_storm(self) -> None:
        """Never more than the limit and one worst case, never less than was made."""
        await self.check_storm()
