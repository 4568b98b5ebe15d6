"""Tests of naap_twisted.auth.tokens."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from naap_twisted.auth.tokens import KEPT_FOR, TokenAuthenticator, digest_of, new_token
from naap_twisted.errors import Forbidden, InvalidToken, Unavailable
from naap_twisted.interfaces import IAuthenticator
from naap_twisted.model import User
from tests.support import verify_protocol


class MemoryTokens(dict):
    """Tokens by id; counts what it is asked."""

    asked = 0
    notes = 0

    def find(self, token_id):
        self.asked += 1
        return succeed(self.get(token_id))

    def used(self, token_id, now):
        self.notes += 1
        return succeed(None)


def request_with(token, route="/api/v1/openai"):
    request = DummyRequest([b""])
    request.record = SimpleNamespace(route=route)
    request.requestHeaders.setRawHeaders(b"authorization", [b"Bearer " + token.encode()])
    return request


class TokenTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.store = Clock(), MemoryTokens()
        seconds = self.clock.seconds
        self.tokens = TokenAuthenticator(now=seconds, clock=seconds)
        self.tokens.keep_in(self.store, "/api/v1")

    def made(self, name="ci", routes=None, expires_at=None):
        token, text = new_token(name, routes, expires_at, 0)
        self.store[token.id] = token
        return token, text

    def ask(self, token, **more):
        found = self.tokens.authenticate(request_with(token, **more))
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def refused(self, token, kind=InvalidToken, **more):
        try:
            found = self.tokens.authenticate(request_with(token, **more))
        except kind as error:
            failed = error
        else:
            failed = self.failureResultOf(found, kind).value
        self.assertNotIn(token[22:] or "naap_", failed.reason)
        return failed.reason

    def test_known(self):
        """A good token's user is found, then remembered; the store has no secret."""
        verify_protocol(IAuthenticator, self.tokens)
        token, text = self.made()
        self.assertEqual([self.ask(text) for _ in range(3)], [User("token:ci")] * 3)
        self.assertEqual((self.store.asked, self.store.notes), (1, 1))
        self.assertEqual(token.digest, digest_of(text[22:]))
        self.assertNotIn(text[22:], repr((self.store, vars(self.tokens))))
        self.assertIsNone(self.tokens.authenticate(DummyRequest([b""])))

    def test_hostile_spellings(self):
        """Only the token's own text is the token."""
        token, text = self.made()
        _, other = self.made("other")
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        twin = last[last.index(text[-1]) ^ 1]
        for bad in (
            *("", "x", "naap_", "naap__", "naap_" * 1000, "a" * 9000, "naap_\u00e9" + text[6:]),
            *(other[:22] + text[22:], text[:22] + other[22:], "naap_" + "0" * 16 + text[21:]),
            *(text[:-1] + twin, text + "=", text[:-1], text + "A", text.upper(), text[5:]),
            *(f"{text} {text}", f"{text},x", token.digest, f"naap_{token.id}_{token.digest}"),
        ):
            self.refused(bad)
        self.assertEqual(self.store.notes, 0)
        self.assertEqual(self.ask(text).id, "token:ci")

    def test_expired(self):
        """Expiry is judged at each request, whatever is remembered."""
        _, text = self.made(expires_at=3)
        self.clock.advance(2.9)
        self.ask(text)
        self.clock.advance(0.1)
        self.assertIn("expired", self.refused(text))
        self.assertEqual(self.store.asked, 1)

    def test_revoked(self):
        """Felt within the seconds for which an answer is kept."""
        from attrs import evolve

        token, text = self.made()
        self.ask(text)
        self.store[token.id] = evolve(token, revoked_at=1)
        self.clock.advance(KEPT_FOR)
        self.assertIn("revoked", self.refused(text))

    def test_routes(self):
        """A token of some routes opens no other, not even one whose path begins alike."""
        _, text = self.made(routes=("/openai",))
        self.ask(text)
        for route in ("/api/v1/other", "/api/v1/openai2", "/api/v1", "/openai", ""):
            self.refused(text, Forbidden, route=route)

    def test_unknown_ids(self):
        """One question for many requests of one made-up id."""
        _, text = new_token("ci", None, None, 0)
        for _ in range(3):
            self.refused(text)
        self.assertEqual(self.store.asked, 1)

    def test_no_database(self):
        """Without a store nobody is let in."""
        _, text = self.made()
        self.tokens = TokenAuthenticator()
        self.refused(text, Unavailable)
