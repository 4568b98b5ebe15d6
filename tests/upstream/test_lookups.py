from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway, Unavailable, UpstreamTimeout
from naap_twisted.model import Answer
from naap_twisted.upstream.lookups import LookupLimits, SharedLookups
from naap_twisted.upstream.places import PlaceLimits, Share
from naap_twisted.upstream.resolver import NoAddress

ONE = ip_address("192.0.2.1")


class Asked:
    """A resolver that answers when told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Deferred[Answer]]] = []

    def resolve(self, host: str) -> Deferred[Answer]:
        waiting: Deferred[Answer] = Deferred()
        self.asked.append((host, waiting))
        return waiting


class LookupsCase(SynchronousTestCase):
    limits = LookupLimits(
        waited=PlaceLimits(total=4, reserve=1, route=3, caller=3, both=2),
        running=PlaceLimits(total=8, reserve=2, route=6, caller=6, both=4),
        names=2,
    )

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Asked()
        self.lookups = SharedLookups(self.inner, self.clock, self.limits)

    def answer(self, index: int, ttl: float) -> None:
        self.inner.asked[index][1].callback(Answer((ONE,), ttl))

    def fail_with(self, index: int, error: Exception) -> None:
        self.inner.asked[index][1].errback(error)

    def leave(self, waiter: Deferred[Answer]) -> None:
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)


class SharedLookupsTests(LookupsCase):
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

    def test_no_address_is_kept_for_a_second(self) -> None:
        """A hundred requests for a name that has no address ask once, each with its own error."""
        first = self.lookups.resolve("a.example")
        self.fail_with(0, NoAddress(reason="no address for a.example"))
        errors = [self.failureResultOf(first, NoAddress).value]
        for _ in range(100):
            again = self.lookups.resolve("a.example")
            errors.append(self.failureResultOf(again, NoAddress).value)
        self.assertEqual(len(self.inner.asked), 1)
        self.assertEqual({error.reason for error in errors}, {"no address for a.example"})
        self.assertEqual(len(set(map(id, errors))), len(errors))
        self.clock.advance(1)
        self.lookups.resolve("a.example")
        self.assertEqual(len(self.inner.asked), 2)

    def test_bounded_memory(self) -> None:
        """The oldest of more names than are remembered is forgotten."""
        for index, name in enumerate(("a", "b", "c")):
            self.lookups.resolve(name)
            self.answer(index, 60)
        self.lookups.resolve("c")
        self.assertEqual(len(self.inner.asked), 3)
        self.lookups.resolve("a")
        self.assertEqual(len(self.inner.asked), 4)


class SecondTryTests(LookupsCase):
    """A look-up that fails answers nobody: whoever waited gets one more."""

    def test_nobody_fails_by_another(self) -> None:
        """The one who began it and those who joined it get the answer of the second try."""
        waiting = [self.lookups.resolve("a.example") for _ in range(3)]
        self.fail_with(0, AttributeError("lost"))
        self.assertEqual(len(self.inner.asked), 2)
        for one in waiting:
            self.assertNoResult(one)
        self.answer(1, 0)
        for one in waiting:
            self.assertEqual(self.successResultOf(one).addresses, (ONE,))
        self.assertEqual(self.lookups.asking, 0)

    def test_twice(self) -> None:
        """The second failure is theirs, and says what it was; who came between has a try left."""
        for error, expected, word in (
            (AttributeError("secret"), BadGateway, "AttributeError"),
            (BadGateway(reason="SERVFAIL"), BadGateway, "SERVFAIL"),
            (TimeoutError(), UpstreamTimeout, "took too long"),
        ):
            self.setUp()
            early = self.lookups.resolve("a.example")
            self.fail_with(0, error)
            between = self.lookups.resolve("a.example")
            self.fail_with(1, error)
            reason = self.failureResultOf(early, expected).value.reason
            self.assertIn(word, reason)
            self.assertNotIn("secret", reason)
            self.assertNoResult(between)
            self.answer(2, 0)
            self.successResultOf(between)
            self.assertEqual(self.lookups.asking, 0)

    def test_at_once(self) -> None:
        """A resolver that raises, or whose Deferred has failed already."""

        class Broken:
            asked = 0

            def resolve(self, host: str) -> Deferred[Answer]:
                self.asked += 1
                if self.asked == 1:
                    raise OSError()
                return fail(OSError())

        broken = Broken()
        lookups = SharedLookups(broken, self.clock)
        error = self.failureResultOf(lookups.resolve("a.example"), BadGateway).value
        self.assertEqual(error.reason, "DNS look-up of a.example failed: OSError")
        self.assertEqual((broken.asked, lookups.asking), (2, 0))

    def test_final(self) -> None:
        """That there is no address is an answer, and that nothing can be asked is no accident."""
        for error in (NoAddress(), Unavailable()):
            self.setUp()
            waiting = self.lookups.resolve("a.example")
            self.fail_with(0, error)
            self.failureResultOf(waiting, type(error))
            self.assertEqual((len(self.inner.asked), self.lookups.asking), (1, 0))

    def test_not_kept(self) -> None:
        """The next request asks again."""
        waiting = self.lookups.resolve("a.example")
        for index in range(2):
            self.fail_with(index, BadGateway())
        self.failureResultOf(waiting, BadGateway)
        self.lookups.resolve("a.example")
        self.assertEqual(len(self.inner.asked), 3)

    def test_nobody_waits(self) -> None:
        """No second try for those who left."""
        self.leave(self.lookups.resolve("a.example"))
        self.fail_with(0, BadGateway())
        self.assertEqual((len(self.inner.asked), self.lookups.asking), (1, 0))


class ShareTests(LookupsCase):
    """Places: 4 in all, 3 a route or a caller, 2 for both, 1 that a route has in any case.

    Twice as many with those left behind.
    """

    def ask(self, name: str, route: int, caller: str) -> Deferred[Answer]:
        return self.lookups.resolve(name, Share(route, caller))

    def refused(self, *who: object) -> None:
        self.assertRaises(Unavailable, self.ask, *who)

    def test_caller(self) -> None:
        """Who asks for too many names keeps nobody else from asking, on that route or another."""
        self.ask("a", 1, "ada")
        self.ask("b", 1, "ada")
        self.refused("c", 1, "ada")
        self.ask("c", 1, "bob")
        self.ask("d", 2, "ada")
        self.refused("e", 3, "ada")

    def test_route(self) -> None:
        """A route's callers together leave some to the others."""
        for name in ("a", "b", "c"):
            self.ask(name, 1, name)
        self.refused("d", 1, "dan")
        self.ask("d", 2, "dan")
        self.refused("e", 2, "eve")

    def test_reserve(self) -> None:
        """All of them together leave something to every route."""
        for name, route in (("a", 1), ("b", 1), ("c", 2), ("d", 2)):
            self.ask(name, route, name)
        self.refused("e", 1, "eve")
        self.ask("e", 3, "eve")
        self.refused("f", 3, "fay")

    def test_what_takes_no_place(self) -> None:
        """A name that is being asked for, and one that is known."""
        self.ask("known", 1, "ada")
        self.answer(0, 60)
        self.ask("a", 1, "ada")
        self.ask("b", 1, "ada")
        self.assertNoResult(self.ask("a", 1, "ada"))
        self.successResultOf(self.ask("known", 1, "ada"))

    def test_given_back(self) -> None:
        """With the answer, and with the failure."""
        for end in (self.answer, self.fail_with):
            self.setUp()
            for name in ("a", "b"):
                self.ask(name, 1, "ada").addErrback(lambda _: None)
            end(0, 0) if end == self.answer else end(0, NoAddress())
            self.ask("c", 1, "ada")
            self.refused("d", 1, "ada")

    def test_leaving(self) -> None:
        """Who leaves gives up the place at once; the others go on waiting, and for the answer."""
        gone, stays = self.ask("a", 1, "ada"), self.ask("a", 1, "bob")
        self.leave(gone)
        self.answer(0, 0)
        self.assertEqual(self.successResultOf(stays).addresses, (ONE,))
        self.setUp()
        for name in ("a", "b"):
            self.leave(self.ask(name, 1, "ada"))
        self.ask("c", 1, "ada")
        self.ask("d", 1, "ada")
        self.refused("e", 1, "ada")

    def test_left_behind(self) -> None:
        """What runs on is bounded for the one who left it, and holds up nobody else."""
        for name in "abcd":
            self.leave(self.ask(name, 1, "ada"))
        self.refused("e", 1, "ada")
        self.ask("e", 1, "bob")
        self.ask("f", 2, "ada")
        self.answer(0, 0)
        self.ask("g", 1, "ada")

    def test_taken_up_again(self) -> None:
        """Who asks for a name that was left behind waits for that look-up, on a place of theirs."""
        self.leave(self.ask("a", 1, "ada"))
        again = self.ask("a", 1, "bob")
        self.assertEqual(len(self.inner.asked), 1)
        self.ask("b", 1, "bob")
        self.refused("c", 1, "bob")
        self.leave(self.ask("d", 1, "ada"))
        self.refused("d", 1, "bob")
        self.answer(0, 0)
        self.successResultOf(again)
        self.ask("d", 1, "bob")
        self.assertEqual([name for name, _ in self.inner.asked], ["a", "b", "d"])
