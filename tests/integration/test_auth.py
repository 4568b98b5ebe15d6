"""Who calls, over real sockets: a session service, tokens, cookies and their CSRF token."""

import json
import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from naap_twisted.assembly import build_server
from naap_twisted.auth.jwks import JwksKeys
from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.config import parse_config
from naap_twisted.interfaces import IAuthenticator
from naap_twisted.testing import PAUSE, RunningServer, ScriptedUpstream
from tests.keypairs import SECRET, public, rsa, sign

from .support import OK, ORIGIN, PATH, RefusalTestCase, response

FOREVER = 2**40
COOKIES = "theme=dark; naap_auth_token=t0ken-ada; naap_csrf_token=cs-1"


def says(document, *lines, status=200):
    """The session service's answer."""
    return response(status, json.dumps(document).encode(), *lines)


ADA = says({"success": True, "data": {"user": {"id": "ada", "roles": ["admin"]}}})
EVE = says({"user": {"id": "eve"}})
REFUSED = says({"success": False}, status=401)


@implementer(IAuthenticator)
class Counting:
    """Says when it was asked often enough."""

    def __init__(self, inner, wanted):
        self._inner = inner
        self._left = wanted
        self.reached = Deferred()

    def authenticate(self, request):
        self._left -= 1
        if self._left == 0:
            self.reached.callback(None)
        return self._inner.authenticate(request)


class AuthTestCase(RefusalTestCase):
    """
    :ivar service: the session service.
    :ivar clock: what the cache goes by.
    """

    def start_with_sessions(self, *steps, service=(ADA,), server=None, route=None, **options):
        self.clock = Clock()
        self.service = ScriptedUpstream(self, *service)
        self.session = SessionAuthenticator(
            options.pop("url", self.service.origin + "/api/v1/auth/me"),
            now=self.clock.seconds,
            **options,
        )
        self.start_with(self.session, *steps, server=server, **(route or {}))

    def start_with(self, authenticator, *steps, server=None, **route):
        options = {"require_auth": True, "authenticator": authenticator, **(server or {})}
        self.start(*steps, server=options, **route)
        router, plugin = self.running.server.router, self.running.server

        @router.route("/me", methods=["GET", "POST"])
        def me(request):
            return plugin.user(request).id

    async def me(self, token="t0ken-ada"):
        """The caller's id as a Klein handler sees it, or the status of the refusal."""
        answer = await self.running.ask("GET", "/api/v1/me", {"Authorization": f"Bearer {token}"})
        return answer.body.decode() if answer.status == 200 else answer.status


class SessionTests(AuthTestCase):
    async def test_bearer(self):
        """The service is asked with the token; the upstream sees neither token nor user."""
        self.start_with_sessions(OK)
        answer = await self.post(Authorization="Bearer t0ken-ada")
        self.assertEqual(answer.status, 200)
        (asked,) = self.service.requests
        self.assertEqual(asked.line, b"GET /api/v1/auth/me HTTP/1.1")
        self.assertEqual(asked.values("authorization"), [b"Bearer t0ken-ada"])
        self.assertEqual(asked.values("cookie"), [])
        self.assertNotIn(b"ada", self.upstream.requests[0].raw)
        self.assertEqual(await self.me(), "ada")
        self.assertEqual(self.service.connections, 1)

    async def test_refused(self):
        """The service's no, and nothing at all; the service is not asked about nothing."""
        self.start_with_sessions(service=(REFUSED,))
        message = "Missing or invalid authorization token"
        await self.refused(401, "UNAUTHORIZED", message, "authentication_error")
        self.assertEqual(self.service.connections, 0)
        answer = await self.refused(
            401, "INVALID_TOKEN", message, Authorization="Bearer nobody-has-this"
        )
        self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer realm="naap-proxy"')
        self.assertEqual(self.service.connections, 1)

    async def test_down(self):
        """An error, a redirect, a broken answer, silence, nobody there: 503 for every caller."""
        elsewhere = self.stranger(ADA)
        for steps in (
            (says({"id": "ada"}, status=500),),
            (response(302, b"", f"Location: {elsewhere.origin}/"),),
            (response(200, b"<html>", "Content-Type: text/html"),),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",),
            (b"\x00\x01\r\n\r\n",),
        ):
            with self.subTest(steps=steps):
                self.start_with_sessions(service=steps, timeout=0.2)
                answer = await self.refused(
                    503, "UNAVAILABLE", None, "api_error", Authorization="Bearer t0ken"
                )
                self.assertEqual(answer.header("Retry-After"), "1")
                self.assertNotIn(b"127.0.0.1", answer.body)
        self.assertEqual(elsewhere.connections, 0)
        await self.service.stop()
        await self.refused(503, "UNAVAILABLE", Authorization="Bearer t0ken")

    async def test_recovers(self):
        """A failure is not remembered."""
        self.start_with_sessions(service=(says({}, status=503),))
        self.assertEqual(await self.me(), 503)
        self.service.steps = (ADA,)
        self.assertEqual(await self.me(), "ada")

    async def test_silence_ends(self):
        """A service that accepts and says nothing costs its deadline."""
        self.start_with_sessions(service=(PAUSE,), timeout=0.1)
        await self.refused(503, "UNAVAILABLE", Authorization="Bearer t0ken")
        await self.service.until(lambda: self.service.requests[0].lost)

    async def test_a_thousand_at_once(self):
        """1,000 concurrent requests with one token make one call."""
        self.start_with_sessions(service=(PAUSE, ADA))
        counting = Counting(self.session, 1_000)
        self.start_with(counting)
        clients = [await self.running.client() for _ in range(1_000)]
        for client in clients:
            client.request("GET", "/api/v1/me", {"Authorization": "Bearer t0ken-ada"})
        await counting.reached
        await self.service.until(lambda: self.service.requests)
        self.service.release()
        answers = await gatherResults(
            [Deferred.fromCoroutine(client.answer()) for client in clients]
        )
        self.assertEqual({answer.body for answer in answers}, {b"ada"})
        self.assertEqual(self.service.connections, 1)

    async def test_one_of_two_leaves(self):
        """The browser that asked first is gone: the other is answered all the same."""
        self.start_with_sessions(service=(PAUSE, ADA))
        first = await self.running.client()
        first.request("GET", "/api/v1/me", {"Authorization": "Bearer t0ken-ada"})
        await self.service.until(lambda: self.service.requests)
        counting = Counting(self.session, 1)
        self.running.server._routes._gate._authenticator = counting
        second = await self.running.client()
        second.request("GET", "/api/v1/me", {"Authorization": "Bearer t0ken-ada"})
        await counting.reached
        await first.stop()
        site = self.running.server.site()
        while len(site.open) > 1:
            await deferLater(reactor, 0.001)
        self.service.release()
        self.assertEqual((await second.answer()).body, b"ada")
        self.assertEqual(self.service.connections, 1)

    async def test_logout(self):
        """A session that ended is noticed after cache_ttl at the latest."""
        self.start_with_sessions(cache_ttl=60.0)
        self.assertEqual(await self.me(), "ada")
        self.service.steps = (REFUSED,)
        self.clock.advance(59.9)
        self.assertEqual(await self.me(), "ada")
        self.clock.advance(0.1)
        self.assertEqual(await self.me(), 401)

    async def test_roles(self):
        """authorize = "role:x"."""
        self.start_with_sessions(OK, route={"authorize": "role:admin"})
        self.assertEqual((await self.post(Authorization="Bearer t0ken-ada")).status, 200)
        self.service.steps = (EVE,)
        answer = await self.post(Authorization="Bearer t0ken-eve")
        self.assert_refused(answer, 403, "FORBIDDEN", "Proxy request not authorized")
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_public_routes(self):
        """No token, and nobody is asked."""
        self.start_with_sessions(server={"public_routes": ("/healthz", "/api/v1/open")})
        self.running.server.router.route("/open")(lambda request: "open")
        for path in ("/healthz", "/api/v1/open"):
            self.assertEqual((await self.running.ask("GET", path)).status, 200)
        self.assertEqual((await self.running.ask("GET", "/api/v1/me")).status, 401)
        self.assertEqual(self.service.connections, 0)


class PoisoningTests(AuthTestCase):
    async def test_answers_stay_with_their_token(self):
        """Another token never gets what one token was told, however alike they are."""
        self.start_with_sessions()
        self.assertEqual(await self.me("t0ken"), "ada")
        self.service.steps = (EVE,)
        others = ("t0keN", "t0ken.", "t0ke", "t0ken/../t0ken", "t0ken%20")
        for token in others:
            self.assertEqual(await self.me(token), "eve")
        self.assertEqual(await self.me("t0ken"), "ada")
        self.assertEqual(self.service.connections, 1 + len(others))

    async def test_two_tokens_in_one_request(self):
        """Which one counts is not for a cache to find out: nobody is asked."""
        self.start_with_sessions()
        for headers in (
            [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
            [("Authorization", "Bearer a, Bearer b")],
            [("Authorization", "Bearer a b")],
            [("Cookie", "naap_auth_token=a; naap_auth_token=b")],
            [("Cookie", "naap_auth_token=a"), ("Cookie", "naap_auth_token=b")],
        ):
            answer = await self.running.ask("GET", "/api/v1/me", headers)
            self.assert_refused(answer, 401, "INVALID_TOKEN")
        self.assertEqual(self.service.connections, 0)

    async def test_huge_token(self):
        """Is refused before anybody is asked."""
        self.start_with_sessions()
        self.assertEqual(await self.me("a" * 8193), 401)
        self.assertEqual(self.service.connections, 0)

    async def test_cookies_of_the_service(self):
        """What it sets in one call is not in the next: users would share it."""
        first = says({"id": "ada"}, "Set-Cookie: sid=of-ada; Path=/")
        self.start_with_sessions(service=(first,))
        self.assertEqual(await self.me("one"), "ada")
        self.assertEqual(await self.me("two"), "ada")
        self.assertEqual([r.values("cookie") for r in self.service.requests], [[], []])

    async def test_a_failing_service_keeps_nobody_in(self):
        """Past cache_ttl an old yes is worth nothing, whatever the service's trouble."""
        self.start_with_sessions(cache_ttl=5.0)
        self.assertEqual(await self.me(), "ada")
        await self.service.stop()
        self.assertEqual(await self.me(), "ada")
        self.clock.advance(5.0)
        self.assertEqual(await self.me(), 503)


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
        proxy = self.mount("/open", authorize="anyone")
        bind = proxy._bound.gate.admit

        async def admit(request, authorize):
            await bind(request, authorize)
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


class JwtTests(AuthTestCase):
    def token(self, *arguments, **claims):
        return sign({"sub": "ada", "exp": FOREVER, **claims}, *arguments)

    async def test_secret(self):
        """jwt_secret= in code: good tokens in, all others out."""
        self.start_with(None, OK, server={"jwt_secret": SECRET})
        answer = await self.post(Authorization=f"Bearer {self.token()}")
        self.assertEqual(answer.status, 200)
        for token in (self.token(exp=1), self.token()[:-2], "x"):
            answer = await self.post(Authorization=f"Bearer {token}")
            self.assert_refused(answer, 401, "INVALID_TOKEN")
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_environment(self):
        """Without a word in code, as in the seed: the secret of the environment."""
        self.patch(os, "environ", {"NEXTAUTH_SECRET": SECRET})
        self.start_with(None)
        self.assertEqual(await self.me(self.token()), "ada")
        self.assertEqual(await self.me("x"), 401)

    async def test_nobody(self):
        """No secret anywhere: everything that needs a user is 401."""
        self.patch(os, "environ", {})
        self.start_with(None)
        await self.refused(401, "UNAUTHORIZED", Authorization=f"Bearer {self.token()}")

    async def test_key_set(self):
        """Keys from a URL; a new one is found when a token names it."""
        clock = Clock()
        one, two = rsa("one"), rsa("two")
        self.service = ScriptedUpstream(self, says({"keys": [public(one)]}))
        keys = JwksKeys(self.service.origin + "/jwks", now=clock.seconds)
        self.start_with(JwtAuthenticator(keys.find, ("RS256",)))

        def by(key):
            return sign({"sub": "ada", "exp": FOREVER}, key, "RS256", kid=key.kid)

        self.assertEqual(await self.me(by(one)), "ada")
        self.assertEqual(await self.me(by(two)), 401)
        self.service.steps = (says({"keys": [public(one), public(two)]}),)
        clock.advance(10.0)
        self.assertEqual(await self.me(by(two)), "ada")
        self.assertEqual(self.service.connections, 2)

    async def test_key_set_down(self):
        """Nobody is let in, and nobody is called a liar."""
        self.service = ScriptedUpstream(self)
        await self.service.stop()
        keys = JwksKeys(self.service.origin + "/jwks")
        self.start_with(JwtAuthenticator(keys.find, ("RS256",)))
        token = sign({"sub": "ada", "exp": FOREVER}, rsa("one"), "RS256", kid="one")
        await self.refused(503, "UNAVAILABLE", Authorization=f"Bearer {token}")


class ConfigTests(AuthTestCase):
    async def test_session(self):
        """From a file to an answer."""
        self.service = ScriptedUpstream(self, ADA)
        config = parse_config(
            f"""
            [server]
            listen = ["tcp:0:interface=127.0.0.1"]
            [auth]
            session_url = "{self.service.origin}/me"
            [[proxy]]
            path = "/x"
            allowed_hosts = ["api.example.com"]
            """,
            directory=Path(),
        )
        self.running = RunningServer(self, build_server(config))
        headers = {"Content-Type": "application/json", "Authorization": "Bearer t0ken"}
        for given, status, code in (
            (headers, 400, "MISSING_TARGET"),
            ({**headers, "Authorization": ""}, 401, "INVALID_TOKEN"),
        ):
            answer = await self.running.ask("POST", PATH, given, b"{}")
            self.assert_refused(answer, status, code)
