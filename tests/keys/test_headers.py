"""Tests of naap_twisted.keys.headers."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import NoUserKey, Unauthorized
from naap_twisted.keys.headers import UserKeyHeaders
from naap_twisted.model import User, UserKeyHeader
from naap_twisted.secret import Secret
from tests.keys.memory import MemoryKeyStore

from ..support import FakeRequest

HEADERS = {"Authorization": UserKeyHeader("daydream", "Bearer "), "X-Fixed": Secret("sk-fixed")}


class UserKeyHeadersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryKeyStore()
        self.headers = UserKeyHeaders(HEADERS, self.store)
        self.request = FakeRequest()

    def ask(self) -> Deferred:
        return Deferred.fromCoroutine(self.headers(self.request))

    def test_own_key(self) -> None:
        """Each request carries its own user's key, as a Secret."""
        for name in ("ada", "bob"):
            self.store.put(name, "daydream", Secret(f"sk-of-{name}"))
            self.request.record.user = User(name)
            self.assertEqual(
                self.successResultOf(self.ask()),
                {"Authorization": Secret(f"Bearer sk-of-{name}"), "X-Fixed": Secret("sk-fixed")},
            )

    def test_no_key(self) -> None:
        """A user without one is told where to add it."""
        self.request.record.user = User("ada")
        error = self.failureResultOf(self.ask(), NoUserKey).value
        self.assertIn("PUT /api/v1/keys/daydream", error.message)

    def test_no_user(self) -> None:
        """Nobody has no key."""
        self.failureResultOf(self.ask(), Unauthorized)

    def test_names(self) -> None:
        """What a route injects can be told without a request, and without a value."""
        self.assertEqual(self.headers.names, ("Authorization", "X-Fixed"))
        self.assertNotIn("sk-fixed", repr(self.headers))
