"""Room for every route, whatever the others hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.limits.house import House

STEPS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=300)


class HouseTests(SynchronousTestCase):
    def fill(self, share):
        """How many come in."""
        before = share.inside
        while share.has_room:
            share.enter()
            self.assertLess(share.inside, 1_000)
        return share.inside - before

    def test_two(self):
        """One takes all but what the other has in any case; the other still has that."""
        house = House(160)
        busy, other = house.add(), house.add()
        self.assertEqual(house.reserve, 5)
        self.assertEqual(self.fill(busy), 160 - 10 - 5)
        self.assertEqual(self.fill(other), 5)
        busy.leave()
        self.assertEqual(self.fill(other), 1)

    def test_alone(self):
        """There is nobody to leave room for; the bound on connections holds."""
        share = House(10).add()
        for _ in range(20):
            self.assertTrue(share.has_room)
            share.enter()

    def test_few_places(self):
        """Each route has one place, however few there are."""
        house = House(2)
        shares = [house.add() for _ in range(4)]
        self.assertEqual([self.fill(share) for share in shares], [1] * 4)

    @given(STEPS, st.integers(1, 200), st.integers(1, 4))
    def test_any_order(self, steps, places, routes):
        """Whoever has less than the reserve gets in, and the counts are what they count."""
        house = House(places)
        shares = [house.add() for _ in range(routes)]
        for number, comes in steps:
            share = shares[number % routes]
            if not comes:
                if share.inside:
                    share.leave()
            elif share.has_room:
                share.enter()
            else:
                self.assertGreaterEqual(share.inside, house.reserve)
            inside = sum(each.inside for each in shares)
            unused = sum(max(0, house.reserve - each.inside) for each in shares)
            self.assertEqual((house._inside, house._unused), (inside, unused))
            if routes > 1:
                most = max(places - places // 16, routes * house.reserve)
                self.assertLessEqual(inside + unused, most)
