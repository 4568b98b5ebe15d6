"""App Check's tokens: of one project, signed with a published key, and of nobody else."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.auth.app_check import HEADER, ISSUER, AppCheck
from naap_twisted.errors import ChallengeFailed, ConfigError, Unavailable
from tests.keypairs import ec, oct_key, pem, public, rsa, sign_raw

from .jwt_case import NOW, b64, now
from .support import FakeAgent

PROJECT = "123456789012"
CLAIMS = {
    "iss": ISSUER + PROJECT,
    "aud": [f"projects/{PROJECT}", "projects/my-project"],
    "sub": f"1:{PROJECT}:web:abc",
    "iat": NOW - 10,
    "exp": NOW + 3600,
}
HEAD = {"alg": "RS256", "typ": "JWT", "kid": "one"}


class AppCheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent, clock = FakeAgent(), Clock()
        self.app_check = AppCheck(PROJECT, reactor=clock, agent=self.agent, now=now)

    def check(self, *tokens: str) -> Any:
        """``None`` for a pass, else the error; the key set has one key."""
        headers = Headers({HEADER: list(tokens)})
        asked = Deferred.fromCoroutine(self.app_check.check(headers))
        if self.agent.waiting and not self.agent.waiting[-1].called:
            self.agent.answer(200, json.dumps({"keys": [public(rsa("one"))]}).encode())
        outcome: list[Any] = []
        asked.addCallbacks(outcome.append, lambda failure: outcome.append(failure.value))
        (ended,) = outcome
        return ended

    def token(self, head: Any = None, key: Any = None, **claims: Any) -> str:
        made = {**CLAIMS, **claims}
        kept = {name: value for name, value in made.items() if value is not ...}
        return sign_raw({**HEAD, **(head or {})}, json.dumps(kept).encode(), key or rsa("one"))

    def test_good(self) -> None:
        """The key set is fetched from Google once."""
        for _ in range(3):
            self.assertIsNone(self.check(self.token()))
        ((method, url, _),) = self.agent.requests
        self.assertEqual(method, b"GET")
        self.assertEqual(url, b"https://firebaseappcheck.googleapis.com/v1/jwks")

    def test_claims(self) -> None:
        """Another project, another issuer, a time that is over or still to come."""
        for claims in (
            {"iss": ISSUER + "1"},
            {"iss": "https://securetoken.google.com/" + PROJECT},
            {"iss": ...},
            {"aud": ["projects/1"]},
            {"aud": PROJECT},
            {"aud": ...},
            {"aud": [[f"projects/{PROJECT}"]]},
            {"exp": NOW - 31},
            {"exp": ...},
            {"exp": "soon"},
            {"iat": NOW + 31},
        ):
            with self.subTest(claims=claims):
                self.assertIsInstance(self.check(self.token(**claims)), ChallengeFailed)
        self.assertIsNone(self.check(self.token(aud=f"projects/{PROJECT}")))

    def test_algorithms(self) -> None:
        """RS256 with the published key and nothing else."""
        public_pem = pem(rsa("one"))
        for token in (
            self.token(key=rsa("two")),
            self.token({"alg": "RS512"}),
            self.token({"alg": "PS256"}),
            self.token({"alg": "HS256"}, oct_key(public_pem)),
            self.token({"alg": "ES256"}, ec()),
            self.token({"kid": "two"}, rsa("two")),
            self.token({"typ": "at+jwe"}),
            self.token({"b64": True}),
            f"{b64({**HEAD, 'alg': 'none'})}.{b64(CLAIMS)}.",
            f"{b64({**HEAD, 'alg': 'none'})}.{b64(CLAIMS)}.AAAA",
            self.token()[:-4] + "AAAA",
            "a.b.c",
            "",
            "x" * 9000,
        ):
            with self.subTest(token=token[:60]):
                error = self.check(token)
                self.assertIsInstance(error, ChallengeFailed)
                self.assertNotIn(token or "?", error.reason)

    def test_number(self) -> None:
        """One header, once."""
        self.assertIsInstance(self.check(), ChallengeFailed)
        self.assertIsInstance(self.check(self.token(), self.token()), ChallengeFailed)

    def test_no_keys(self) -> None:
        """While the key set can't be had nobody passes, and nobody is told no."""
        headers = Headers({HEADER: [self.token()]})
        asked = Deferred.fromCoroutine(self.app_check.check(headers))
        self.agent.answer(500, b"")
        self.failureResultOf(asked, Unavailable)

    def test_url(self) -> None:
        """The keys come over https, or from this machine."""
        self.assertRaises(
            ConfigError, AppCheck, PROJECT, url="http://example.com/", reactor=Clock()
        )
