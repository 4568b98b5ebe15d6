"""Sessions: who is let in, what is remembered, and for how long."""

import json

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.session import REFUSED_FOR, SessionAuthenticator, user_in
from naap_twisted.errors import ConfigError, CsrfFailed, InvalidToken, Unavailable
from naap_twisted.model import User
from tests.auth.support import FakeAgent
from tests.support import FakeRequest

URL = "http://localhost:3000/api/v1/auth/me"
ADA = User("ada", "ada@example.org", ("admin",))
ADA_JSON = {"id": "ada", "email": "ada@example.org", "role": "admin"}


class SessionCase(SynchronousTestCase):
    def setUp(self):
        self.agent, self.clock = FakeAgent(), Clock()
        self.session = SessionAuthenticator(
            URL, cache_ttl=60.0, reactor=self.clock, agent=self.agent, now=self.clock.seconds
        )

    def ask(self, token="t0ken", method=b"POST", **headers):
        headers = headers or {"Authorization": f"Bearer {token}"}
        request = FakeRequest(method, headers=headers)
        return maybeDeferred(self.session.authenticate, request)

    def answer(self, document=ADA_JSON, code=200, index=-1):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.agent.answer(code, body, index=index)

    @property
    def calls(self):
        return len(self.agent.requests)


class Asking(SessionCase):
    def test_request(self):
        """GET with the token as a bearer token, and nothing of the browser's."""
        asked = self.ask("t0ken")
        ((method, url, headers),) = self.agent.requests
        self.assertEqual((method, url), (b"GET", URL.encode()))
        self.assertEqual(headers.getRawHeaders("Authorization"), ["Bearer t0ken"])
        self.assertFalse(headers.hasHeader("Cookie"))
        self.answer()
        self.assertEqual(self.successResultOf(asked), ADA)

    def test_cookie(self):
        """The cookie's token goes out as a bearer token, too; the CSRF token is checked first."""
        cookies = "naap_auth_token=t0ken; naap_csrf_token=x"
        self.failureResultOf(self.ask(Cookie=cookies), CsrfFailed)
        self.assertEqual(self.calls, 0)
        asked = self.ask(**{"Cookie": cookies, "X-CSRF-Token": "x"})
        self.assertEqual(self.agent.requests[0][2].getRawHeaders("Authorization"), ["Bearer t0ken"])
        self.answer()
        self.assertEqual(self.successResultOf(asked), ADA)

    def test_nobody(self):
        """Without credentials nobody is asked."""
        self.assertIsNone(self.successResultOf(self.ask(Accept="*/*")))
        self.assertEqual(self.calls, 0)

    def test_refusals(self):
        """401 and 403 are the service's no; so is an answer that names nobody."""
        for number, (code, document) in enumerate(
            [
                (401, {}),
                (403, b"<html>"),
                (200, {}),
                (200, {"user": None}),
                (200, {"success": False}),
            ]
        ):
            asked = self.ask(f"t{number}")
            self.answer(document, code)
            failure = self.failureResultOf(asked, InvalidToken)
            self.assertNotIn(f"t{number}", failure.value.reason)

    def test_down(self):
        """Whatever else it does lets nobody in, says 503, and is asked again at once."""
        for code, document in [
            *((code, ADA_JSON) for code in (201, 204, 302, 400, 404, 429, 500, 503)),
            *((200, text) for text in (b"", b"ok", b"[]", b'"ada"', b"{", b"\xff", b"{}{}")),
            (200, {"user": {"name": "no id"}}),
            (200, {"id": ""}),
            (200, {"id": {"$ne": None}}),
            (200, b'{"id":"ada","id":"eve"}'),
            (200, b"[" * 10_000),
            (200, b" " * 65_537),
        ]:
            with self.subTest(code=code, document=document):
                before = self.calls
                asked = self.ask()
                self.answer(document, code)
                error = self.failureResultOf(asked, Unavailable).value
                self.assertIn((b"Retry-After", b"1"), error.headers)
                self.assertNotIn("localhost", error.message + error.reason)
                self.assertEqual(self.calls, before + 1)

    def test_no_answer(self):
        """No connection, or none in time."""
        asked = self.ask()
        self.agent.fail(ConnectionRefusedError())
        self.failureResultOf(asked, Unavailable)
        asked = self.ask()
        self.clock.advance(5.0)
        self.failureResultOf(asked, Unavailable)
        asked = self.ask()
        self.answer()
        self.assertEqual(self.successResultOf(asked), ADA)

    def test_options(self):
        """Bad ones are named."""
        for options, name in (
            ({"session_url": "localhost"}, "session_url"),
            ({"session_url": URL, "session_cookie": "a b"}, "session_cookie"),
        ):
            error = self.assertRaises(ConfigError, SessionAuthenticator, **options, reactor=1)
            self.assertTrue(str(error).startswith(f"{name}: "))


class Remembering(SessionCase):
    def remember(self, token="t0ken"):
        asked = self.ask(token)
        self.answer()
        return self.successResultOf(asked)

    def test_at_once(self):
        """A remembered user is a plain value: no Deferred, no call."""
        self.remember()
        request = FakeRequest(b"POST", headers={"Authorization": "Bearer t0ken"})
        self.assertEqual(self.session.authenticate(request), ADA)
        self.assertEqual(self.calls, 1)

    def test_ttl(self):
        """Never past cache_ttl, counted from the question and not from the answer."""
        asked = self.ask()
        self.clock.advance(4.0)
        self.answer()
        self.successResultOf(asked)
        self.clock.advance(55.999)
        self.assertEqual(self.successResultOf(self.ask()), ADA)
        self.clock.advance(0.001)
        asked = self.ask()
        self.assertEqual(self.calls, 2)
        self.answer({}, 401)
        self.failureResultOf(asked, InvalidToken)

    def test_use_does_not_extend(self):
        """A busy session ends no later than an idle one."""
        self.remember()
        for _ in range(59):
            self.clock.advance(1.0)
            self.successResultOf(self.ask())
        self.clock.advance(1.0)
        self.assertNoResult(self.ask())

    def test_by_token(self):
        """Another token is another question, however alike; cookie and header are one token."""
        self.remember("t0ken")
        for other in ("t0keN", "t0ken1", "t0ke", "T0ken", "t0ken%00"):
            self.assertNoResult(self.ask(other))
        known = self.ask(method=b"GET", Cookie="naap_auth_token=t0ken")
        self.assertEqual(self.successResultOf(known), ADA)

    def test_tokens_are_not_kept(self):
        """Only digests are."""
        self.remember("t0ken-to-look-for")
        self.assertNotIn("t0ken-to-look-for", repr(vars(self.session._users)))

    def test_refusals(self):
        """For two seconds, so that a flood of one bad token is one call, and no longer."""
        asked = self.ask("bad")
        self.answer({}, 401)
        self.failureResultOf(asked, InvalidToken)
        self.clock.advance(REFUSED_FOR - 0.001)
        self.failureResultOf(self.ask("bad"), InvalidToken)
        self.assertEqual(self.calls, 1)
        self.clock.advance(0.001)
        asked = self.ask("bad")
        self.answer()
        self.assertEqual(self.successResultOf(asked), ADA)

    def test_flood(self):
        """Made-up tokens push no real session out, and are bounded themselves."""
        self.remember()
        for number in range(1_100):
            asked = self.ask(f"bad{number}")
            self.answer({}, 401)
            self.failureResultOf(asked, InvalidToken)
        self.assertEqual(len(self.session._refused), 1_000)
        self.assertEqual(self.successResultOf(self.ask()), ADA)


class Sharing(SessionCase):
    def test_one_call(self):
        """A thousand requests with one token make one call."""
        asked = [self.ask() for _ in range(1_000)]
        self.assertEqual(self.calls, 1)
        self.answer()
        for each in asked:
            self.assertEqual(self.successResultOf(each), ADA)

    def test_tokens_apart(self):
        """Answers go to whom they belong, in whatever order they come."""
        ada, eve = self.ask("ada"), self.ask("eve")
        self.answer({"id": "eve"}, index=1)
        self.answer({"id": "ada"}, index=0)
        self.assertEqual(self.successResultOf(ada).id, "ada")
        self.assertEqual(self.successResultOf(eve).id, "eve")
        self.assertEqual(self.successResultOf(self.ask("ada")).id, "ada")

    def test_leaving(self):
        """A browser that leaves ends nobody else's look-up."""
        first, second = self.ask(), self.ask()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.answer()
        self.assertEqual(self.successResultOf(second), ADA)

    def test_bound(self):
        """Too many tokens at once are told to come back; known ones are served."""
        asked = self.ask("known")
        self.answer()
        self.successResultOf(asked)
        waiting = [self.ask(f"t{number}") for number in range(200)]
        self.failureResultOf(self.ask("one-more"), Unavailable)
        self.assertEqual(self.successResultOf(self.ask("known")), ADA)
        self.assertIsInstance(waiting[0], Deferred)


class Shapes(SynchronousTestCase):
    def test_users(self):
        """The three shapes."""
        for document in (
            {"success": True, "data": {"user": ADA_JSON}},
            {"user": ADA_JSON},
            ADA_JSON,
            {"success": True, "data": ADA_JSON},
        ):
            self.assertEqual(user_in(document), ADA)

    def test_nobody(self):
        """What says no is no user, whatever stands beside it."""
        for document in (
            {},
            {"user": None},
            {"user": {}},
            {"success": False, "data": {"user": ADA_JSON}},
            {"success": "true", "data": {"user": ADA_JSON}},
            {"success": 1, "id": "ada"},
            {"success": True, "data": None},
            {"success": True, "data": {"user": None}, "user": ADA_JSON},
            {"user": "ada"},
            {"user": [ADA_JSON]},
        ):
            with self.subTest(document=document):
                self.assertIsNone(user_in(document))

    def test_broken(self):
        """A user without an id is a broken answer, not a stranger."""
        for document in ({"user": {"email": "a@b"}}, {"status": "ok"}, {"id": None}):
            self.assertRaises(ValueError, user_in, document)
