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
        """Where the answer told of any."""
        tokens = Tokens(input=1, output=2)
        counts = Counts.of(ExchangeRecord(upstream_status=200, model_tokens=tokens))
        self.assertEqual(
            (counts.prompt_tokens, counts.completion_tokens, counts.total_tokens), (1, 2, 3)
        )

    def test_columns(self) -> None:
        """Every number has its column."""
        self.assertEqual(set(USAGE.c.keys()), {"user_id", "route", "month", *NAMES})
