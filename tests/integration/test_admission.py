"""Who may call: the contract's rows 401, 403 and 429, over real sockets; CSRF is in test_csrf."""

from twisted.internet.defer import Deferred, fail, succeed

from naap_twisted import RateLimit
from naap_twisted.auth.static import StaticTokens
from naap_twisted.errors import Unauthorized
from naap_twisted.model import User

from .support import OK, PATH, RefusalTestCase

_TOKENS = {"tok-ada-1234": User("ada")}


class AuthTests(RefusalTestCase):
    MESSAGE = "Missing or invalid authorization token"

    def start_with_users(self, *steps, **route):
        tokens = StaticTokens(_TOKENS)
        self.start(*steps, server={"require_auth": True, "authenticator": tokens}, **route)

    async def test_no_token(self):
        self.start_with_users()
        answer = await self.refused(401, "UNAUTHORIZED", self.MESSAGE, "authentication_error")
        self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer realm="naap-proxy"')

    async def test_bad_token(self):
        self.start_with_users()
        for value in ("Bearer nobody-has-this", "Basic abcd", "Bearer"):
            answer = await self.refused(
                401, "INVALID_TOKEN", self.MESSAGE, "authentication_error", Authorization=value
            )
            self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer realm="naap-proxy"')

    async def test_good_token(self):
        """The same request with a token goes through; the token stays here."""
        self.start_with_users(OK)
        answer = await self.post(Authorization="Bearer tok-ada-1234")
        self.assertEqual(answer.status, 200)
        self.assertNotIn(b"tok-ada-1234", self.upstream.requests[0].raw)

    async def test_authorize_gets_the_user(self):
        seen = []
        self.start_with_users(OK, authorize=lambda r: seen.append(r.record.user) or True)
        self.assertEqual((await self.post(Authorization="Bearer tok-ada-1234")).status, 200)
        self.assertEqual(seen, [User("ada")])


def _raises(request):
    raise RuntimeError("no key for this user")


async def _async_false(request):
    return False


async def _async_raises(request):
    raise KeyError("user")


class AuthorizeTests(RefusalTestCase):
    async def test_no_in_every_form(self):
        """False and raise deny, in sync, async and Deferred form."""
        for rule in (
            lambda request: False,
            lambda request: None,
            _raises,
            _async_false,
            _async_raises,
            lambda request: succeed(False),
            lambda request: fail(ValueError("no")),
        ):
            self.start(authorize=rule)
            await self.refused(403, "FORBIDDEN", "Proxy request not authorized", "permission_error")

    async def test_yes_in_every_form(self):
        async def later(request):
            return True

        for rule in (lambda request: True, later, lambda request: succeed(1)):
            self.start(OK, authorize=rule)
            self.assertEqual((await self.post()).status, 200)

    async def test_a_callable_that_answers(self):
        """What it wrote is the answer; no upstream is asked for another."""

        def answers(request):
            request.write(b"mine")
            request.finish()
            return {"X-Key": "k"}

        self.start(OK, forward_headers=answers)
        self.assertEqual((await self.post()).body, b"mine")
        self.assertEqual(self.upstream.requests, [])

    async def test_an_error_of_the_table_keeps_its_row(self):
        def rule(request):
            raise Unauthorized()

        self.start(authorize=rule)
        await self.refused(401, "UNAUTHORIZED")

    async def test_waiting_for_authorize_ends_when_the_browser_leaves(self):
        cancelled = []
        asked = Deferred()

        def rule(request):
            asked.callback(None)
            return Deferred(lambda d: cancelled.append(d))

        self.start(authorize=rule)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await asked
        client.abort()
        await self.running.server.stopService()
        self.assertEqual(len(cancelled), 1)


class RateLimitTests(RefusalTestCase):
    async def test_over_the_limit(self):
        self.start(OK, server={"rate_limit": RateLimit(requests=2, window=60.0)})
        for _ in range(2):
            self.assertEqual((await self.post()).status, 200)
        answer = await self.post()
        message = "Too many requests, please try again later"
        self.assert_refused(answer, 429, "RATE_LIMITED", message, "rate_limit_error")
        self.assert_readable(answer)
        self.assertTrue(1 <= int(answer.header("Retry-After")) <= 60)
        self.assertEqual(len(self.upstream.requests), 2)
