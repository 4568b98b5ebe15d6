"""Answers kept for retries: who gets which, for how long, and how much of all is held."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import IdempotencyConflict
from naap_twisted.limits.replays import (
    OVERHEAD,
    ReplayBounds,
    Replayed,
    ReplayKey,
    Replays,
    Running,
    retry_after,
)

ADA = ReplayKey("/api/v1/pay", "u:ada", "k1")
BO = ReplayKey("/api/v1/pay", "u:bo", "k1")


class Case(SynchronousTestCase):
    def begin(self, **bounds):
        self.clock = Clock()
        self.replays = Replays(self.clock, ReplayBounds(**bounds))

    def first(self, owner=ADA, fingerprint=b"f", window=600.0):
        begun = self.replays.begin(owner, fingerprint, window)
        self.assertIsInstance(begun, Running)
        return begun

    def keep(self, owner=ADA, answer=b"answer", beside="guard", **more):
        running = self.first(owner, **more)
        self.assertTrue(running.take(len(answer)))
        running.keep(answer, beside)

    def replayed(self, owner=ADA, fingerprint=b"f"):
        begun = self.replays.begin(owner, fingerprint, 600.0)
        return begun.answer if isinstance(begun, Replayed) else None

    def refused(self, owner=ADA, fingerprint=b"f"):
        error = self.assertRaises(
            IdempotencyConflict, self.replays.begin, owner, fingerprint, 600.0
        )
        return dict(error.headers)

    def key(self, number, caller="u:ada"):
        return ReplayKey("/p", caller, f"k{number}")


class KeyTests(Case):
    def test_kept(self):
        """The answer and what was kept beside it, as often as it is asked for."""
        self.begin()
        self.keep()
        for _ in range(2):
            begun = self.replays.begin(ADA, b"f", 600.0)
            self.assertEqual((begun.answer, begun.beside), (b"answer", "guard"))
        self.assertEqual(
            dict(self.replays.counts), {(ADA.route, "kept"): 1, (ADA.route, "replayed"): 2}
        )

    def test_running(self):
        """The longer the first runs, the later the retry is to come again."""
        self.begin()
        self.first()
        for seconds, told in ((0, b"1"), (40, b"10"), (400, b"30")):
            self.clock.advance(seconds)
            self.assertEqual(self.refused(), {b"Retry-After": told})

    def test_another_request(self):
        """A fingerprint that differs is refused for good, whether the first runs or is over."""
        self.begin()
        running = self.first()
        self.assertEqual(self.refused(fingerprint=b"g"), {b"X-Should-Retry": b"false"})
        running.keep(b"answer", "guard")
        self.assertEqual(self.refused(fingerprint=b"g"), {b"X-Should-Retry": b"false"})
        self.assertEqual(self.replays.counts[ADA.route, "differs"], 2)

    def test_released(self):
        """A key that is free again belongs to the next request, whatever that is."""
        self.begin()
        running = self.first()
        running.release()
        running.release()
        running.keep(b"late", "guard")
        self.assertFalse(running.take(1))
        self.first(fingerprint=b"g")
        self.assertEqual(dict(self.replays.counts), {(ADA.route, "released"): 1})

    def test_owners(self):
        """Route, caller and key are told apart, whatever characters they hold."""
        self.begin()
        owners = [ADA, BO, ReplayKey("/q", "u:ada", "k1"), ReplayKey(ADA.route, "u:ada", "k2")]
        owners += [ReplayKey('/a", "b', "c", "d"), ReplayKey("/a", 'b", "c', "d")]
        owners += [ReplayKey("/a", "b", 'c", "d')]
        for number, owner in enumerate(owners):
            self.keep(owner, b"%d" % number)
        self.assertEqual([self.replayed(owner) for owner in owners], [b"%d" % n for n in range(7)])

    def test_the_window_ends(self):
        """It begins when the answer is kept, and each answer has the window of its route."""
        self.begin()
        running = self.first(window=5.0)
        self.keep(BO, window=60.0)
        self.clock.advance(30.0)
        running.keep(b"answer", "guard")
        self.clock.advance(4.9)
        self.assertEqual(self.replayed(), b"answer")
        self.clock.advance(0.2)
        self.assertIsNone(self.replayed())
        self.assertEqual(self.replayed(BO), b"answer")

    def test_old_ones_go(self):
        """What is over makes room, though nobody asks for it."""
        self.begin()
        for number in range(50):
            self.keep(self.key(number), window=5.0)
        self.clock.advance(6.0)
        for _ in range(10):
            self.replays.begin(BO, b"f", 600.0).release()
        self.assertEqual((len(self.replays), self.replays.size), (0, 0))
        self.assertEqual(self.replays._callers, {})


class SealTests(Case):
    def test_nothing_in_the_clear(self):
        """Neither the answer nor what would open it can be read in what is held."""
        self.begin()
        owner = ReplayKey("/p", "u:ada", "a-secret-key")
        self.keep(owner, b"a secret answer", fingerprint=b"a secret fingerprint")
        self.keep(owner=BO, answer=b"a secret answer", fingerprint=b"a secret fingerprint")
        held = [each for kept in self.replays._kept.values() for each in (kept.name, kept.mark)]
        held += [kept.sealed for kept in self.replays._kept.values()]
        for each in held:
            self.assertNotIn(b"secret", each)
        self.assertNotIn("secret", repr(list(self.replays._kept.values())))
        self.assertNotIn("secret", repr(owner))
        first, second = (kept.sealed for kept in self.replays._kept.values())
        self.assertNotEqual(first, second)

    def test_processes(self):
        """Another process can't open it."""
        self.begin()
        self.keep()
        kept = next(iter(self.replays._kept.values()))
        other = Replays(self.clock)
        self.assertRaises(InvalidTag, other._open, kept, ADA, b"f")
        self.assertEqual(self.replays._open(kept, ADA, b"f"), b"answer")


class RoomTests(Case):
    def test_one_answer(self):
        """An answer over the bound has no room; up to it, it has."""
        self.begin(answer=10)
        running = self.first()
        self.assertTrue(running.take(10))
        self.assertFalse(running.take(1))
        running.keep(b"x" * 10, "guard")
        self.assertEqual(self.replayed(), b"x" * 10)

    def test_oldest_first(self):
        """Where all have no room, the oldest goes, whoever's it is."""
        self.begin(total=3 * (OVERHEAD + 100))
        for number, caller in enumerate(("u:a", "u:b", "u:c", "u:d")):
            self.keep(self.key(number, caller), b"x")
        known = [self.replayed(self.key(n, c)) for n, c in enumerate(("u:a", "u:b", "u:c", "u:d"))]
        self.assertEqual(known, [None, b"x", b"x", b"x"])
        self.assertEqual(self.replays.counts["/p", "forgotten"], 1)

    def test_one_caller(self):
        """A caller who keeps much forgets what is the caller's own."""
        self.begin(caller=2 * (OVERHEAD + 100))
        self.keep(BO)
        for number in range(4):
            self.keep(self.key(number), b"x")
        known = [self.replayed(self.key(number)) for number in range(4)]
        self.assertEqual(known, [None, None, b"x", b"x"])
        self.assertEqual(self.replayed(BO), b"answer")

    def test_running_ones_stay(self):
        """What runs is never forgotten; where it fills everything, nothing more is held."""
        self.begin(total=2000, caller=2000)
        running = self.first()
        self.assertTrue(running.take(2000))
        other = self.first(BO)
        self.assertFalse(other.take(1))
        other.release("too_long")
        self.assertIn(b"Retry-After", self.refused())
        running.keep(b"x" * 2000, "guard")
        self.assertIsNone(self.replayed())
        self.assertEqual(self.replays.counts[ADA.route, "too_long"], 2)
        self.assertEqual(self.replays.size, 0)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(*(st.integers(0, 9) for _ in range(4))), max_size=60))
    def test_books(self, steps):
        """Whatever comes, the sums are those of what is there, and no bound is passed."""
        self.begin(answer=500, total=6000, caller=4000, running=3, running_per_caller=2)
        going = []
        for caller, key, step, size in steps:
            owner = self.key(key, f"u:{caller % 3}")
            try:
                begun = self.replays.begin(owner, b"%d" % (size % 2), 1.0 + key % 2)
            except IdempotencyConflict:
                begun = None
            if isinstance(begun, Running):
                going.append(begun)
            if going and step < 8:
                running = going[size % len(going)]
                if step < 3:
                    running.take(size * 60)
                elif step == 3:
                    running.go_on_alone(running.release)
                else:
                    going.remove(running)
                    running.keep(b"x" * running.size, "guard") if step < 7 else running.release()
            self.clock.advance(size / 10)
            self.check_books([each for each in going if not each.over])
        self.replays.cut()
        for running in going:
            running.release()
        self.clock.advance(10)
        self.assertEqual((self.replays.going_on, self.clock.getDelayedCalls()), (0, []))

    def check_books(self, going):
        replays, bounds = self.replays, self.replays.bounds
        kept = list(replays._kept.values())
        held = sum(each.size for each in (*kept, *going))
        self.assertEqual(replays.size, held)
        self.assertTrue(held <= bounds.total)
        self.assertEqual(sum(account.size for account in replays._callers.values()), held)
        self.assertTrue(all(each.size <= bounds.caller for each in replays._callers.values()))
        self.assertEqual(sum(map(len, replays._by_window.values())), len(kept))
        self.assertEqual(sum(len(each.kept) for each in replays._callers.values()), len(kept))
        self.assertTrue(replays.going_on <= bounds.running)
        alone = [account.alone for account in replays._callers.values()]
        self.assertEqual(sum(alone), replays.going_on)
        self.assertTrue(all(each <= bounds.running_per_caller for each in alone))
        self.assertEqual(len(replays._running), len(going))


class AloneTests(Case):
    def test_for_so_long(self):
        """An exchange without its caller is cut at the end of the window, or of ten minutes."""
        for window, seconds in ((5.0, 5.0), (3600.0, 600.0)):
            self.begin()
            cuts = []
            running = self.first(window=window)
            self.assertEqual(running.left, 0.0)
            self.assertTrue(running.go_on_alone(lambda cuts=cuts: cuts.append(1)))
            self.assertTrue(running.is_alone)
            self.assertEqual(running.left, seconds)
            self.clock.advance(seconds - 1)
            self.assertEqual((running.left, cuts), (1.0, []))
            self.clock.advance(1)
            self.assertEqual((running.left, cuts), (0.0, [1]))

    def test_so_many(self):
        """So many of one caller, and of all."""
        self.begin(running=3, running_per_caller=2)
        firsts = [self.first(self.key(n, c)) for n, c in enumerate(("u:a",) * 3 + ("u:b",) * 3)]
        may = [each.go_on_alone(each.release) for each in firsts]
        self.assertEqual(may, [True, True, False, True, False, False])
        firsts[0].keep(b"", "guard")
        self.assertEqual((self.replays.going_on, firsts[0].is_alone), (2, False))
        self.assertTrue(firsts[2].go_on_alone(firsts[2].release))
        self.replays.cut()
        self.assertEqual(self.replays.going_on, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_over(self):
        """It has nothing to go on with, and nothing to cut."""
        self.begin()
        running = self.first()
        running.cut()
        running.release()
        self.assertFalse(running.go_on_alone(running.release))
        running.cut()

    def test_retry_after(self):
        self.assertEqual(
            [retry_after(ran) for ran in (-5, 0, 3.9, 8, 119, 1e9)], [1, 1, 1, 2, 29, 30]
        )
