"""Tests of naap_twisted.spend.counts."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.model import Tokens
from naap_twisted.spend.counts import NAMES, Counts
from naap_twisted.storage.tables import USAGE


class CountsTests(SynchronousTestCase):
    def test_of_an_exchange(self) -> None:
        """One request, its bytes, its upstream's class of status; none is a failure."""
        for status, name in (
            *((200, "status_2xx"), (201, "status_2xx"), (304, "status_3xx"), (404, "status_4xx")),
            *((429, "status_4xx"), (503, "status_5xx"), (0, "failed")),
        ):
            record = ExchangeRecord(upstream_status=status, bytes_in=3, bytes_out=5)
            wanted = Counts(requests=1, bytes_in=3, bytes_out=5)
            setattr(wanted, name, 1)
            self.assertEqual(Counts.of(record), wanted, status)

    def test_tokens(self) -> None:
        """Each kind, where the answer told of any; what was booked goes before what was read."""
        tokens = Tokens(9, 3, 1, 7, 2, 4, 5)
        counts = Counts.of(ExchangeRecord(upstream_status=200, model_tokens=tokens, usd=70))
        found = [getattr(counts, name) for name in NAMES if name.endswith("_tokens")]
        self.assertEqual(found, [9, 3, 1, 7, 2, 4, 5, 0])
        self.assertEqual((counts.total_tokens, counts.usd_nanos), (16, 70))
        booked = ExchangeRecord(model_tokens=tokens, booked=Tokens(1, output=2))
        self.assertEqual(Counts.of(booked).total_tokens, 3)

    def test_estimated(self) -> None:
        """The share of tokens that nobody reported."""
        sums = Counts.of(ExchangeRecord(booked=Tokens(20, output=10)))
        self.assertEqual(sums.estimated_share, 0.0)
        sums.add(Counts.of(ExchangeRecord(booked=Tokens(5, output=5), estimated=True)))
        self.assertEqual((sums.estimated_requests, sums.estimated_tokens), (1, 10))
        self.assertEqual(sums.estimated_share, 0.25)
        self.assertEqual(Counts().estimated_share, 0.0)

    def test_bounded(self) -> None:
        """No report of an upstream makes a sum outgrow a column."""
        record = ExchangeRecord(model_tokens=Tokens(1 << 60), usd=1 << 70)
        counts = Counts.of(record)
        self.assertEqual((counts.input_tokens, counts.usd_nanos), (10**12, 10**15))

    def test_columns(self) -> None:
        """Every number has its column."""
        self.assertEqual(set(USAGE.c.keys()), {"user_id", "route", "day", "model", *NAMES})
