"""Counting places for shares."""

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.upstream.places import PlaceLimits, Places, Share

LIMITS = PlaceLimits(total=10, reserve=2, route=5, caller=4, both=2)


class PlacesTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """Whoever comes, in whatever order: no bound is passed, and what is held is not in vain."""
        shares = [Share(route, caller) for route, caller in product((1, 2, 3), "abcd")]
        for start in range(len(shares)):
            places = Places(LIMITS)
            held: list[Share] = []
            for step in range(100):
                share = shares[(start + step * step) % len(shares)]
                of_route = sum(one.route == share.route for one in held)
                of_caller = sum(one.caller == share.caller for one in held)
                room = of_route < 5 and of_caller < 4 and held.count(share) < 2
                room = room and (len(held) < 10 or of_route < 2)
                self.assertEqual(places.full(share), not room)
                if room:
                    places.take(share)
                    held.append(share)
                elif step % 3 == 0:
                    places.leave(held.pop(0))
                self.assertEqual(len(places), len(held))

    def test_nothing_is_kept(self) -> None:
        """A caller that holds nothing is not remembered."""
        places = Places(LIMITS)
        for number in range(100):
            places.take(Share(number, "ada"))
            self.assertFalse(places.full(Share(1000 + number)))
            places.leave(Share(number, "ada"))
        self.assertEqual((len(places), len(places._held)), (0, 0))
