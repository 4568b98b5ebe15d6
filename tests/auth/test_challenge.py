"""A challenge's answer: what the vendor says decides, and nothing but a yes is one.

The same over sockets, with a vendor that is slow, is in tests/integration/test_guests.py.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.challenge import MOST_CALLS, Challenge
from naap_twisted.errors import ChallengeFailed, Unavailable
from naap_twisted.secret import Secret

from .support import FakeAgent

URL = "https://challenges.example.com/siteverify"
SECRET = "0x-canary-secret"


class Agent(FakeAgent):
    """Remembers bodies, too."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def request(self, method: Any, uri: Any, headers: Any = None, bodyProducer: Any = None) -> Any:
        self.bodies.append(bodyProducer._inputFile.read())
        return super().request(method, uri, headers, bodyProducer)


class ChallengeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent, self.clock = Agent(), Clock()
        self.challenge = self.made()

    def made(self, *asked: Any) -> Challenge:
        return Challenge(URL, Secret(SECRET), *asked, reactor=self.clock, agent=self.agent)

    def check(
        self, answer: str = "answer", address: str = "192.0.2.7", challenge: Challenge | None = None
    ) -> Deferred[None]:
        return Deferred.fromCoroutine((challenge or self.challenge).check(answer, address))

    def told(self, reply: Any, code: int = 200, challenge: Challenge | None = None) -> Any:
        """The error that a vendor's reply makes; ``None`` for a pass."""
        asked = self.check(challenge=challenge)
        self.agent.answer(code, reply if isinstance(reply, bytes) else json.dumps(reply).encode())
        outcome: list[Any] = []
        asked.addCallbacks(outcome.append, lambda failure: outcome.append(failure.value))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        (ended,) = outcome
        if ended is not None:
            self.assertNotIn("canary", ended.for_log + ended.message)
        return ended


class AskingTests(ChallengeCase):
    def test_form(self) -> None:
        """Our secret, the answer and the address, as a form."""
        self.check("a&b=\u00e4")
        ((method, url, headers),) = self.agent.requests
        self.assertEqual((method, url), (b"POST", URL.encode()))
        kind = headers.getRawHeaders("content-type")
        self.assertEqual(kind, ["application/x-www-form-urlencoded"])
        form = parse_qs(self.agent.bodies[0].decode())
        whole = {"secret": [SECRET], "response": ["a&b=\u00e4"], "remoteip": ["192.0.2.7"]}
        self.assertEqual(form, whole)
        self.check("a", "")
        self.assertNotIn(b"remoteip", self.agent.bodies[1])

    def test_nothing(self) -> None:
        """Without an answer nobody is asked."""
        self.failureResultOf(self.check(""), ChallengeFailed)
        self.assertEqual(self.agent.requests, [])

    def test_most(self) -> None:
        """A slow vendor holds so many connections and no more; one that ends makes room."""
        asked = [self.check() for _ in range(MOST_CALLS)]
        self.failureResultOf(self.check(), Unavailable)
        self.assertEqual(len(self.agent.requests), MOST_CALLS)
        asked[0].cancel()
        self.failureResultOf(asked[0], Unavailable)
        asked[0] = self.check()
        self.assertNoResult(asked[0])
        self.clock.advance(5.0)
        for each in asked:
            self.failureResultOf(each, Unavailable)


class JudgingTests(ChallengeCase):
    def test_yes(self) -> None:
        """True is the only yes."""
        self.assertIsNone(self.told({"success": True, "error-codes": []}))
        for value in ("true", 1, "yes", [True], {"a": 1}, None, 1.0, "", 0):
            with self.subTest(value=value):
                self.assertIsInstance(self.told({"success": value}), Unavailable)
        self.assertIsInstance(self.told({}), Unavailable)

    def test_no(self) -> None:
        """A no is one in whatever words, a replayed answer among them."""
        for codes in (["timeout-or-duplicate"], ["invalid-input-response"], [], None, "x", [3, []]):
            with self.subTest(codes=codes):
                error = self.told({"success": False, "error-codes": codes})
                self.assertIsInstance(error, ChallengeFailed)
        replayed = {"success": False, "error-codes": ["timeout-or-duplicate"]}
        self.assertIn("timeout-or-duplicate", self.told(replayed).reason)
        self.assertIsInstance(self.told(replayed, 400), ChallengeFailed)

    def test_no_answer(self) -> None:
        """What is not understood is no pass, nor is it the visitor's fault."""
        for reply in (
            *(b"", b"<html>", b"[]", b"true", b'{"success": true', b'{"success": NaN}', b"\xff"),
            *(b'{"success": false, "success": true}', b"x" * 20_000, b"[" * 10_000),
        ):
            with self.subTest(reply=reply[:40]):
                self.assertIsInstance(self.told(reply), Unavailable)
        for code in (201, 204, 302, 400, 403, 404, 429, 500, 503):
            with self.subTest(code=code):
                self.assertIsInstance(self.told({"success": True}, code), Unavailable)

    def test_not_there(self) -> None:
        """Nobody listens, or nobody answers in time: no pass."""
        asked = self.check()
        self.agent.fail(ConnectionRefusedError())
        self.failureResultOf(asked, Unavailable)
        asked = self.check()
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        error = self.failureResultOf(asked, Unavailable).value
        self.assertEqual(error.message, "Authentication is not available at the moment")

    def test_our_mistake(self) -> None:
        """A secret that the vendor does not know is told to the owner, as an error."""
        for code in ("invalid-input-secret", "missing-input-secret"):
            with capturedLogs() as logs:
                error = self.told({"success": False, "error-codes": [code]})
            self.assertIsInstance(error, Unavailable)
            (line,) = logs
            self.assertIn("verify_secret", line["log_format"])
        error = self.told({"success": False, "error-codes": ["internal-error"]})
        self.assertIsInstance(error, Unavailable)

    def test_hostname(self) -> None:
        """An answer of another page's challenge is none, where the pages are named."""
        strict = self.made(["app.example.org", "localhost"])
        for host, passes in (
            ("app.example.org", True),
            ("localhost", True),
            ("evil.example", False),
            ("App.example.org", False),
            ("app.example.org.evil.example", False),
            ("", False),
            (None, False),
            (["app.example.org"], False),
        ):
            with self.subTest(host=host):
                error = self.told({"success": True, "hostname": host}, challenge=strict)
                self.assertIs(error is None, passes)
        self.assertIsInstance(self.told({"success": True}, challenge=strict), ChallengeFailed)
        self.assertIsNone(self.told({"success": True, "hostname": "evil.example"}))

    def test_action(self) -> None:
        """So is one of another action."""
        strict = self.made((), "ask")
        self.assertIsNone(self.told({"success": True, "action": "ask"}, challenge=strict))
        for action in ("login", "", None, ["ask"]):
            error = self.told({"success": True, "action": action}, challenge=strict)
            self.assertIsInstance(error, ChallengeFailed)
