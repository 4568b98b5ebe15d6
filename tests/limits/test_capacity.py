from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import Unavailable
from naap_twisted.limits.capacity import Capacity, CapacityLimits, leave
from naap_twisted.limits.in_flight import InFlightLimit
from naap_twisted.model import User

ADA = User("ada")


def capacity(total: int = 9, route: int = 9, user: int = 9, queued: int = 0) -> Capacity:
    return Capacity.of(
        CapacityLimits(
            InFlightLimit(total, queued), InFlightLimit(route, queued), InFlightLimit(user, queued)
        )
    )


def entering(places: Capacity, user: User | None = None) -> Deferred[list[object]]:
    return Deferred.fromCoroutine(places.enter(user))


class CapacityTests(SynchronousTestCase):
    def test_each_limit_alone_refuses(self) -> None:
        """Total, route and user each hold; after leaving, all three are free again."""
        for name in ("total", "route", "user"):
            places = capacity(**{name: 1})
            held = self.successResultOf(entering(places, ADA))
            self.failureResultOf(entering(places, ADA), Unavailable)
            leave(held)
            leave(self.successResultOf(entering(places, ADA)))

    def test_a_refusal_holds_nothing(self) -> None:
        """The user's and the route's places are given back when the total is full."""
        places = capacity(total=1, user=2)
        held = self.successResultOf(entering(places))
        for _ in range(5):
            self.failureResultOf(entering(places, ADA), Unavailable)
        leave(held)
        leave(self.successResultOf(entering(places, ADA)))

    def test_siblings_share_the_total(self) -> None:
        """Two routes of one server count towards the same total, not the same route."""
        one = capacity(total=2, route=1)
        other = one.sibling(InFlightLimit(1))
        held = self.successResultOf(entering(one)) + self.successResultOf(entering(other))
        self.failureResultOf(entering(one.sibling(InFlightLimit(5))), Unavailable)
        leave(held)

    def test_cancelled_in_the_queue(self) -> None:
        """A browser that leaves the queue leaves nothing behind."""
        places = capacity(total=1, queued=1)
        held = self.successResultOf(entering(places))
        waiting = entering(places, ADA)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        leave(held)
        leave(self.successResultOf(entering(places, ADA)))

    def test_in_flight(self) -> None:
        """Counted over all routes; those in a queue are not in flight."""
        one = capacity(total=2, queued=1)
        other = one.sibling(InFlightLimit(9))
        held = [self.successResultOf(entering(each)) for each in (one, other)]
        waiting = entering(one)
        self.assertEqual((one.in_flight, other.in_flight), (2, 2))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        for places in held:
            leave(places)
        self.assertEqual(one.in_flight, 0)


class HouseTests(SynchronousTestCase):
    def test_room_for_others(self) -> None:
        """A route that holds all it may is refused at once, queue or not; the other goes on."""
        base = Capacity.of(CapacityLimits(), 32)
        busy, other = (base.sibling(InFlightLimit(20, 100)) for _ in range(2))
        busy.move_in()
        other.move_in()
        waiting = [entering(busy) for _ in range(29)]
        self.assertEqual(sum(bool(each.called) for each in waiting), 20)
        self.assertIsNone(busy.take(None))
        self.failureResultOf(entering(busy), Unavailable)
        places = other.take(ADA)
        assert places is not None
        leave(places)
        leave(self.successResultOf(waiting[0]))
        self.assertTrue(waiting[20].called)
        for each in waiting[1:20]:
            leave(self.successResultOf(each))
        for each in waiting[20:]:
            leave(self.successResultOf(each))
        self.assertEqual((base.in_flight, base._house._inside), (0, 0))

    def test_who_leaves_the_queue(self) -> None:
        """Leaves nothing behind in the house either."""
        base = Capacity.of(CapacityLimits(), 32)
        busy = base.sibling(InFlightLimit(1, 5))
        busy.move_in()
        held = self.successResultOf(entering(busy))
        waiting = entering(busy)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        leave(held)
        self.assertEqual(base._house._inside, 0)

    def test_moving(self) -> None:
        """Room is left for the routes that are there, not for one that is gone or not yet there."""
        base = Capacity.of(CapacityLimits(), 64)
        busy, other = (base.sibling(InFlightLimit(100)) for _ in range(2))
        busy.move_in()
        alone = [busy.take(None) for _ in range(64)]
        self.assertNotIn(None, alone)
        other.move_in()
        self.assertIsNone(busy.take(None))
        other.move_out()
        other.move_out()
        self.assertIsNotNone(busy.take(None))
