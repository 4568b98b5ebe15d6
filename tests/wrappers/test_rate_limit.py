"""Tests of naap_twisted.wrappers.rate_limit."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted import errors
from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.model import RateDecision, RateLimit
from naap_twisted.wrappers.rate_limit import Charge, RateLimited

from ..support import Answer, FakeRequest

PASS = RateDecision(True, 10, 9)
STOP = RateDecision(False, 10, 0, retry_after=7)


class Scripted:
    """Answers with *result*, raising exceptions."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.keys: list[str] = []

    def hit(self, key: str) -> Any:
        self.keys.append(key)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Broken(Resource):
    """A handler with a bug."""

    def render(self, request: Any) -> bytes:
        raise ZeroDivisionError


def limited(limiter: Any, request: FakeRequest | None = None) -> FakeRequest:
    request = request or FakeRequest()
    request.record.client = "2001:db8:1:2:3::"
    RateLimited(Answer(), limiter).render(request)
    return request


class RateLimitedTests(SynchronousTestCase):
    def assertRetryAfter(self, request: FakeRequest, seconds: bytes) -> None:
        self.assertIsInstance(request.refused, errors.RateLimited)
        self.assertIn((b"Retry-After", seconds), request.refused.headers)
        self.assertEqual(request.rendered, [])

    def test_passes_and_stops(self) -> None:
        """The limiter's word decides; a refusal says when to come back."""
        self.assertEqual(len(limited(Scripted(PASS)).rendered), 1)
        self.assertRetryAfter(limited(Scripted(STOP)), b"7")

    def test_announced(self) -> None:
        """The limit is told on what passes and on what does not; only if it is asked to."""
        for decision, left in ((PASS, b"9;t=0"), (STOP, b"0;t=7")):
            request = FakeRequest()
            limiter = Scripted(decision)
            RateLimited(Answer(), limiter, announced=RateLimit(10, 60.0)).render(request)
            raw = request.responseHeaders.getRawHeaders
            self.assertEqual(raw(b"RateLimit"), [b'"address";r=' + left])
            self.assertEqual(raw(b"RateLimit-Policy"), [b'"address";q=10;w=60'])
        self.assertFalse(limited(Scripted(PASS)).responseHeaders.hasHeader(b"RateLimit"))

    def test_counts_by_network(self) -> None:
        """The key is the client's rate key, not its single IPv6 address."""
        limiter = Scripted(PASS)
        limited(limiter)
        self.assertEqual(limiter.keys, ["2001:db8:1:2::/64"])

    def test_exempt(self) -> None:
        """The health check is not counted; the path counts, not the query."""
        limiter = Scripted(STOP)
        self.assertEqual(len(limited(limiter, FakeRequest(uri=b"/healthz?a")).rendered), 1)
        self.assertEqual(limiter.keys, [])
        self.assertIsNotNone(limited(limiter, FakeRequest(uri=b"/healthz/")).refused)

    def test_with_the_embedded_store(self) -> None:
        """Two pass, the third waits for the window."""
        clock = Clock()
        limiter = MemoryRateLimiter(RateLimit(2, 60.0), clock)
        outcomes = [limited(limiter).refused is None for _ in range(3)]
        self.assertEqual(outcomes, [True, True, False])
        clock.advance(60)
        self.assertIsNone(limited(limiter).refused)


class SlowLimiterTests(SynchronousTestCase):
    def test_waits(self) -> None:
        """A limiter that asks elsewhere holds the request until it knows."""
        for decision in (PASS, STOP):
            pending: Deferred[RateDecision] = Deferred()
            request = limited(Scripted(pending))
            self.assertEqual((request.rendered, request.refused), ([], None))
            pending.callback(decision)
            self.assertEqual(bool(request.rendered), decision.allowed)
            self.assertEqual(request.refused is None, decision.allowed)

    def test_client_gone(self) -> None:
        """A caller that leaves cancels the question, and nothing answers it."""
        cancelled: list[Any] = []
        request = limited(Scripted(Deferred(cancelled.append)))
        request.processingFailed(Failure(ConnectionDone()))
        self.assertEqual(len(cancelled), 1)
        self.assertEqual((request.rendered, request.refused), ([], None))

    def test_client_gone_late_word(self) -> None:
        """A limiter that answers a cancelled question all the same changes nothing."""
        request = limited(Scripted(Deferred(lambda pending: pending.callback(PASS))))
        request.processingFailed(Failure(ConnectionDone()))
        self.assertEqual((request.rendered, request.refused), ([], None))

    def test_a_bug_behind_it(self) -> None:
        """A handler that raises after the wait is reported as one that raised at once is."""
        pending: Deferred[RateDecision] = Deferred()
        request = FakeRequest()
        RateLimited(Broken(), Scripted(pending)).render(request)
        request._finishedDeferreds = None
        pending.callback(PASS)
        self.assertIsNotNone(request.failure.check(ZeroDivisionError))


class FailingLimiterTests(SynchronousTestCase):
    def test_own_word(self) -> None:
        """A ProxyError of the limiter is the answer."""
        error = errors.Unavailable(retry_after=3)
        self.assertIs(limited(Scripted(error)).refused, error)

    def test_closed(self) -> None:
        """Any other failure is logged and closes the door, at once or later."""
        pending: Deferred[RateDecision] = Deferred()
        later = limited(Scripted(pending))
        pending.errback(OSError("store is gone"))
        for request in (limited(Scripted(OSError("store is gone"))), later):
            self.assertIsInstance(request.refused, errors.Unavailable)
            self.assertNotIn("store", request.refused.message)
            self.assertEqual(request.rendered, [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)


class ChargeTests(SynchronousTestCase):
    def charge(self, result: Any, peer: str = "192.0.2.7") -> tuple[Any, list[str]]:
        limiter = Scripted(result)
        charge = Charge(limiter, TrustedProxies(["10.0.0.0/8", "2001:db8::/32"]))
        return charge(peer), limiter.keys

    def test_counts(self) -> None:
        """By the key of a request from there; past the limit with the time to wait."""
        for peer, key in (
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db9::7", "2001:db9::/64"),
            ("fe80::1%eth0", "fe80::/64"),
        ):
            self.assertEqual(self.charge(PASS, peer), (None, [key]))
            refusal, keys = self.charge(STOP, peer)
            self.assertIsInstance(refusal, errors.RateLimited)
            self.assertEqual(refusal.headers, ((b"Retry-After", b"7"),))
            self.assertEqual(keys, [key])

    def test_nobody_to_charge(self) -> None:
        """A trusted proxy's address, or none, is everybody's."""
        for peer in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", "", "unix"):
            self.assertEqual(self.charge(STOP, peer), (None, []))

    def test_nobody_waits(self) -> None:
        """A limiter that asks elsewhere counts; its word is for the next one."""
        pending: Deferred[RateDecision] = Deferred()
        self.assertEqual(self.charge(pending)[0], None)
        pending.callback(STOP)

    def test_failures(self) -> None:
        """They are logged, but for a store that is gone: that is known. The answer stays."""
        for error, logged in ((errors.Unavailable(), 0), (KeyError("x"), 1)):
            self.assertEqual(self.charge(error)[0], None)
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), logged)
            pending: Deferred[RateDecision] = Deferred()
            self.assertEqual(self.charge(pending)[0], None)
            pending.errback(error)
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), logged)
