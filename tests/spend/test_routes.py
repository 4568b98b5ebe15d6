"""Tests of naap_twisted.spend.routes."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.model import Tokens
from naap_twisted.spend.book import UsageBook
from naap_twisted.spend.counts import Counts, UsageKey
from naap_twisted.spend.routes import add_usage_route, as_json
from tests.spend.memory import MemoryUsageStore

from ..spine import ask_site, make_server


class UsageRouteTests(SynchronousTestCase):
    def test_own_usage(self) -> None:
        """The signed-in user's, up to this moment; nobody else's; strangers get 401."""
        tokens = StaticTokens({"t-ada": User("ada"), "t-bob": User("bob")})
        server = make_server(authenticator=tokens)
        book = UsageBook(MemoryUsageStore(), MemoryReactorClock(), now=lambda: 1_795_000_000)
        add_usage_route(server.router, book)
        record = ExchangeRecord(user=User("ada"), route="/r", phases={"headers": 0.1})
        record.upstream_status, record.model_tokens = 200, Tokens(input=1, output=2)
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
        self.assertEqual(entry["tokens"], {"prompt": 1, "completion": 2, "total": 3})
        self.assertEqual(listed["bob"], [])
        stranger = ask_site(server.site(), "GET", "/api/v1/usage")
        self.assertEqual(stranger.error, (401, "UNAUTHORIZED"))

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
