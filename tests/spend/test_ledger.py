"""Tests of naap_twisted.spend.ledger."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.spend.ledger import Account, Correction, MemoryLedger

from .ledger_contract import CHARGE, DAY, LedgerContract, at


class MemoryTests(LedgerContract, TestCase):
    def setUp(self) -> None:
        self.ledger = MemoryLedger()


class BoundTests(SynchronousTestCase):
    def test_no_account_is_forgotten(self) -> None:
        """A full ledger opens no account, rather than give a budget away; the old ones go on."""
        ledger = MemoryLedger(most=2)
        for name in ("a", "b"):
            ledger.reserve([evolve(CHARGE, account=name)])
        more = evolve(CHARGE, account="c")
        self.assertRaises(Unavailable, ledger.reserve, [more])
        self.assertEqual(ledger.reserve([CHARGE]).refused, -1)
        self.assertEqual(ledger.read([more])[0].total, 0)

    def test_what_is_over_is_closed(self) -> None:
        """Accounts of windows that nobody asks for any more make room."""
        ledger = MemoryLedger(most=2)
        for name in ("a", "b"):
            ledger.reserve([evolve(CHARGE, account=name)])
        later = at(3 * 1440)
        ledger.reserve([evolve(later, account="c", part=4 * DAY, since=4 * DAY)])
        self.assertEqual(len(ledger), 1)

    def test_written(self) -> None:
        """An account is the same after a store."""
        account = Account({DAY: 5, 2 * DAY: 1 << 60}, {(DAY, 7): 3})
        self.assertEqual(Account.read(account.written()), account)
        self.assertEqual(Account.read(""), Account())


class PromiseTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 9))), st.integers(1, 30)
    )
    def test_one_worst_case(self, steps: list[tuple[bool, int, int]], limit: int) -> None:
        """Whatever comes in which order, the sum passes the limit by less than one worst case.

        No request costs more than it reserved.
        """
        ledger, open_charges = MemoryLedger(), []
        for reserves, amount, spent in steps:
            charge = evolve(CHARGE, limit=limit, amount=amount)
            if reserves:
                if ledger.reserve([charge]).refused < 0:
                    open_charges.append(charge)
            elif open_charges:
                settled = open_charges.pop()
                ledger.settle([Correction(settled, min(spent, settled.amount))])
            (standing,) = ledger.read([charge])
            self.assertLess(standing.total, limit + 9)
            self.assertEqual(standing.held, sum(each.amount for each in open_charges))
