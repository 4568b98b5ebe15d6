"""Sessions over real sockets: who is asked, how often, and who gets which answer."""

import re
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.config import parse_config
from naap_twisted.start.assembly import build_server
from naap_twisted.testing import PAUSE, RunningServer, ScriptedUpstream

from ..servers import NO_REDIS, Redis
from .auth_case import ADA, EVE, REFUSED, AuthTestCase, Counting, says
from .certificates import Authority
from .support import OK, PATH, response, until


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
        # Identifiers are random hexadecimal digits, among which such a name may stand.
        sent = re.sub(rb"[0-9a-f]{16,}", b"", self.upstream.requests[0].raw)
        self.assertNotIn(b"ada", sent)
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
        self.start_with_sessions(service=(PAUSE,), timeout=0.5)
        await self.refused(503, "UNAVAILABLE", Authorization="Bearer t0ken")
        requests = self.service.requests
        await self.service.until(lambda: requests and requests[0].lost)

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


class TlsTests(AuthTestCase):
    async def test_certificates(self):
        """The service's certificate is verified by name, against the operator's trust anchors."""
        authority, stranger = Authority(), Authority()
        ca_file = self.mktemp()
        Path(ca_file).write_bytes(authority.pem)
        for signer, name, outcome in (
            (authority, "127.0.0.1", "ada"),
            (authority, "auth.example", 503),
            (stranger, "127.0.0.1", 503),
        ):
            self.start_with_sessions()
            service = ScriptedUpstream(self, ADA, tls=signer.server_options(name))
            self.session = SessionAuthenticator(service.origin + "/me", ca_file=ca_file)
            self.start_with(self.session)
            self.assertEqual(await self.me(), outcome)
            self.assertEqual(len(service.requests), 1 if outcome == "ada" else 0)

    async def test_log(self):
        """A look-up that works leaves no line of its own."""
        self.start_with_sessions()
        with capturedLogs() as events:
            self.assertEqual(await self.me(), "ada")
        self.assertEqual({event["log_namespace"] for event in events}, {"naap.access"})


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


class SharedSessionTests(AuthTestCase):
    skip = NO_REDIS

    async def begin(self, **options):
        self.start_with_sessions(server={"redis_url": self.redis.url}, **options)
        await until(lambda: self.running.server.parts.state.redis.up)

    async def test_asked_once_for_all(self):
        """What one server was told another of its name and Redis knows, while Redis is there."""
        self.redis = Redis(self)
        await self.begin()
        first = self.service
        url = first.origin + "/api/v1/auth/me"
        self.assertEqual(await self.me(), "ada")
        await self.begin(url=url)
        self.assertEqual(await self.me(), "ada")
        self.assertEqual(len(first.requests), 1)
        self.assertEqual(await self.me("t0ken-of-another"), "ada")
        self.assertEqual(len(first.requests), 2)
        await self.begin(url=url)
        self.redis.kill()
        self.assertEqual(await self.me(), "ada")
        self.assertEqual(len(first.requests), 3)
