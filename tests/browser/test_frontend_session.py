"""examples/frontend with a user: a cookie session and its CSRF token, or a token."""

from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import User
from naap_twisted.testing import ScriptedUpstream

from .frontend import ANSWER, DONE, ERROR, STREAM, FrontendTestCase, answer, event

SESSION = {"name": "naap_auth_token", "value": "t0ken-ada", "httpOnly": True}
CSRF = {"name": "naap_csrf_token", "value": "cs%2F1"}
WRITE = (STREAM + event("Hello, Ada.") + DONE,)


class CookieTests(FrontendTestCase):
    host = "127.0.0.1"  # the proxy's host, on another port: another origin, the same cookies

    async def begin(self, *cookies):
        """Somebody who has *cookies* says hello."""
        self.service = ScriptedUpstream(self, answer(200, {"user": {"id": "ada"}}))
        self.stage(
            *WRITE,
            server={
                "require_auth": True,
                "authenticator": SessionAuthenticator(self.service.origin + "/me"),
            },
            app={"credentials": "include"},
        )
        await self.open()
        placed = [{**cookie, "url": self.origin} for cookie in cookies]
        await self.browse(lambda page: page.context.add_cookies(placed))
        await self.browse(lambda page: page.goto(self.origin + "/"))
        await self.ask("Hello")

    async def test_without_csrf_token(self):
        """A page that can not repeat the CSRF cookie gets nothing, and nobody is asked."""
        self.expect_console("status of 403")
        await self.begin(SESSION)
        text = await self.shown(ERROR, "Missing or invalid CSRF token")
        self.assertIn("code CSRF_FAILED", text)
        self.assertEqual(self.service.requests, [])
        self.assertEqual(self.upstream.requests, [])

    async def test_with_csrf_token(self):
        """With it, the page is its user; neither cookie goes upstream."""
        await self.begin(SESSION, CSRF)
        await self.shown(ANSWER, "Hello, Ada.")
        self.assertEqual(self.service.requests[0].values("authorization"), [b"Bearer t0ken-ada"])
        raw = self.upstream.requests[0].raw
        for text in (b"t0ken-ada", b"cs%2F1", b"Cookie", b"X-CSRF"):
            self.assertNotIn(text, raw)


class TokenTests(FrontendTestCase):
    async def begin(self):
        """The way of examples/ai_assistant: tokens written down, X-Target-URL."""
        users = StaticTokens({"let-me-in": User("ada")})
        self.stage(*WRITE, server={"require_auth": True, "authenticator": users})
        await self.visit()

    async def test_without_token(self):
        """A page that says nobody is asking."""
        self.expect_console("status of 401")
        await self.begin()
        await self.ask("Hello")
        self.assertIn("code UNAUTHORIZED", await self.shown(ERROR, "authorization token"))

    async def test_with_token(self):
        """The token typed into Connection goes along, to the proxy and no further."""
        await self.begin()

        def scenario(page):
            page.locator("summary").click()
            page.get_by_label("Your access token").fill("let-me-in")

        await self.browse(scenario)
        await self.ask("Hello")
        await self.shown(ANSWER, "Hello, Ada.")
        self.assertNotIn(b"let-me-in", self.upstream.requests[0].raw)
