"""Cookie sessions and their CSRF token, over real sockets."""

from .auth_case import AuthTestCase
from .support import OK, ORIGIN

COOKIES = "theme=dark; naap_auth_token=t0ken-ada; naap_csrf_token=cs-1"


class CsrfTests(AuthTestCase):
    MESSAGE = "Missing or invalid CSRF token"

    async def test_row(self):
        """A cookie session without the matching X-CSRF-Token; the service is not asked."""
        self.start_with_sessions()
        for sent in (None, "", "cs-2", "cs-1x", "t0ken-ada"):
            await self.refused(
                403,
                "CSRF_FAILED",
                self.MESSAGE,
                "permission_error",
                Cookie=COOKIES,
                X_CSRF_Token=sent,
            )
        await self.refused(403, "CSRF_FAILED", Cookie="naap_auth_token=t", X_CSRF_Token="cs-1")
        self.assertEqual(self.service.connections, 0)

    async def test_matching(self):
        """With it the request goes through; neither cookie nor token goes upstream."""
        self.start_with_sessions(OK)
        answer = await self.post(Cookie=COOKIES, X_CSRF_Token="cs-1")
        self.assertEqual(answer.status, 200)
        raw = self.upstream.requests[0].raw
        for text in (b"cs-1", b"t0ken-ada", b"theme", b"Cookie", b"X-CSRF"):
            self.assertNotIn(text, raw)

    async def test_who_needs_none(self):
        """Bearer requests, and reads."""
        self.start_with_sessions(OK)
        answer = await self.post(Cookie=COOKIES, Authorization="Bearer t0ken-ada")
        self.assertEqual(answer.status, 200)
        answer = await self.running.ask("GET", "/api/v1/me", {"Cookie": COOKIES})
        self.assertEqual(answer.body, b"ada")

    async def test_klein_routes(self):
        """A plugin's own handlers stand behind the same door."""
        self.start_with_sessions()
        for headers, status in (({}, 403), ({"X-CSRF-Token": "cs-1"}, 200)):
            answer = await self.running.ask(
                "POST", "/api/v1/me", {"Cookie": COOKIES, **headers}, b""
            )
            self.assertEqual(answer.status, status)

    async def test_open_routes(self):
        """Where anyone may call, a forged request is a stranger's, never the user's."""
        seen = []
        self.start_with_sessions(OK, server={"require_auth": False})
        self.mount("/open", authorize="anyone")
        proxy = self.running.server.routes()[-1].proxy
        bind = proxy._bound.gate.admit

        async def admit(request, *rules):
            await bind(request, *rules)
            seen.append(request.record.user)

        self.patch(proxy._bound.gate, "admit", admit)
        answer = await self.post(path="/api/v1/open", Cookie=COOKIES)
        self.assertEqual((answer.status, seen), (200, [None]))

    async def test_credentials_and_any_origin(self):
        """With cors_origins "*" no page elsewhere is told that it may send cookies."""
        self.start_with_sessions(OK)
        answer = await self.post(Cookie=COOKIES, X_CSRF_Token="cs-1")
        self.assertIsNone(answer.header("Access-Control-Allow-Credentials"))
        self.start_with_sessions(OK, server={"cors_origins": [ORIGIN]})
        answer = await self.post(Cookie=COOKIES, X_CSRF_Token="cs-1")
        self.assertEqual(answer.header("Access-Control-Allow-Credentials"), "true")
