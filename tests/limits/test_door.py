"""Tests of naap_twisted.limits.door."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import RateLimited, Unavailable
from naap_twisted.limits.door import Door, Policy
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateDecision, RateLimit, User

from ..support import FakeRequest

LIMIT = RateLimit(2, 60.0)


class Scripted:
    """Remembers its keys, answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.keys: list[str] = []

    def hit(self, key: str) -> Any:
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


PASS, STOP = RateDecision(True, 2, 1, reset=60), RateDecision(False, 2, 0, retry_after=7)


class DoorTests(SynchronousTestCase):
    def request(self, user: str | None = None) -> FakeRequest:
        request = FakeRequest()
        request.record.client = "2001:db8:1:2:3::"
        request.record.user = None if user is None else User(user)
        return request

    def admit(self, request: FakeRequest, *policies: Policy) -> Deferred[None]:
        return Deferred.fromCoroutine(Door(policies).admit(request))

    def test_no_policy(self) -> None:
        """A door without policies is false, so that nobody need go through it."""
        self.assertFalse(Door())
        self.assertTrue(Door().beside(Policy("user", LIMIT, Scripted(PASS))))

    def test_who_is_counted(self) -> None:
        """A user by id, a stranger by network, or not at all; the two never meet."""
        route, user = Scripted(PASS), Scripted(succeed(PASS))
        policies = (
            Policy("user", LIMIT, user, users_only=True),
            Policy("route", LIMIT, route),
        )
        for name in ("ada", None, "2001:db8:1:2::/64"):
            user.answer = succeed(PASS)
            self.successResultOf(self.admit(self.request(name), *policies))
        self.assertEqual(route.keys, ["u:ada", "a:2001:db8:1:2::/64", "u:2001:db8:1:2::/64"])
        self.assertEqual(user.keys, ["u:ada", "u:2001:db8:1:2::/64"])

    def test_refusal(self) -> None:
        """429 with Retry-After; the policies behind it are not asked, the headers tell of it."""
        behind = Scripted(PASS)
        policies = (Policy("user", LIMIT, Scripted(STOP)), Policy("route", LIMIT, behind))
        request = self.request("ada")
        error = self.failureResultOf(self.admit(request, *policies), RateLimited).value
        self.assertIn((b"Retry-After", b"7"), error.headers)
        self.assertEqual(behind.keys, [])
        self.assertEqual(request.responseHeaders.getRawHeaders("RateLimit"), ['"user";r=0;t=7'])

    def test_with_the_embedded_store(self) -> None:
        """Each user has the limit for himself."""
        policy = Policy("user", LIMIT, MemoryRateLimiter(LIMIT, Clock()))
        outcomes = []
        for name in ("ada", "ada", "bob", "ada"):
            admitted = self.admit(self.request(name), policy)
            outcomes.append(admitted.addErrback(lambda f: f.type).result)
        self.assertEqual(outcomes, [None, None, None, RateLimited])

    def test_broken(self) -> None:
        """A limiter that fails closes the door; its own refusal passes as it is."""
        broken = Policy("user", LIMIT, Scripted(ZeroDivisionError()))
        self.failureResultOf(self.admit(self.request("ada"), broken), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        gone = Policy("user", LIMIT, Scripted(Unavailable(reason="Redis")))
        error = self.failureResultOf(self.admit(self.request("ada"), gone), Unavailable).value
        self.assertEqual(error.reason, "Redis")

    def test_the_browser_leaves(self) -> None:
        """Who waits for the limiter can be cancelled, which is no failure of it."""
        admitted = self.admit(self.request(), Policy("route", LIMIT, Scripted(Deferred())))
        admitted.cancel()
        self.failureResultOf(admitted, CancelledError)
