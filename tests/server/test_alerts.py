"""Tests of naap_twisted.server.alerts, with a webhook over a socket."""

from __future__ import annotations

import hmac
import json
from datetime import UTC
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.auth.fetch import Fetch, FetchFailed
from naap_twisted.secret import Secret
from naap_twisted.server import alerts as module
from naap_twisted.server.alerts import WAITS, Alerts
from naap_twisted.spend.alert import Alert
from naap_twisted.spend.budget import Budget, Window
from naap_twisted.spend.ledger import Charge
from naap_twisted.testing import CLOSE, ScriptedUpstream

from ..integration.support import IntegrationTestCase, response, until

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
KEY = "a-key-of-enough-length"
BUDGET = Budget("requests", 9, Window("day", 0, UTC))


def alert(percent: int = 50) -> Alert:
    return Alert(percent, BUDGET, Charge("a", 0, 0, 0, 9, 1, True, 9), 5, "/r", "u:ada")


def documented(marker: str, language: str) -> str:
    """The example of docs/spend.md behind *marker*."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "spend.md").read_text("utf-8")
    return text.partition(f"<!-- {marker} -->\n```{language}\n")[2].partition("```")[0]


def documented_receiver() -> Any:
    """What the page says that a receiver does."""
    names: dict[str, Any] = {}
    exec(compile(documented("alert-receiver", "python"), "spend.md", "exec"), names)  # noqa: S102
    return names["is_ours"]


class Hook:
    """A ``Fetch`` that answers as it is told, in order; the last answer stays."""

    def __init__(self, *answers: Any) -> None:
        self._answers = [*answers]
        self.got: list[int] = []

    def send(self, url: str, headers: dict[str, str], body: bytes) -> Any:
        assert url == "https://h/secret-path"
        self.got.append(json.loads(body)["percent"])
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Deferred):
            return answer
        return succeed((answer, b"")) if isinstance(answer, int) else fail(answer)


class QueueTests(SynchronousTestCase):
    def begin(self, *answers: Any) -> Hook:
        self.clock = Clock()
        hook = Hook(*answers)
        fetch = cast(Fetch, hook)
        self.alerts = Alerts(Secret("https://h/secret-path"), None, "shop", self.clock, fetch=fetch)
        return hook

    def test_in_order(self) -> None:
        """Each once, one after the other."""
        first: Deferred[tuple[int, bytes]] = Deferred()
        hook = self.begin(first, 200)
        for percent in (50, 80, 100):
            self.alerts.tell(alert(percent))
        self.assertEqual(hook.got, [50])
        first.callback((200, b""))
        self.assertEqual((hook.got, self.alerts.lost), ([50, 80, 100], 0))
        self.alerts.tell(alert(50))
        self.assertEqual(len(hook.got), 4)

    def test_three_tries(self) -> None:
        """With longer and longer pauses; then it is lost, and the next one has its own three."""
        hook = self.begin(503, FetchFailed("TimeoutError"), 429, 200)
        self.alerts.tell(alert(50))
        self.alerts.tell(alert(80))
        with capturedLogs() as logs:
            for wait, tries in zip(WAITS, (2, 4), strict=True):
                self.clock.advance(wait - 0.1)
                self.assertEqual(len(hook.got), tries // 2)
                self.clock.advance(0.1)
        self.assertEqual((hook.got, self.alerts.lost), ([50, 50, 50, 80], 1))
        (line,) = [formatEvent(event) for event in logs]
        self.assertIn("it answers 429", line)
        self.assertNotIn("secret-path", line)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_refusal(self) -> None:
        """A 4xx or a redirect is final: the same question would get the same answer."""
        for status in (302, 400, 404, 410):
            hook = self.begin(status)
            self.alerts.tell(alert())
            self.assertEqual((len(hook.got), self.alerts.lost), (1, 1))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """A webhook that hangs holds no more than so many alerts."""
        self.patch(module, "MOST_WAITING", 3)
        self.begin(Deferred())
        for _ in range(5):
            self.alerts.tell(alert())
        self.assertEqual((len(self.alerts._waiting), self.alerts.lost), (3, 2))

    def test_stop(self) -> None:
        """At the end nothing is left running, whatever it waited for; then it can start again."""
        for answer in (Deferred(), 503):
            hook = self.begin(answer, 200)
            self.alerts.tell(alert())
            self.alerts.tell(alert())
            self.alerts.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual((len(hook.got), self.alerts.lost), (1, 2))
            self.alerts.tell(alert())
            self.assertEqual(self.alerts.lost, 3)
            self.alerts.start()
            self.alerts.tell(alert())
            self.assertEqual((len(hook.got), self.alerts.lost), (2, 3))


class WireTests(TestCase):
    timeout = 20

    async def test_signed(self) -> None:
        """A receiver can tell that it is ours, and how old it is."""
        hook = ScriptedUpstream(self, OK)
        alerts = Alerts(
            Secret(f"{hook.origin}/hook?t=1"),
            Secret(KEY),
            "shop",
            reactor,
            fetch=Fetch(reactor),
            now=lambda: 1_795_000_000.9,
        )
        self.addCleanup(alerts.stop)
        alerts.tell(alert())
        await until(lambda: hook.requests)
        (received,) = hook.requests
        self.assertTrue(received.raw.startswith(b"POST /hook?t=1 HTTP/1.1"))
        head, _, body = received.raw.partition(b"\r\n\r\n")
        digest = hmac.new(KEY.encode(), b"1795000000." + body, "sha256").hexdigest()
        signature = f"t=1795000000,v1={digest}"
        self.assertIn(f"X-Naap-Signature: {signature}".lower(), head.decode().lower())
        is_ours = documented_receiver()
        self.assertTrue(is_ours(KEY.encode(), signature, body, 1_795_000_100.0))
        self.assertFalse(is_ours(KEY.encode(), signature, body + b" ", 1_795_000_100.0))
        self.assertFalse(is_ours(KEY.encode(), signature, body, 1_795_009_000.0))
        self.assertEqual(json.loads(body)["percent"], 50)

    async def test_cut(self) -> None:
        """A webhook that closes is tried again."""
        self.patch(module, "WAITS", (0.01, 0.01))
        hook = ScriptedUpstream(self, CLOSE)
        alerts = Alerts(Secret(hook.origin), None, "shop", reactor, fetch=Fetch(reactor))
        self.addCleanup(alerts.stop)
        alerts.tell(alert())
        await until(lambda: alerts.lost)
        self.assertEqual(len(hook.requests), 3)


class BudgetTests(IntegrationTestCase):
    async def test_told(self) -> None:
        """Each part is told once, also where a settlement brings the sum below it again."""
        hook = ScriptedUpstream(self, OK)
        report = b'{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
        answer = response(200, report, "Content-Type: application/json")
        server = {"alert_url": f"{hook.origin}/hook", "alert_secret": KEY}
        self.start(answer, server=server)
        budget = [{"tokens": 100, "per": "day", "of": "route"}]
        self.mount("/p", target=f"{self.upstream.origin}/v1", budget=budget)
        body = json.dumps({"model": "m", "max_tokens": 60}).encode()
        headers = {"Content-Type": "application/json"}
        for _ in range(3):
            asked = await self.running.ask("POST", "/api/v1/p/chat", headers, body)
            self.assertEqual(asked.status, 200)
        await until(lambda: hook.requests)
        document = json.loads(hook.requests[0].raw.partition(b"\r\n\r\n")[2])
        self.assertEqual(document.keys(), json.loads(documented("alert-example", "json")).keys())
        self.assertEqual((document["percent"], document["limit"]), (50, 100))
        self.assertEqual((document["route"], document["who"]), ("/api/v1/p", "all together"))
        await self.running.server.stopService()
        self.assertEqual(len(hook.requests), 1)

    async def test_strangers(self) -> None:
        """Of callers who are not signed in it hears nothing: they could be any number."""
        hook = ScriptedUpstream(self, OK)
        self.start(response(200, b"{}"), server={"alert_url": f"{hook.origin}/hook"})
        budget = [{"requests": 1, "per": "day"}, {"requests": 2, "per": "day", "of": "route"}]
        self.mount("/p", target=f"{self.upstream.origin}/v1", budget=budget)
        headers = {"Content-Type": "application/json"}
        await self.running.ask("POST", "/api/v1/p/chat", headers, b"{}")
        await until(lambda: hook.requests)
        document = json.loads(hook.requests[0].raw.partition(b"\r\n\r\n")[2])
        self.assertEqual((document["of"], document["percent"]), ("route", 50))
