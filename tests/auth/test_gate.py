"""The first door."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.gate import Gate, is_rule
from naap_twisted.auth.patience import Patience
from naap_twisted.errors import (
    CsrfFailed,
    Forbidden,
    InvalidToken,
    ProxyError,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from naap_twisted.model import TokenPlace, User
from tests.support import FakeRequest

PATIENCE = Patience(Clock(), 10.0)
ADA = User("ada")
ROOT = User("root", roles=("admin", "other"))


class Authenticator:
    """Answers what it was made with; an exception is raised."""

    def __init__(self, outcome=None):
        self.outcome = outcome
        self.asked = 0

    def authenticate(self, request):
        self.asked += 1
        outcome = self.outcome() if callable(self.outcome) else self.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def later(value):
    return value


async def raise_later(error):
    raise error


def ways(value):
    """*value* as a result, a coroutine, a Deferred and one inside the other."""
    return [
        lambda: value,
        lambda: later(value),
        lambda: succeed(value),
        lambda: later(succeed(value)),
    ]


def ways_to_fail(error):
    """*error* raised at once, in a coroutine and in a Deferred."""

    def at_once():
        raise error

    return [at_once, lambda: raise_later(error), lambda: fail(error)]


class GateCase(SynchronousTestCase):
    def setUp(self):
        self.request = FakeRequest()

    def admit(self, authorize, *, user=None, required=True, nobody=False):
        authenticator = None if nobody else Authenticator(user)
        gate = Gate(authenticator, PATIENCE, required=required)
        return Deferred.fromCoroutine(gate.admit(self.request, authorize))


class Words(GateCase):
    def test_table(self):
        """What a route says x what the server requires x who calls -> admitted or not."""
        bad = InvalidToken()
        for rule, required, caller, outcome in [
            ("user", True, ADA, None),
            ("user", True, None, Unauthorized),
            ("user", True, bad, InvalidToken),
            ("user", False, ADA, None),
            ("user", False, None, Unauthorized),
            ("user", False, bad, InvalidToken),
            ("anyone", True, ADA, None),
            ("anyone", True, None, None),
            ("anyone", True, bad, None),
            ("anyone", False, bad, None),
            ("role:admin", True, ROOT, None),
            ("role:admin", False, ROOT, None),
            ("role:admin", True, ADA, Forbidden),
            ("role:admin", False, ADA, Forbidden),
            ("role:admin", True, None, Unauthorized),
            ("role:admin", False, None, Unauthorized),
            ("role:admin", False, bad, InvalidToken),
            ("role:Admin", True, ROOT, Forbidden),
            ("role:adm", True, ROOT, Forbidden),
            ("user", True, CsrfFailed(), CsrfFailed),
            ("anyone", True, CsrfFailed(), None),
            ("user", True, Unavailable(), Unavailable),
            ("anyone", True, Unavailable(), None),
            (None, True, ADA, None),
            (None, True, None, Unauthorized),
            (None, True, bad, InvalidToken),
            (None, False, None, None),
            (None, False, bad, None),
        ]:
            with self.subTest(rule=rule, required=required, caller=caller):
                self.request = FakeRequest()
                admitted = self.admit(rule, user=caller, required=required)
                if outcome is None:
                    self.successResultOf(admitted)
                    known = caller if isinstance(caller, User) else None
                    self.assertIs(self.request.record.user, known)
                else:
                    failure = self.failureResultOf(admitted, outcome)
                    self.assertIs(type(failure.value), outcome)

    def test_rules(self):
        """The words that there are."""
        for word in ("user", "anyone", "role:admin", "role:a", "role:" + "x" * 128):
            self.assertTrue(is_rule(word), word)
        for word in ("", "users", "role:", "role:a b", "role:" + "x" * 129, "Role:a", None, 3):
            self.assertFalse(is_rule(word), word)

    def test_nobody_is_known(self):
        """Without an authenticator, "user" lets nobody in and "anyone" everybody."""
        self.failureResultOf(self.admit("user", nobody=True), Unauthorized)
        self.failureResultOf(self.admit(None, nobody=True), Unauthorized)
        self.successResultOf(self.admit("anyone", nobody=True))
        self.successResultOf(self.admit(None, nobody=True, required=False))

    def test_default(self):
        """What a route that says nothing gets."""
        self.assertEqual(Gate(None, PATIENCE, required=True).default, "user")
        self.assertEqual(Gate(None, PATIENCE, required=False).default, "anyone")

    def test_public(self):
        """Exact paths."""
        gate = Gate(None, PATIENCE, required=True, public_routes=("/healthz", "/api/v1/open"))
        for path, public in [
            (b"/healthz", True),
            (b"/api/v1/open", True),
            (b"/healthz/", False),
            (b"/healthz/x", False),
            (b"/HEALTHZ", False),
            (b"/api/v1/opened", False),
            (b"", False),
        ]:
            self.assertEqual(gate.is_public(path), public, path)


class Authentication(GateCase):
    def test_ways(self):
        """An authenticator answers at once, by coroutine or by Deferred."""
        for way in ways(ADA):
            self.request = FakeRequest()
            self.successResultOf(self.admit("user", user=way))
            self.assertIs(self.request.record.user, ADA)

    def test_failures(self):
        """What it raises, however late, reaches the caller."""
        for error in (InvalidToken(), Unavailable()):
            for way in ways_to_fail(error):
                failure = self.failureResultOf(self.admit("user", user=way))
                self.assertIs(failure.value, error)

    def test_bug(self):
        """A bug in an authenticator lets nobody in, not even where anyone may."""
        for rule in ("user", "anyone", lambda request: True):
            self.failureResultOf(self.admit(rule, user=KeyError("bug")), KeyError)

    def test_asked_once(self):
        """A user found by an earlier layer stays."""
        authenticator = Authenticator(User("other"))
        self.request.record.user = ADA
        gate = Gate(authenticator, PATIENCE, required=True)
        self.successResultOf(Deferred.fromCoroutine(gate.admit(self.request, "user")))
        self.assertEqual(authenticator.asked, 0)
        self.assertIs(self.request.record.user, ADA)

    def test_waiting(self):
        """Nobody is let in before the answer is there; a browser that leaves cancels it."""
        answer = Deferred()
        admitted = self.admit("user", user=lambda: answer)
        self.assertNoResult(admitted)
        admitted.cancel()
        self.assertTrue(answer.called)
        self.failureResultOf(admitted, CancelledError)


class BesideUsers(GateCase):
    """An upstream that signs users in itself: a header has our token, Authorization theirs."""

    PLACE = TokenPlace((b"apikey",), users=True)

    def test_table(self):
        """The authenticator sees the caller's token, the upstream none of it, refused or not."""
        for sent, caller, left in (
            ({"apikey": "t", "Authorization": "Bearer t"}, ADA, None),
            ({"apikey": "t", "Authorization": "Bearer bo"}, ADA, ["Bearer bo"]),
            ({"apikey": "t", "Authorization": "Bearer bo"}, InvalidToken(), ["Bearer bo"]),
            ({"Authorization": "Bearer t"}, ADA, None),
            ({"apikey": "t"}, None, None),
        ):
            request, seen = FakeRequest(headers=sent), []

            class Looking(Authenticator):
                def authenticate(self, asked, seen=seen):
                    seen.append(asked.requestHeaders.getRawHeaders("authorization"))
                    return super().authenticate(asked)

            gate = Gate(Looking(caller), PATIENCE, required=True)
            admitted = Deferred.fromCoroutine(gate.admit(request, "user", self.PLACE))
            if caller is ADA:
                self.successResultOf(admitted)
            else:
                self.failureResultOf(admitted, ProxyError)
            self.assertEqual(seen, [["Bearer t"]])
            self.assertEqual(request.requestHeaders.getRawHeaders("authorization"), left)


class Callables(GateCase):
    def test_yes(self):
        """A true value admits, in every way of giving it; it sees request and user."""
        for value in (True, 1, "yes", ADA):
            for way in ways(value):
                self.request = FakeRequest()
                seen = []

                def rule(request, way=way, seen=seen):
                    seen.append((request, request.record.user))
                    return way()

                self.successResultOf(self.admit(rule, user=ADA))
                self.assertEqual(seen, [(self.request, ADA)])

    def test_no(self):
        """A false value denies."""
        for value in (False, None, 0, ""):
            for way in ways(value):
                failure = self.failureResultOf(
                    self.admit(lambda request, way=way: way(), user=ADA), Forbidden
                )
                self.assertEqual(failure.value.reason, "authorize said no")
                self.assertEqual(failure.value.message, "Proxy request not authorized")

    def test_raises(self):
        """The seed's getUserApiKey throws to deny: 403, and the log names the error's type only."""
        for way in ways_to_fail(LookupError("no key for sk-canary")):
            with capturedLogs() as logs:
                failure = self.failureResultOf(
                    self.admit(lambda request, way=way: way(), user=ADA), Forbidden
                )
            self.assertEqual(failure.value.reason, "authorize raised LookupError")
            (event,) = [event for event in logs if event["log_level"] is LogLevel.warn]
            self.assertEqual(event["error_type"], "LookupError")
            self.assertNotIn("sk-canary", repr(event) + repr(failure.value))

    def test_proxy_error_passes(self):
        """A plugin chooses its own answer by raising one of ours."""
        for error in (RateLimited(3), Unavailable(), Forbidden("Out of credit")):
            for way in ways_to_fail(error):
                admitted = self.admit(lambda request, way=way: way(), user=ADA)
                failure = self.failureResultOf(admitted)
                self.assertIs(failure.value, error)

    def test_needs_a_user_where_the_server_does(self):
        """The callable is not asked about strangers, unless the server has no auth."""
        asked = []

        def rule(request):
            asked.append(request)
            return True

        self.failureResultOf(self.admit(rule), Unauthorized)
        self.failureResultOf(self.admit(rule, user=InvalidToken()), InvalidToken)
        self.assertEqual(asked, [])
        self.successResultOf(self.admit(rule, required=False, nobody=True))
        self.assertEqual(asked, [self.request])
