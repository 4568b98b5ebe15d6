"""Tests of naap_twisted.spend.counts."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.spend.counts import NAMES, Counts, UsageKey, as_json
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
        counts = Counts.of(ExchangeRecord(upstream_status=200, model_tokens=(1, 2, 3)))
        self.assertEqual(
            (counts.prompt_tokens, counts.completion_tokens, counts.total_tokens), (1, 2, 3)
        )

    def test_columns(self) -> None:
        """Every number has its column."""
        self.assertEqual(set(USAGE.c.keys()), {"user_id", "route", "month", *NAMES})

    def test_json(self) -> None:
        """Latest month first, then by route."""
        keys = [UsageKey("ada", r, m) for r, m in (("/b", "2026-09"), ("/b", "2026-10"))]
        keys.append(UsageKey("ada", "/a", "2026-10"))
        listed = as_json(dict.fromkeys(keys, Counts(*range(1, 12))))
        self.assertEqual(
            [(entry["month"], entry["route"]) for entry in listed],
            [("2026-10", "/a"), ("2026-10", "/b"), ("2026-09", "/b")],
        )
        self.assertEqual(
            listed[0],
            {
                "route": "/a",
                "month": "2026-10",
                "requests": 1,
                "bytes_in": 2,
                "bytes_out": 3,
                "status": {"2xx": 4, "3xx": 5, "4xx": 6, "5xx": 7, "failed": 8},
                "tokens": {"prompt": 9, "completion": 10, "total": 11},
            },
        )
