"""The ledger in Redis: one for all processes and machines, and one script call for each step.

Redis runs a script without interruption, so that two processes can't both take what is left. Each
process remembers what it saw of the accounts that it uses. While Redis is gone it goes on from
there by itself (``on_redis_loss = "local"``), and books what it spent when Redis is back. A Redis
that comes back with less than a process saw spent, because it lost its data, is told.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import Unavailable
from ..limits.redis_link import RedisGone, RedisLink
from .ledger import HELD_MINUTES, Charge, Correction, MemoryLedger, Standing, Verdict
from .ledger_watch import LedgerWatch

# Numbers go there and back as one text, because the client takes its time over each item of a list.
_NUMBERS = """
local A = {}
for number in ARGV[1]:gmatch('%S+') do A[#A + 1] = number end
"""
# A hash for each account: "s<part>" is spent, "h<part>:<minute>" is held. Numbers stay below 2**53,
# so that Lua's doubles hold them exactly.
_COMMON = (
    _NUMBERS
    + """
local function number(value) return string.format('%.0f', value) end
local function standing(key, since, minute, keep)
  local spent, held, oldest = 0, 0, 0
  local all = redis.call('HGETALL', key)
  local late = {}
  for i = 1, #all, 2 do
    local name, value = all[i], tonumber(all[i + 1])
    local part, at = name:match('^h(%d+):(%d+)$')
    if part and tonumber(at) < minute - HELD then
      redis.call('HDEL', key, name)
      redis.call('HINCRBY', key, 's' .. part, number(value))
      name, part = 's' .. part, nil
    end
    local began = tonumber(part or name:match('^s(%d+)$'))
    if began >= since then
      if part then held = held + value else spent = spent + value end
      if oldest == 0 or began < oldest then oldest = began end
    elseif not part and began < since - keep then
      redis.call('HDEL', key, name)
    end
  end
  return spent, held, oldest
end
""".replace("HELD", str(HELD_MINUTES))
)
# For each key seven numbers: part, since, minute, limit or -1, amount, keep, what is known spent.
_RESERVE = (
    _COMMON
    + """
local out, refused = {}, -1
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 7
  local known = tonumber(A[a + 7])
  local field = 's' .. A[a + 1]
  if known > tonumber(redis.call('HGET', key, field) or '0') then
    redis.call('HSET', key, field, number(known))
  end
  local spent, held, oldest = standing(
    key, tonumber(A[a + 2]), tonumber(A[a + 3]), tonumber(A[a + 6]))
  local limit = tonumber(A[a + 4])
  if limit >= 0 and spent + held >= limit and refused < 0 then refused = i - 1 end
  for _, value in ipairs({spent, held, oldest}) do out[#out + 1] = number(value) end
  out[#out + 1] = redis.call('HGET', key, field) or '0'
end
if refused < 0 then
  for i, key in ipairs(KEYS) do
    local a = (i - 1) * 7
    redis.call('HINCRBY', key, 'h' .. A[a + 1] .. ':' .. A[a + 3], A[a + 5])
    redis.call('EXPIRE', key, A[a + 6])
  end
end
out[#out + 1] = number(refused)
return table.concat(out, ' ')
"""
)
# The first key has the last step of this process, so that one that is told twice counts once: they
# come one after the other. It is written last, so that a script that fails is told again. The last
# number is the step's. For each other key:
# part, minute, what was held, what was spent, keep, what is known spent. The answer is what each
# part has spent now.
_SETTLE = (
    _NUMBERS
    + """
local step, sums = tonumber(A[#A]), {}
local news = tonumber(redis.call('GET', KEYS[1]) or '-1') < step
for i = 2, #KEYS do
  local key, a = KEYS[i], (i - 2) * 6
  local field, part = 'h' .. A[a + 1] .. ':' .. A[a + 2], 's' .. A[a + 1]
  local known = tonumber(A[a + 6])
  if known > tonumber(redis.call('HGET', key, part) or '0') then
    redis.call('HSET', key, part, string.format('%.0f', known))
  end
  local held, amount = tonumber(redis.call('HGET', key, field) or '-1'), tonumber(A[a + 3])
  local spent = tonumber(A[a + 4])
  if not news then
    spent = 0
  elseif held > amount then
    redis.call('HINCRBY', key, field, string.format('%.0f', -amount))
  elseif held == amount then
    redis.call('HDEL', key, field)
  elseif tonumber(A[a + 5]) < 0 then
    spent = spent - amount
  end
  local sum = redis.call('HINCRBY', key, part, string.format('%.0f', spent))
  if sum < 0 then
    sum = 0
    redis.call('HSET', key, part, 0)
  end
  sums[i - 1] = string.format('%.0f', sum)
  redis.call('EXPIRE', key, math.abs(tonumber(A[a + 5])))
end
if news then redis.call('SET', KEYS[1], A[#A], 'EX', 86400) end
return table.concat(sums, ' ')
"""
)
_READ = (
    _COMMON
    + """
local out = {}
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 3
  local spent, held, oldest = standing(
    key, tonumber(A[a + 1]), tonumber(A[a + 2]), tonumber(A[a + 3]))
  for _, value in ipairs({spent, held, oldest}) do out[#out + 1] = number(value) end
end
return table.concat(out, ' ')
"""
)
_MOST_KNOWN = 100_000
_MOST_WAITING = 100_000


@define
class _Step:
    """Corrections that Redis has not acknowledged."""

    number: int
    corrections: Sequence[Correction]


class RedisLedger:
    """Keeps accounts in Redis.

    :param prefix: opens every key; servers of one prefix share their ledger.
    :param deny: while Redis is gone, requests get 503; else each process goes on by itself.
    :ivar waiting: settlements that Redis does not know yet.
    :ivar watch: tells of times without Redis.
    """

    _log = Logger()

    def __init__(
        self,
        link: RedisLink,
        *,
        prefix: str,
        deny: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        link.when_back = self._book
        self._now = now
        self._prefix = prefix
        self._deny = deny
        self._local = MemoryLedger()
        self._known: OrderedDict[tuple[str, int], int] = OrderedDict()
        # Beside what is known: what this process has reserved or spent, and Redis not yet as spent.
        self._owed: dict[tuple[str, int], int] = {}
        self.watch = LedgerWatch("redis", refuses=deny)
        self._without: set[int] = set()  # identities of charges that were reserved here alone
        self.waiting: deque[_Step] = deque()
        self._booking = False
        self._process, self._steps = uuid4().hex, count()

    def reserve(self, charges: Sequence[Charge]) -> Verdict | Deferred[Verdict]:
        """Reserve under all of the budgets, or under none.

        :raises Unavailable: Redis is gone, and *deny* is set.
        """
        if not self._link.up:
            return self._alone(charges)
        known = self._known
        # Written out: this is a third faster than to join numbers.
        numbers = " ".join(
            [
                f"{each.part} {each.since} {each.minute} {each.limit if each.enforced else -1}"
                f" {each.amount} {each.keep} {known.get((each.account, each.part), 0)}"
                for each in charges
            ]
        )
        refused = False

        def lost(failure: Any) -> Verdict:
            nonlocal refused
            refused = True
            verdict = self._lost(failure, charges)
            refused = verdict.refused >= 0
            return verdict

        def late(answer: str) -> None:
            # Redis has reserved for a request that was refused meanwhile: nobody else settles it.
            if refused and int(answer.split()[-1]) < 0:
                for charge in charges:
                    self._owe(charge, charge.amount)
                self.settle([Correction(charge, 0) for charge in charges])

        asked = self._link.evaluate(_RESERVE, self._keys(charges), [numbers], late)
        return asked.addCallbacks(self._verdict, lost, callbackArgs=(charges,))

    def _verdict(self, answer: str, charges: Sequence[Charge]) -> Verdict:
        *numbers, refused = map(int, answer.split())
        before = []
        for index, charge in enumerate(charges):
            spent, held, oldest, of_part = numbers[index * 4 : index * 4 + 4]
            before.append(Standing(spent, held, oldest or charge.part))
            self._learn(charge, of_part)
            if refused < 0:
                self._owe(charge, charge.amount)
        return Verdict(refused, tuple(before))

    def _owe(self, charge: Charge, amount: int) -> None:
        key = charge.account, charge.part
        owed = self._owed.get(key, 0) + amount
        if owed:
            self._owed[key] = owed
        else:
            self._owed.pop(key, None)

    def _learn(self, charge: Charge, spent: int) -> None:
        """Remember what was spent, as the beginning for a time without Redis."""
        key = charge.account, charge.part
        self._known[key] = spent
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _lost(self, failure: Any, charges: Sequence[Charge]) -> Verdict:
        failure.trap(RedisGone)
        return self._alone(charges)

    def _alone(self, charges: Sequence[Charge]) -> Verdict:
        self.watch.judged(here=not self._deny)
        if self._deny:
            raise Unavailable(reason="Redis is gone and on_redis_loss is deny")
        for charge in charges:
            account, key = self._local.account(charge), (charge.account, charge.part)
            known = self._known.get(key, 0) + self._owed.get(key, 0)
            account.spent[charge.part] = max(known, account.spent.get(charge.part, 0))
        verdict = self._local.reserve(charges)
        if verdict.refused < 0:
            self._without.update(map(id, charges))
        return verdict

    def settle(self, corrections: Sequence[Correction]) -> None:
        """Put what was spent in the place of what was reserved, as soon as Redis is there."""
        if self._is_local(corrections):
            self._local.settle(corrections)
        else:
            for each in corrections:
                self._owe(each.charge, each.spent - each.charge.amount)
        if len(self.waiting) >= _MOST_WAITING:
            self._log.error("Redis is gone for too long: what a request cost is not booked there")
            self.watch.dropped()
            self._forget(corrections)
            return
        if not self._link.up:
            self.watch.lost()
        self.waiting.append(_Step(next(self._steps), corrections))
        self._book()

    def _is_local(self, corrections: Sequence[Correction]) -> bool:
        without = self._without
        return bool(without) and not without.isdisjoint(id(each.charge) for each in corrections)

    def _forget(self, corrections: Sequence[Correction]) -> None:
        """Nobody waits for the end of these any more."""
        if not self._is_local(corrections):
            for each in corrections:
                self._owe(each.charge, -each.spent)
        if self._without:
            self._without.difference_update(id(each.charge) for each in corrections)

    def _book(self) -> None:
        """Tell Redis what it does not know, one step at a time."""
        if self._booking or not self._link.up:
            return
        if not self.waiting:
            self.watch.back()
            return
        self._booking = True
        step = self.waiting[0]
        keys = [f"{self._prefix}step:{self._process}"]
        keys += self._keys([each.charge for each in step.corrections])
        numbers = []
        oldest = self._now() // 60 - HELD_MINUTES
        for each in step.corrections:
            charge = each.charge
            # What Redis has spent as estimated meanwhile is corrected; what it never had is added.
            is_added = charge.minute >= oldest or id(charge) in self._without
            keep = charge.keep if is_added else -charge.keep
            known = self._known.get((charge.account, charge.part), 0)
            numbers.append(
                f"{charge.part} {charge.minute} {charge.amount} {each.spent} {keep} {known}"
            )
        asked = self._link.evaluate(_SETTLE, keys, [" ".join((*numbers, str(step.number)))])
        asked.addCallbacks(self._booked, self._not_booked, callbackArgs=(step,))

    def _booked(self, sums: str | int, step: _Step) -> None:
        self._booking = False
        self.waiting.popleft()
        self._forget(step.corrections)
        # The client makes a number of a text that is one.
        for each, spent in zip(step.corrections, map(int, str(sums).split()), strict=True):
            self._learn(each.charge, spent)
        self._book()

    def _not_booked(self, failure: Any) -> None:
        # The step has a number, so it may be told again although Redis may have heard of it.
        failure.trap(RedisGone)
        self._booking = False

    async def read(self, charges: Sequence[Charge]) -> Sequence[Standing]:
        """The standing of each account; while Redis is gone, as far as this process knows."""
        arguments: list[int] = []
        for each in charges:
            arguments += (each.since, each.minute, each.keep)
        try:
            answer = await self._link.evaluate(_READ, self._keys(charges), _written(arguments))
        except RedisGone:
            return self._local.read(charges)
        numbers = [*map(int, answer.split())]
        spent, held, oldest = (numbers[at::3] for at in range(3))
        return [
            Standing(spent[at], held[at], oldest[at] or charge.part)
            for at, charge in enumerate(charges)
        ]

    def _keys(self, charges: Sequence[Charge]) -> list[str]:
        return [self._prefix + charge.account for charge in charges]


def _written(numbers: Sequence[int]) -> list[str]:
    return [" ".join(map(str, numbers))]
