from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import Unavailable
from naap_twisted.limits.in_flight import InFlight, InFlightByKey, InFlightLimit


class InFlightTests(SynchronousTestCase):
    def test_places_then_queue_then_503(self) -> None:
        """Running, waiting, refused: in that order, and the refused one holds nothing."""
        counter = InFlight(InFlightLimit(1, 1))
        self.assertIsNone(counter.enter())
        waiting = counter.enter()
        self.assertNoResult(waiting)
        self.assertRaises(Unavailable, counter.enter)
        counter.leave()
        self.successResultOf(waiting)
        self.assertEqual(counter.running, 1)
        counter.leave()
        self.assertEqual(counter.running, 0)

    def test_first_in_first_out(self) -> None:
        """A place goes to whoever has waited longest."""
        counter = InFlight(InFlightLimit(1, 2))
        counter.enter()
        first, second = counter.enter(), counter.enter()
        counter.leave()
        self.successResultOf(first)
        self.assertNoResult(second)

    def test_leaving_the_queue(self) -> None:
        """A browser that leaves while it waits gives its turn to the next."""
        counter = InFlight(InFlightLimit(1, 2))
        counter.enter()
        gone, next_one = counter.enter(), counter.enter()
        gone.addErrback(lambda _: None)
        gone.cancel()
        counter.leave()
        self.successResultOf(next_one)
        counter.leave()
        self.assertEqual(counter.running, 0)


class ByKeyTests(SynchronousTestCase):
    def test_keys_do_not_share(self) -> None:
        """One user's exchanges take nothing from another's."""
        users = InFlightByKey(InFlightLimit(1, 0))
        self.assertIsNone(users.enter("a"))
        self.assertIsNone(users.enter("b"))
        self.assertRaises(Unavailable, users.enter, "a")

    def test_forgets_the_idle(self) -> None:
        """A user with nothing in flight costs no memory."""
        users = InFlightByKey(InFlightLimit(2, 0))
        users.enter("a")
        users.enter("a")
        users.leave("a")
        self.assertEqual(len(users), 1)
        users.leave("a")
        self.assertEqual(len(users), 0)
