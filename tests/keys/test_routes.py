"""Tests of naap_twisted.keys.routes: the key routes of a server whose store is in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.keys.routes import MOST_BODY
from naap_twisted.secret import Secret
from tests.keys.memory import MemoryKeyStore

from ..spine import Answer, ask_site, make_server
from .contract import NOW

KEY = "sk-canary-user-key-1234"
SHOWN = {"provider": "daydream", "last4": "1234", "updated_at": "2026-09-21T14:13:20Z"}


class KeyRoutesTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        clock.advance(NOW)
        self.store = MemoryKeyStore(clock.seconds)
        tokens = StaticTokens({"t-ada": User("ada"), "t-bob": User("bob")})
        self.server = make_server(keys=self.store, authenticator=tokens, require_auth=True)

    def ask(
        self, method: str, path: str = "/daydream", body: Any = None, user: str = "ada", **more: str
    ) -> Answer:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer t-{user}"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = None if body is None else raw
        return ask_site(
            self.server.site(), method, "/api/v1/keys" + path, list(headers.items()), sent
        )

    def test_life_of_a_key(self) -> None:
        """Set, seen, listed, deleted; its value comes back nowhere."""
        answers = [
            self.ask("GET", ""),
            self.ask("GET"),
            self.ask("PUT", body={"key": KEY}),
            self.ask("GET"),
            self.ask("GET", ""),
            self.ask("DELETE"),
            self.ask("DELETE"),
        ]
        self.assertEqual([a.code for a in answers], [200, 404, 200, 200, 200, 204, 404])
        self.assertEqual([answers[2].json, answers[3].json], [SHOWN, SHOWN])
        self.assertEqual([answers[0].json, answers[4].json], [{"keys": []}, {"keys": [SHOWN]}])
        for answer in answers:
            self.assertEqual(answer.header("Cache-Control"), "no-store")
            self.assertNotIn(KEY.encode(), answer.body)

    def test_kept(self) -> None:
        """What was sent is what a route will send."""
        self.ask("PUT", body={"key": KEY})
        self.assertEqual(self.successResultOf(self.store.get("ada", "daydream")), Secret(KEY))

    def test_own_keys_only(self) -> None:
        """Another user's key is not there."""
        self.ask("PUT", body={"key": KEY})
        for method in ("GET", "DELETE"):
            self.assertEqual(self.ask(method, user="bob").error, (404, "NOT_FOUND"))
        self.assertEqual(self.ask("GET", "", user="bob").json, {"keys": []})

    def test_strangers(self) -> None:
        """Nobody signed in: 401, also where the server does not require it."""
        self.assertEqual(self.ask("GET", user="eve").error, (401, "INVALID_TOKEN"))
        self.server = make_server(keys=self.store)
        for method, path in (("GET", ""), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x")):
            body = {"key": KEY} if method == "PUT" else None
            self.assertEqual(self.ask(method, path, body).error, (401, "UNAUTHORIZED"), method)

    def test_bad_keys(self) -> None:
        """Refused with words that hold nothing of what was sent."""
        for body in (
            *(b"", b"{", b"[]", b"3", b'"sk-canary"', b"{}", b'{"key": 3}', b'{"key": ""}'),
            *(b'{"key": "sk-canary\\n"}', b'{"key": "sk-canary', b'{"KEY": "sk-canary"}'),
            *({"key": "k" * 8193}, {"key": "sk-canary\x00"}, b"[" * 50_000, b"\xff"),
        ):
            answer = self.ask("PUT", body=body)
            self.assertEqual(answer.error, (400, "INVALID_KEY"), repr(body)[:20])
            self.assertNotIn(b"canary", answer.body)
        self.assertEqual(self.ask("GET", "").json, {"keys": []})

    def test_longest(self) -> None:
        """8 kB pass, however JSON spells them."""
        escaped = b'{"key": "' + b"\\u006b" * 8192 + b'"}'
        self.assertEqual(self.ask("PUT", body=escaped).code, 200)
        too_much = b'{"key": "k", "more": "' + b"x" * MOST_BODY + b'"}'
        self.assertEqual(self.ask("PUT", body=too_much).error, (413, "BODY_TOO_LARGE"))

    def test_content_type(self) -> None:
        """Only JSON: no form of another page can set a key."""
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = self.ask("PUT", body={"key": KEY}, Content_Type=kind)
            self.assertEqual(answer.error, (415, "UNSUPPORTED_MEDIA_TYPE"))
        answer = self.ask("PUT", body={"key": KEY}, Content_Type="application/json;charset=utf-8")
        self.assertEqual(answer.code, 200)

    def test_bad_providers(self) -> None:
        """A name outside the grammar is refused; what is no single segment is no route."""
        for path in ("/A", "/a_b", "/a%20b", "/%C3%A4", "/" + "a" * 65, "/a%00", "/.env"):
            for method in ("GET", "PUT", "DELETE"):
                body = {"key": KEY} if method == "PUT" else None
                answer = self.ask(method, path, body)
                self.assertEqual(answer.error, (400, "INVALID_KEY"), (method, path))
        for path in ("/a/b", "/a%2Fb"):
            self.assertIn(self.ask("GET", path).code, (400, 404))

    def test_preflight(self) -> None:
        """A page may PUT and DELETE."""
        headers = [("Origin", "http://p.test"), ("Access-Control-Request-Method", "PUT")]
        answer = ask_site(self.server.site(), "OPTIONS", "/api/v1/keys/daydream", headers)
        allowed = answer.header("Access-Control-Allow-Methods") or ""
        self.assertEqual(answer.code, 204)
        self.assertLessEqual({"GET", "PUT", "DELETE"}, set(allowed.split(", ")))
