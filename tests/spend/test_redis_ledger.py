"""Tests of naap_twisted.spend.redis_ledger: the contract on a real redis-server, and its loss."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisLink
from naap_twisted.secret import Secret
from naap_twisted.spend import redis_ledger as module
from naap_twisted.spend.ledger import Charge
from naap_twisted.spend.redis_ledger import RedisLedger

from ..integration.support import until
from ..servers import NO_REDIS, Redis
from .ledger_contract import CHARGE, LedgerContract


class RedisTests(LedgerContract, TestCase):
    skip = NO_REDIS
    timeout = 60

    async def setUp(self) -> None:
        self.redis = Redis(self)
        self.ledger = await self.process()

    async def process(
        self, *, deny: bool = False, later: int = 1000, deadline: float = 5.0
    ) -> RedisLedger:
        """The ledger as another process has it, *later* seconds after the charges."""
        address = RedisAddress.parse(Secret(self.redis.url))
        link = RedisLink(address, reactor, deadline=deadline)
        link.start()
        self.addCleanup(link.stop)
        await until(lambda: link.up)
        return RedisLedger(link, prefix="t:", deny=deny, now=lambda: CHARGE.minute * 60 + later)

    async def settle(self, spent: int, *charges: Charge) -> None:
        await super().settle(spent, *charges)
        await until(lambda: not self.ledger.waiting)

    async def test_one_ledger_for_two_processes(self) -> None:
        """Of both together as many pass as fit."""
        other = await self.process()
        one = evolve(CHARGE, amount=1, limit=40)
        asked = [each.reserve([one]) for _ in range(40) for each in (self.ledger, other)]
        verdicts = await gatherResults([each for each in asked if isinstance(each, Deferred)])
        self.assertEqual(sum(verdict.refused < 0 for verdict in verdicts), 40)

    async def test_goes_on_alone(self) -> None:
        """Without Redis a process goes on from what it saw, and books it when Redis is back."""
        await self.reserve(CHARGE)
        await self.settle(6, CHARGE)
        await self.reserve(CHARGE)
        await self.settle(0, CHARGE)
        self.ledger._link.up = False
        alone = evolve(CHARGE, amount=3)
        self.assertEqual((await self.reserve(alone)).before[0].total, 6)
        again = evolve(CHARGE, amount=3)
        self.assertEqual((await self.reserve(again)).refused, -1)
        self.assertEqual((await self.reserve(CHARGE)).refused, 0, "9 and 3 are over 10")
        await super().settle(5, alone)
        self.assertEqual(len(self.ledger.waiting), 1)
        self.ledger._link.up = True
        self.ledger._link.when_back()
        await until(lambda: not self.ledger.waiting)
        self.assertEqual(await self.standing(), (11, 0))

    async def test_deny(self) -> None:
        """Or nothing is spent without it."""
        ledger = await self.process(deny=True)
        ledger._link.up = False
        self.assertRaises(Unavailable, ledger.reserve, [CHARGE])

    async def test_late(self) -> None:
        """What Redis reserves for a request that was refused meanwhile is given back."""
        ledger = self.ledger = await self.process(deny=True, deadline=0.1)
        self.redis.pause()
        asked = ledger.reserve([CHARGE])
        assert isinstance(asked, Deferred)
        await self.assertFailure(asked, Unavailable)
        self.redis.resume()
        await until(lambda: ledger._link.up and not ledger.waiting)
        self.assertEqual(await self.standing(), (0, 0))

    async def test_lost_data(self) -> None:
        """A Redis that forgot is told what was spent, by whoever saw it."""
        await self.reserve(CHARGE)
        await self.settle(7, CHARGE)
        await self.reserve(CHARGE)
        await self.ledger._link.evaluate("return redis.call('FLUSHALL')", [], [])
        verdict = await self.reserve(CHARGE)
        self.assertEqual(verdict.before[0].spent, 7)

    async def test_stopped_and_started(self) -> None:
        """A real Redis dies, with all it knew, and comes back: nothing that was spent is lost.

        Without it the process counts what it has spent itself, and what is under way.
        """
        self.ledger = await self.process(later=60)
        charges = [evolve(CHARGE, amount=2, limit=11) for _ in range(6)]
        await self.reserve(charges[0])
        await self.settle(3, charges[0])
        await self.reserve(charges[1])
        self.redis.kill()
        # The first one finds out, whatever it is told.
        verdict = await self.reserve(charges[2])
        self.assertEqual((verdict.refused, verdict.before[0].total), (-1, 5), "3, and 2 under way")
        await super().settle(4, charges[1])
        verdict = await self.reserve(charges[3])
        self.assertEqual((verdict.refused, verdict.before[0].total), (-1, 9), "3, 4, and 2 here")
        self.assertEqual((await self.reserve(charges[4])).refused, 0, "11 are spent or reserved")
        await super().settle(5, charges[2])
        watch = self.ledger.watch
        self.assertEqual((watch.gone, watch.losses, watch.alone), (True, 1, 3))
        self.redis.start()
        await until(lambda: not watch.gone)
        await super().settle(1, charges[3])
        await until(lambda: not self.ledger.waiting)
        self.assertEqual(await self.standing(), (13, 0))
        self.assertEqual(self.ledger._owed, {})
        self.assertEqual((watch.losses, watch.unbooked), (1, 0))

    async def test_gone_for_too_long(self) -> None:
        """What can't be kept until Redis is back is counted, and no more of it is kept."""
        self.patch(module, "_MOST_WAITING", 1)
        charges = [evolve(CHARGE, amount=1) for _ in range(3)]
        self.ledger._link.up = False
        for charge in charges:
            await self.reserve(charge)
            await super().settle(1, charge)
        self.flushLoggedErrors()
        self.assertEqual((len(self.ledger.waiting), self.ledger.watch.unbooked), (1, 2))
        self.assertEqual(len(self.ledger._without), 1)
