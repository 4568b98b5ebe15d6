"""Tests of naap_twisted.spend.book."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import Unavailable
from naap_twisted.model import Tokens, User
from naap_twisted.spend import book as module
from naap_twisted.spend.book import UsageBook
from naap_twisted.spend.counts import Counts, UsageKey
from tests.spend.memory import MemoryUsageStore

KEY = UsageKey("ada", "/r", "2026-11")


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
        self.book = UsageBook(self.store, self.clock, now=lambda: 1_795_000_000)

    def written(self) -> int:
        rows = self.successResultOf(self.store.read("ada"))
        return rows.get(KEY, Counts()).requests

    def do(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_late(self) -> None:
        """Tokens that come after the caller are added to an exchange that was counted then."""
        tokens = Tokens(input=9, output=4)
        self.book.ended(ended(upstream_status=0))
        self.book.late(ended(booked=tokens))
        self.book.late(ended(model_tokens=tokens))
        for nothing in (ended(), ended(None, booked=tokens)):
            self.book.late(nothing)
        self.do(self.book.flush())
        counts = self.successResultOf(self.store.read("ada"))[KEY]
        self.assertEqual((counts.requests, counts.failed), (1, 1))
        told = counts.prompt_tokens, counts.completion_tokens, counts.total_tokens
        self.assertEqual(told, (18, 8, 26))
        self.do(self.book.stop())

    def test_batched(self) -> None:
        """Many exchanges, one write, five seconds after the first; then nothing until the next."""
        for _ in range(100):
            self.book.ended(ended())
        self.clock.advance(4.9)
        self.assertEqual(self.store.writes, 0)
        self.clock.advance(0.2)
        self.assertEqual((self.store.writes, self.written()), (1, 100))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_counted(self) -> None:
        """A known user's exchanges that went upstream, and no others."""
        for record in (
            ended(None),
            ended(phases={"body": 0.1}, upstream_status=0),
            ended(upstream_status=0),
        ):
            self.book.ended(record)
        self.do(self.book.flush())
        self.assertEqual(self.written(), 1)

    def test_reading_writes_first(self) -> None:
        """A user sees the request that he just made."""
        self.book.ended(ended(bytes_out=9))
        usage = self.do(self.book.of("ada"))
        self.assertEqual(usage, {KEY: Counts(requests=1, bytes_out=9, status_2xx=1)})

    def test_stop(self) -> None:
        """The last write, and no clock left running."""
        self.book.ended(ended())
        self.do(self.book.stop())
        self.assertEqual(self.written(), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_store_gone(self) -> None:
        """What can't be written is kept and written once it can."""
        self.store.broken = True
        self.book.ended(ended())
        self.clock.advance(5)
        self.book.ended(ended())
        self.clock.advance(5)
        self.assertEqual((self.store.writes, self.written()), (2, 0))
        self.store.broken = False
        self.clock.advance(5)
        self.assertEqual(self.written(), 2)

    def test_one_write_at_a_time(self) -> None:
        """A slow store is not asked again before it answered; nothing is written twice."""
        held = self.store.held = Deferred()
        self.book.ended(ended())
        self.clock.advance(5)
        self.book.ended(ended())
        self.clock.advance(5)
        self.assertEqual(self.store.writes, 1)
        self.store.held = None
        held.callback(None)
        self.assertEqual((self.store.writes, self.written()), (2, 2))

    def test_bounded(self) -> None:
        """With the store gone rows do not grow without end; what is dropped is counted."""
        self.patch(module, "_MOST_ROWS", 2)
        for user in ("a", "b", "c", "d", "a"):
            self.book.ended(ended(user))
        self.assertEqual((len(self.book._open), self.book.lost), (2, 2))
