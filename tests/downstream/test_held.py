"""The account of bodies that are held whole: two bounds, and nothing is ever kept back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.held import HeldBytes, Hold
from naap_twisted.errors import Unavailable


class Bounds(SynchronousTestCase):
    def test_of_one_caller(self):
        """Its bodies together have a bound; another's have their own."""
        account = HeldBytes(1000, 100)
        first, second, other = (Hold(account, key) for key in ("a", "a", "b"))
        first.take(60)
        second.take(40)
        self.assertRaises(Unavailable, second.take, 1)
        other.take(100)
        self.assertEqual((account.total, account.refused, account.by_key["a"]), (200, 1, 100))
        first.release()
        second.take(60)

    def test_of_all(self):
        """So have those of all callers."""
        account = HeldBytes(100, 100)
        Hold(account, "a").take(60)
        mine = Hold(account, "b")
        mine.take(40)
        error = self.assertRaises(Unavailable, mine.take, 1)
        self.assertEqual(error.headers, ((b"Retry-After", b"1"),))
        self.assertNotIn("60", error.message)

    def test_alone(self):
        """How large a single body may be is not decided here, but it leaves no room for others."""
        account = HeldBytes(100, 50)
        alone = Hold(account, "a")
        for size in (40, 40, 400):
            alone.take(size)
        self.assertRaises(Unavailable, Hold(account, "a").take, 1)
        self.assertRaises(Unavailable, Hold(account, "b").take, 1)

    def test_foreseen(self):
        """To ask takes no room, and a refusal is counted."""
        account = HeldBytes(100, 100)
        Hold(account, "a").take(60)
        for key in ("a", "b"):
            hold = Hold(account, key)
            hold.check(40)
            self.assertRaises(Unavailable, hold.check, 41)
        self.assertEqual((account.total, account.refused, len(account.by_key)), (60, 2, 1))

    def test_given_back_once(self):
        """A second release gives nothing back that belongs to others."""
        account = HeldBytes(100, 100)
        first, second = Hold(account, "a"), Hold(account, "a")
        first.take(10)
        second.take(20)
        for _ in range(2):
            first.release()
            self.assertEqual((account.total, account.by_key["a"]), (20, 20))


class AnyOrder(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 5), st.sampled_from(["take", "check", "release"]), st.integers(0, 60)
            ),
            max_size=60,
        )
    )
    def test_sums(self, steps):
        """What the account says is what its bodies hold, within its bounds or one body's own."""
        account = HeldBytes(150, 80)
        holds = [Hold(account, "abc"[n % 3]) for n in range(6)]
        for number, step, size in steps:
            hold = holds[number]
            try:
                hold.release() if step == "release" else getattr(hold, step)(size)
            except Unavailable:
                pass
            self.assertEqual(account.total, sum(each.size for each in holds))
            self.assertTrue(account.total <= 150 or account.total == max(h.size for h in holds))
            for key in "abc":
                sizes = [each.size for each in holds["abc".index(key) :: 3]]
                self.assertEqual(account.by_key.get(key, 0), sum(sizes))
                self.assertTrue(sum(sizes) <= 80 or sum(sizes) == max(sizes))
        for hold in holds:
            hold.release()
        self.assertEqual((account.total, len(account.by_key)), (0, 0))
