from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway, Unavailable
from naap_twisted.upstream.lookups import SharedLookups
from naap_twisted.upstream.resolver import Answer

ONE = ip_address("192.0.2.1")


class Asked:
    """A resolver that answers when told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Deferred[Answer]]] = []

    def resolve(self, host: str) -> Deferred[Answer]:
        waiting: Deferred[Answer] = Deferred()
        self.asked.append((host, waiting))
        return waiting


class SharedLookupsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Asked()
        self.lookups = SharedLookups(self.inner, self.clock, most=2, kept=2)

    def answer(self, index: int, ttl: float) -> None:
        self.inner.asked[index][1].callback(Answer((ONE,), ttl))

    def test_one_at_a_time(self) -> None:
        """Everybody who asks for a name at once shares one look-up."""
        waiting = [self.lookups.resolve("a.example") for _ in range(3)]
        self.assertEqual(len(self.inner.asked), 1)
        self.answer(0, 0)
        for one in waiting:
            self.assertEqual(self.successResultOf(one).addresses, (ONE,))

    def test_kept_for_its_ttl(self) -> None:
        """Not a second longer; an unknown TTL is none; a day is five minutes."""
        for ttl, kept in ((0, 0), (10, 10), (86_400, 300)):
            self.setUp()
            self.lookups.resolve("a.example")
            self.answer(0, ttl)
            self.clock.advance(max(0, kept - 0.5))
            self.lookups.resolve("a.example")
            self.assertEqual(len(self.inner.asked), 1 if kept else 2, ttl)
            self.clock.advance(1)
            self.lookups.resolve("a.example")
            if kept:
                self.assertEqual(len(self.inner.asked), 2, ttl)

    def test_a_failure_is_not_kept(self) -> None:
        """The next request asks again."""
        first = self.lookups.resolve("a.example")
        self.inner.asked[0][1].errback(BadGateway())
        self.failureResultOf(first, BadGateway)
        self.lookups.resolve("a.example")
        self.assertEqual(len(self.inner.asked), 2)

    def test_bounded_in_flight(self) -> None:
        """One name more than *most* is refused as busy; a name being asked is not one more."""
        self.lookups.resolve("a.example")
        self.lookups.resolve("b.example")
        self.assertRaises(Unavailable, self.lookups.resolve, "c.example")
        self.lookups.resolve("a.example")

    def test_bounded_memory(self) -> None:
        """The oldest of more than *kept* names is forgotten."""
        for index, name in enumerate(("a", "b", "c")):
            self.lookups.resolve(name)
            self.answer(index, 60)
        self.lookups.resolve("c")
        self.assertEqual(len(self.inner.asked), 3)
        self.lookups.resolve("a")
        self.assertEqual(len(self.inner.asked), 4)

    def test_leaving(self) -> None:
        """One browser that leaves does not take the answer from the others."""
        gone, stays = self.lookups.resolve("a.example"), self.lookups.resolve("a.example")
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.answer(0, 0)
        self.assertEqual(self.successResultOf(stays).addresses, (ONE,))
