"""Tests of naap_twisted.spend.book."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import Unavailable
from naap_twisted.model import Tokens, User
from naap_twisted.spend import book as module
from naap_twisted.spend.book import ALL_GUESTS, UsageBook
from naap_twisted.spend.counts import Counts, UsageKey
from tests.spend.contract import everything
from tests.spend.memory import MemoryUsageStore

KEY = UsageKey("ada", "/r", "2026-11-18")


class Store(MemoryUsageStore):
    """Counts its writes; fails, or keeps them waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.broken = False
        self.held: Deferred[None] | None = None

    def add(self, usage: Any) -> Any:
        self.writes += 1
        if self.broken:
            return fail(Unavailable(reason="gone"))
        done = super().add(usage)
        return done if self.held is None else self.held


def ended(user: str | None = "ada", **fields: Any) -> ExchangeRecord:
    fields = {"route": "/r", "phases": {"headers": 0.1}, "upstream_status": 200, **fields}
    return ExchangeRecord(user=User(user) if user else None, **fields)


class UsageBookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Store()
        self.now = 1_795_000_000
        self.book = UsageBook(self.store, self.clock, now=lambda: self.now)

    def rows(self) -> dict[UsageKey, Counts]:
        return cast(dict[UsageKey, Counts], self.do(everything(self.store)))

    def written(self) -> int:
        return sum(counts.requests for counts in self.rows().values())

    def do(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_late(self) -> None:
        """What comes after the caller is added to an exchange that was counted then; once."""
        tokens = Tokens(input=9, output=4)
        first = ended(upstream_status=0)
        self.book.ended(first)
        first.booked = tokens
        self.book.late(first)
        self.do(self.book.flush())
        self.book.late(ended(booked=tokens, usd=7))
        self.book.late(ended(model_tokens=tokens))
        self.book.late(ended())
        self.do(self.book.flush())
        ((_, counts),) = self.rows().items()
        self.assertEqual((counts.requests, counts.failed), (1, 1))
        self.assertEqual((counts.input_tokens, counts.output_tokens, counts.usd_nanos), (27, 12, 7))
        self.do(self.book.stop())

    def test_batched(self) -> None:
        """Many exchanges, one write, two seconds after the first; then nothing until the next."""
        for _ in range(100):
            self.book.ended(ended())
        self.clock.advance(1.9)
        self.assertEqual(self.store.writes, 0)
        self.clock.advance(0.2)
        self.assertEqual((self.store.writes, self.written()), (1, 100))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_counted(self) -> None:
        """Exchanges that went upstream; those of nobody who signed in are counted together."""
        for record in (
            ended(None),
            ended(None),
            ended(phases={"body": 0.1}, upstream_status=0),
            ended(upstream_status=0),
            ended(model="gpt-4o"),
        ):
            self.book.ended(record)
        self.do(self.book.flush())
        self.assertEqual(
            {key: counts.requests for key, counts in self.rows().items()},
            {evolve(KEY, user_id=""): 2, KEY: 1, evolve(KEY, model="gpt-4o"): 1},
        )

    def test_days(self) -> None:
        """A request counts on the day on which it ended, in UTC."""
        for _ in range(2):
            self.book.ended(ended())
            self.now += 86_400
        self.do(self.book.flush())
        self.assertEqual(sorted(key.day for key in self.rows()), ["2026-11-18", "2026-11-19"])

    def test_invented_names(self) -> None:
        """Who invents users or models fills no store: past so many in a day they count together."""
        self.patch(module, "MOST_USERS", 2)
        self.patch(module, "MOST_MODELS", 3)
        for n in range(9):
            self.book.ended(ended(f"u{n}", model=f"m{n}"))
            self.book.ended(ended("u0", model="m0"))
        self.do(self.book.flush())
        rows = self.rows()
        self.assertEqual({key.user_id for key in rows}, {"u0", "u1", "(others)"})
        self.assertEqual({key.model for key in rows}, {"m0", "m1", "m2", "(other)"})
        self.assertEqual(self.written(), 18)
        self.now += 86_400
        self.book.ended(ended("u8"))
        self.do(self.book.flush())
        self.assertIn(UsageKey("u8", "/r", "2026-11-19"), self.rows())

    def test_guests(self) -> None:
        """Guests, of whom there is no end, have one row together."""
        for number in range(100):
            record = ended()
            record.user = User(f"guest:{number}", guest=True)
            self.book.ended(record)
        self.do(self.book.flush())
        ((key, counts),) = self.rows().items()
        self.assertEqual((key.user_id, counts.requests), (ALL_GUESTS, 100))

    def test_reading_writes_first(self) -> None:
        """A user sees the request that he just made."""
        self.book.ended(ended(bytes_out=9))
        (row,) = self.do(self.book.of("ada")).rows
        self.assertEqual(row.names, {"month": "2026-11", "route": "/r"})
        self.assertEqual(row.counts, Counts(requests=1, bytes_out=9, status_2xx=1))

    def test_stop(self) -> None:
        """The last write, and no clock left running."""
        self.book.ended(ended())
        self.do(self.book.stop())
        self.assertEqual(self.written(), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_without_a_store(self) -> None:
        """What can't be written at the end is lost, and that is said and counted."""
        self.store.broken = True
        self.book.ended(ended())
        self.do(self.book.stop())
        self.assertEqual((self.book.lost, self.clock.getDelayedCalls()), (1, []))
        self.assertEqual(self.book._open, {})

    def test_store_gone(self) -> None:
        """What can't be written is kept and written once it can."""
        self.store.broken = True
        self.book.ended(ended())
        self.clock.advance(2)
        self.book.ended(ended())
        self.clock.advance(2)
        self.assertEqual((self.store.writes, self.written()), (2, 0))
        self.store.broken = False
        self.clock.advance(2)
        self.assertEqual(self.written(), 2)

    def test_one_write_at_a_time(self) -> None:
        """A slow store is not asked again before it answered; nothing is written twice."""
        held = self.store.held = Deferred()
        self.book.ended(ended())
        self.clock.advance(2)
        self.book.ended(ended())
        self.clock.advance(2)
        self.assertEqual(self.store.writes, 1)
        self.store.held = None
        held.callback(None)
        self.assertEqual((self.store.writes, self.written()), (2, 2))

    def test_bounded(self) -> None:
        """With the store gone rows do not grow without end; what is dropped is counted."""
        self.patch(module, "_MOST_ROWS", 2)
        for user in ("a", "b", "c", "d", "a"):
            self.book.ended(ended(user))
        self.store.broken = True
        self.do(self.book.flush())
        self.assertEqual((len(self.book._open), self.book.lost), (2, 2))

    def test_many_at_once(self) -> None:
        """Of very many between two writes no more than a bounded number of records is kept."""
        self.patch(module, "_MOST_FRESH", 4)
        for _ in range(9):
            self.book.ended(ended())
            self.assertLessEqual(len(self.book._fresh), 4)
        self.do(self.book.flush())
        self.assertEqual(self.written(), 9)

    def test_settled_later(self) -> None:
        """What a request did cost is known only when its answer is out, and counts all the same."""
        record = ended()
        self.book.ended(record)
        record.booked, record.usd, record.estimated = Tokens(3, output=4), 70, True
        (row,) = self.do(self.book.of("ada")).rows
        found = row.counts
        self.assertEqual((found.total_tokens, found.usd_nanos, found.estimated_tokens), (7, 70, 7))
