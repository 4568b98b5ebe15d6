"""What every ledger has to do."""

from __future__ import annotations

import inspect
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults

from naap_twisted.spend.ledger import HELD_MINUTES, Charge, Correction

DAY = 86_400
CHARGE = Charge("a", DAY, DAY, DAY // 60, 10, 3, enforced=True, keep=2 * DAY)


def at(minute: int, charge: Charge = CHARGE) -> Charge:
    """*charge* so many minutes later."""
    return evolve(charge, minute=charge.minute + minute)


class LedgerContract:
    """Mix in beside a TestCase.

    :ivar ledger: a fresh one.
    """

    ledger: Any

    async def reserve(self, *charges: Charge) -> Any:
        return await _done(self.ledger.reserve(charges))

    async def settle(self, spent: int, *charges: Charge) -> None:
        await _done(self.ledger.settle([Correction(charge, spent) for charge in charges]))

    async def standing(self, charge: Charge = CHARGE) -> tuple[int, int]:
        (standing,) = await _done(self.ledger.read([charge]))
        return standing.spent, standing.held

    async def test_while_something_is_left(self: Any) -> None:
        """A request passes below the limit, and may go past it by its worst case."""
        refused = [(await self.reserve(CHARGE)).refused for _ in range(5)]
        self.assertEqual(refused, [-1, -1, -1, -1, 0])
        self.assertEqual(await self.standing(), (0, 12))

    async def test_settled(self: Any) -> None:
        """What was spent takes the place of what was held; an explicit zero is zero."""
        await self.reserve(CHARGE)
        await self.settle(1, CHARGE)
        self.assertEqual(await self.standing(), (1, 0))
        await self.reserve(CHARGE)
        await self.settle(0, CHARGE)
        self.assertEqual(await self.standing(), (1, 0))
        await self.reserve(CHARGE)
        await self.settle(500, CHARGE)
        self.assertEqual(await self.standing(), (501, 0))

    async def test_together_or_not_at_all(self: Any) -> None:
        """What one budget refuses is reserved under none; a watched one refuses nothing."""
        other = evolve(CHARGE, account="b", limit=1)
        await self.reserve(CHARGE, other)
        verdict = await self.reserve(CHARGE, other)
        self.assertEqual(verdict.refused, 1)
        self.assertEqual([standing.total for standing in verdict.before], [3, 3])
        self.assertEqual(await self.standing(), (0, 3))
        watched = evolve(other, enforced=False)
        self.assertEqual((await self.reserve(watched)).refused, -1)
        self.assertEqual(await self.standing(other), (0, 6))

    async def test_expired(self: Any) -> None:
        """What nobody settles in time is spent as estimated, and corrected if its end is late."""
        await self.reserve(CHARGE)
        await self.reserve(CHARGE)
        later = at(HELD_MINUTES + 1)
        self.assertEqual(await self.standing(later), (6, 0))
        await self.reserve(later)
        await self.settle(1, CHARGE)
        self.assertEqual(await self.standing(later), (4, 3))

    async def test_windows(self: Any) -> None:
        """A later part counts by itself, or beside the parts that still do."""
        await self.reserve(CHARGE)
        await self.settle(9, CHARGE)
        tomorrow = evolve(at(1440), part=2 * DAY, since=2 * DAY)
        self.assertEqual(await self.standing(tomorrow), (0, 0))
        rolling = evolve(tomorrow, since=DAY)
        self.assertEqual(await self.standing(rolling), (9, 0))
        verdict = await self.reserve(rolling)
        self.assertEqual((verdict.before[0].total, verdict.before[0].oldest), (9, DAY))
        # A clock that is set back finds what was spent.
        self.assertEqual(await self.standing(), (9, 3))

    async def test_clock_set_back(self: Any) -> None:
        """By an hour: what is held stays held, once, and its end is booked as ever."""
        await self.reserve(CHARGE)
        back = at(-60)
        self.assertEqual(await self.standing(back), (0, 3))
        await self.reserve(back)
        self.assertEqual(await self.standing(back), (0, 6))
        await self.settle(1, CHARGE)
        await self.settle(2, back)
        self.assertEqual(await self.standing(), (3, 0))

    async def test_at_once(self: Any) -> None:
        """Of many reservations at once as many pass as fit."""
        one = evolve(CHARGE, amount=1, limit=25)
        asked = [Deferred.fromCoroutine(self.reserve(one)) for _ in range(60)]
        verdicts = await gatherResults(asked)
        self.assertEqual(sum(verdict.refused < 0 for verdict in verdicts), 25)


async def _done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
