"""The ledger of budgets: what was spent, what is reserved, and who may still spend. Pure.

A request reserves what it may cost at most under all of its budgets together, or under none. It
passes while what is spent and reserved stays below the limit, so that spend passes a limit by no
more than one request's worst case, however many requests come at once. At its end the reservation
gives way to what the request did cost.

A reservation that nobody settles, because its process died, is spent as estimated after
:data:`HELD_MINUTES`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from typing import Protocol

from attrs import define, field, frozen

from ..errors import Unavailable

#: Minutes after which a reservation is spent as estimated.
HELD_MINUTES = 15


@frozen
class Charge:
    """What a request reserves under one budget.

    :ivar account: who spends, by a name of its own for every budget.
    :ivar part: the part of the window that is charged; *since*: the first one that counts.
    :ivar minute: of the reservation, since 1970.
    :ivar limit: of the budget, in its unit; *amount* as well.
    :ivar enforced: a request over the limit is refused, and not only told.
    :ivar keep: seconds for which sums are of interest: twice the window.
    """

    account: str
    part: int
    since: int
    minute: int
    limit: int
    amount: int
    enforced: bool
    keep: int


@frozen
class Correction:
    """The end of a reservation.

    :ivar held: what *charge* reserved; *spent*: what the request did cost.
    """

    charge: Charge
    spent: int


@frozen
class Standing:
    """One account at one moment.

    :ivar spent: in the parts that count; *held*: what is reserved beside it.
    :ivar oldest: the first part that has something which counts; the present one where none has.
    """

    spent: int
    held: int
    oldest: int

    @property
    def total(self) -> int:
        """What counts against the limit."""
        return self.spent + self.held


@frozen
class Verdict:
    """The answer to a reservation.

    :ivar refused: the index of the charge whose budget refuses the request; -1: it passes.
    :ivar before: the standing of each account before it.
    """

    refused: int
    before: tuple[Standing, ...]


class Ledger(Protocol):
    """What every ledger can do. An answer may be there at once.

    Each may fail with :exc:`~naap_twisted.errors.Unavailable`.
    """

    def reserve(self, charges: Sequence[Charge]) -> Verdict | Awaitable[Verdict]:
        """Reserve under all, or under none."""

    def settle(self, corrections: Sequence[Correction]) -> Awaitable[None] | None:
        """Put what was spent in the place of what was reserved."""

    def read(self, charges: Sequence[Charge]) -> Sequence[Standing] | Awaitable[Sequence[Standing]]:
        """The standing of each account."""


@define
class Account:
    """The sums of one account.

    :ivar spent: by part of the window.
    :ivar held: by part of the window and minute of the reservation.
    """

    spent: dict[int, int] = field(factory=dict)
    held: dict[tuple[int, int], int] = field(factory=dict)

    def standing(self, charge: Charge) -> Standing:
        """What counts for *charge*; what nobody settled in time is spent."""
        if self.held:
            self._expire(charge.minute - HELD_MINUTES)
        since, part = charge.since, charge.part
        if len(self.spent) == 1 and not self.held and part in self.spent:
            return Standing(self.spent[part], 0, part)
        spent = {began: n for began, n in self.spent.items() if began >= since}
        held = {began: n for (began, _), n in self.held.items() if began >= since}
        oldest = min((*spent, *held), default=part)
        together = sum(n for (began, _), n in self.held.items() if began >= since)
        return Standing(sum(spent.values()), together, oldest)

    def reserve(self, charge: Charge) -> None:
        """Hold the amount of *charge*."""
        key = charge.part, charge.minute
        if key not in self.held:
            self._forget(charge.since - charge.keep)
        self.held[key] = self.held.get(key, 0) + charge.amount

    def settle(self, correction: Correction) -> None:
        """Spend what the request of *correction* did cost; give back what it held."""
        charge, spent = correction.charge, correction.spent
        key = charge.part, charge.minute
        held = self.held.get(key, 0)
        if held > charge.amount:
            self.held[key] = held - charge.amount
        elif held == charge.amount:
            self.held.pop(key, None)
        else:
            # The reservation was spent as estimated meanwhile.
            spent -= charge.amount
        self.spent[charge.part] = max(0, self.spent.get(charge.part, 0) + spent)

    def _expire(self, minute: int) -> None:
        for key in [key for key in self.held if key[1] < minute]:
            self.spent[key[0]] = self.spent.get(key[0], 0) + self.held.pop(key)

    def _forget(self, before: int) -> None:
        # A clock that is set back by less than a window finds its sums again.
        for part in [part for part in self.spent if part < before]:
            del self.spent[part]

    def written(self) -> str:
        """The sums as JSON, for a store."""
        held = {f"{part}:{minute}": n for (part, minute), n in self.held.items()}
        return json.dumps({"spent": self.spent, "held": held}, separators=(",", ":"))

    @classmethod
    def read(cls, written: str) -> Account:
        """The account that :meth:`written` wrote; an empty text is a new one."""
        sums = json.loads(written or "{}")
        held = {tuple(map(int, key.split(":"))): n for key, n in sums.get("held", {}).items()}
        return cls({int(part): n for part, n in sums.get("spent", {}).items()}, held)  # type: ignore[arg-type]


def decided(accounts: Sequence[Account], charges: Sequence[Charge]) -> Verdict:
    """Reserve *charges* under their *accounts*, where every budget lets them pass."""
    before = tuple([a.standing(c) for a, c in zip(accounts, charges, strict=True)])
    for index, (standing, charge) in enumerate(zip(before, charges, strict=True)):
        if charge.enforced and standing.total >= charge.limit:
            return Verdict(index, before)
    for account, charge in zip(accounts, charges, strict=True):
        account.reserve(charge)
    return Verdict(-1, before)


class MemoryLedger:
    """A ledger in this process's memory; it ends with the process.

    :param most: accounts; no more are opened, for to forget one would give its budget away.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        # For each length of time that sums are of interest: accounts in the order of their last
        # use, each with the moment after which it is of none.
        self._tables: dict[int, OrderedDict[str, tuple[Account, int]]] = {}

    def __len__(self) -> int:
        """How many accounts are open."""
        return sum(map(len, self._tables.values()))

    def account(self, charge: Charge) -> Account:
        """The account that is charged, opened where there is none.

        :raises Unavailable: there are too many.
        """
        table = self._tables.get(charge.keep)
        if table is None:
            table = self._tables[charge.keep] = OrderedDict()
        now = charge.minute * 60
        known = table.get(charge.account)
        if known is None:
            self._make_room(table, now)
            account = Account()
        else:
            account = known[0]
            table.move_to_end(charge.account)
        table[charge.account] = account, now + charge.keep
        return account

    def _make_room(self, table: OrderedDict[str, tuple[Account, int]], now: int) -> None:
        """Close two accounts that are of no interest for each new one."""
        for _ in range(2):
            name, (_, until) = next(iter(table.items()), ("", (None, now)))
            if until >= now:
                break
            del table[name]
        if len(self) >= self._most:
            raise Unavailable(reason=f"the ledger has {self._most} accounts, and opens no more")

    def reserve(self, charges: Sequence[Charge]) -> Verdict:
        """Reserve under all of the budgets, or under none.

        :raises Unavailable: there are too many accounts.
        """
        return decided([self.account(charge) for charge in charges], charges)

    def settle(self, corrections: Sequence[Correction]) -> None:
        """Put what was spent in the place of what was reserved."""
        for correction in corrections:
            self.account(correction.charge).settle(correction)

    def read(self, charges: Sequence[Charge]) -> tuple[Standing, ...]:
        """The standing of each account; none is opened."""
        return tuple([self._known(charge).standing(charge) for charge in charges])

    def _known(self, charge: Charge) -> Account:
        table = self._tables.get(charge.keep)
        known = None if table is None else table.get(charge.account)
        return Account() if known is None else known[0]
