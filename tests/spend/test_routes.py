"""Tests of naap_twisted.spend.routes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User, create_external_proxy
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.model import Tokens
from naap_twisted.spend.book import UsageBook
from naap_twisted.spend.counts import NAMES, Counts
from naap_twisted.spend.routes import add_usage_route, as_json
from naap_twisted.spend.totals import Total, Totals
from tests.spend.memory import MemoryUsageStore

from ..spine import ask_site, make_server

ROOT = Path(__file__).resolve().parents[2]


def documented(document: str, marker: str) -> Any:
    """The answer that *document* shows behind *marker*."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    return json.loads(text.partition(f"<!-- {marker} -->\n```json\n")[2].partition("```")[0])


class UsageRouteTests(SynchronousTestCase):
    def test_own_usage(self) -> None:
        """The signed-in user's, up to this moment; nobody else's; strangers get 401."""
        tokens = StaticTokens({"t-ada": User("ada"), "t-bob": User("bob")})
        server = make_server(authenticator=tokens)
        book = UsageBook(MemoryUsageStore(), MemoryReactorClock(), now=lambda: 1_795_000_000)
        add_usage_route(server.router, book)
        record = ExchangeRecord(user=User("ada"), route="/r", phases={"headers": 0.1})
        record.upstream_status, record.model_tokens = 200, Tokens(1, output=2)
        book.ended(record)
        listed = {}
        for user in ("ada", "bob"):
            headers = [("Authorization", f"Bearer t-{user}")]
            answer = ask_site(server.site(), "GET", "/api/v1/usage", headers)
            self.assertEqual(answer.header("Cache-Control"), "no-store")
            listed[user] = answer.json["usage"]
        (entry,) = listed["ada"]
        self.assertEqual((entry["route"], entry["month"]), ("/r", "2026-11"))
        self.assertEqual((entry["requests"], entry["status"]["2xx"]), (1, 1))
        tokens_read = {name: entry["tokens"][name] for name in ("input", "output", "total")}
        self.assertEqual(tokens_read, {"input": 1, "output": 2, "total": 3})
        self.assertEqual(listed["bob"], [])
        stranger = ask_site(server.site(), "GET", "/api/v1/usage")
        self.assertEqual(stranger.error, (401, "UNAUTHORIZED"))

    def test_budgets(self) -> None:
        """Each budget of the caller once, with what is left; money is a text."""
        tokens = StaticTokens({"t-ada": User("ada")})
        month = {"usd": "1.5", "per": "month"}
        server = make_server(authenticator=tokens, budget=[month])
        for path in ("/a", "/b"):
            proxy = create_external_proxy(
                allowed_hosts=["api.example.com"], budget=[{"tokens": 9, "per": "1h"}]
            )
            server.mount(path, proxy)
        answer = ask_site(
            server.site(), "GET", "/api/v1/usage", [("Authorization", "Bearer t-ada")]
        )
        found = [(b["route"], b["unit"], b["limit"], b["left"]) for b in answer.json["budgets"]]
        self.assertEqual(
            found,
            [
                ("/api/v1/a", "usd", "1.5", "1.5"),
                ("/api/v1/a", "tokens", 9, 9),
                ("/api/v1/b", "tokens", 9, 9),
            ],
        )
        self.assertEqual(answer.json["usage"], [])
        (shown,) = documented("spend.md", "usage-example")["budgets"]
        self.assertEqual(answer.json["budgets"][0].keys(), shown.keys())

    def test_json(self) -> None:
        """Latest month first, then by route."""
        months = [("/b", "2026-09"), ("/b", "2026-10"), ("/a", "2026-10")]
        counts = Counts(*range(1, len(NAMES) + 1))
        rows = tuple([Total({"route": r, "month": m}, counts) for r, m in months])
        listed = as_json(Totals(rows, counts, more=False))
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
                "tokens": {
                    "input": 9,
                    "cached_input": 10,
                    "cache_write": 11,
                    "output": 12,
                    "reasoning": 13,
                    "audio_input": 14,
                    "audio_output": 15,
                    "total": 21,
                    "prompt": 9,
                    "completion": 12,
                },
                "usd": "0.000000016",
                "estimated_share": 0.8571,
            },
        )
        for document, marker in (("spend.md", "usage-example"), ("keys.md", "usage-answer")):
            (shown,) = documented(document, marker)["usage"]
            self.assertEqual(shown.keys(), listed[0].keys())
            self.assertEqual(shown["tokens"].keys(), listed[0]["tokens"].keys())
