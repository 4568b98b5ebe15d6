"""Token URLs that fail, lie or dawdle: the caller gets a 503 soon, and nobody learns a secret."""

import json
from base64 import b64decode
from urllib.parse import parse_qs

from twisted.internet.defer import ensureDeferred as ensure
from twisted.internet.defer import gatherResults

from naap_twisted import create_external_proxy
from naap_twisted.credentials import token_source
from naap_twisted.testing import PAUSE, ScriptedUpstream
from tests.integration.canary import CANARY
from tests.integration.support import OK, IntegrationTestCase, response, until

TOKEN = "at-4f81c0ffee4f81c0ffee"
JSON = "Content-Type: application/json"
REFUSED = response(401, b'{"error":"expired"}', JSON)


def grant(token=TOKEN, **members):
    document = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **members}
    return response(200, json.dumps(document).encode(), JSON)


class TokenCase(IntegrationTestCase):
    def begin(self, *token_steps, steps=(OK,), oauth2=None, **route):
        self.upstream = ScriptedUpstream(self, *steps)
        self.token_url = ScriptedUpstream(self, *token_steps)
        self.running = self.serve()
        options = {
            "token_url": self.token_url.origin + "/token?tenant=1",
            "client_id": "the proxy",
            "client_secret": CANARY,
            "scope": "read write",
            **(oauth2 or {}),
        }
        self.mount("/x", forward_headers=None, oauth2=options, **route)
        self.source = self.running.server.routes()[0].proxy._access.source

    def sent(self, name="Authorization", index=-1):
        return self.upstream.requests[index].values(name)

    async def assert_unavailable(self):
        answer = await self.post()
        self.assert_refused(answer, 503, "CREDENTIAL_UNAVAILABLE")
        self.assertGreaterEqual(int(answer.header("Retry-After")), 1)
        self.assertEqual(self.upstream.connections, 0)
        return answer


class GrantTests(TokenCase):
    async def test_the_first_request_fetches_it(self):
        """RFC 6749 section 4.4.2: a form, the client by Basic; the API gets the token."""
        self.begin(grant())
        for _ in range(3):
            self.assertEqual((await self.post()).status, 200)
            self.assertEqual(self.sent(), [f"Bearer {TOKEN}".encode()])
        (asked,) = self.token_url.requests
        self.assertEqual(asked.line, b"POST /token?tenant=1 HTTP/1.1")
        form = {"grant_type": ["client_credentials"], "scope": ["read write"]}
        self.assertEqual(parse_qs(asked.body.decode()), form)
        scheme, _, pair = asked.values("Authorization")[0].partition(b" ")
        self.assertEqual(scheme, b"Basic")
        self.assertEqual(b64decode(pair), f"the+proxy:{CANARY}".encode())

    async def test_in_the_body(self):
        self.begin(grant(), oauth2={"auth": "body", "audience": "https://api.example/"})
        await self.post()
        (asked,) = self.token_url.requests
        form = parse_qs(asked.body.decode())
        self.assertEqual((form["client_id"], form["client_secret"]), (["the proxy"], [CANARY]))
        self.assertEqual(form["audience"], ["https://api.example/"])
        self.assertEqual(asked.values("Authorization"), [])

    async def test_a_page_does_not_choose_it(self):
        """A browser's own Authorization is replaced, also where the route passes it."""
        self.begin(grant(), pass_headers=["Authorization"])
        await self.post(Authorization="Bearer of-the-page")
        self.assertEqual(self.sent(), [f"Bearer {TOKEN}".encode()])

    async def test_one_call_for_a_storm(self):
        """Fifty requests wait for one call; one that leaves takes nothing from the others."""
        self.begin(PAUSE, grant())
        waiting = [ensure(self.post()) for _ in range(50)]
        await self.token_url.until(lambda: self.token_url.requests)
        waiting.pop().addErrback(lambda _: None).cancel()
        self.token_url.release()
        answers = await gatherResults(waiting)
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(len(self.token_url.requests), 1)

    async def test_an_echo(self):
        """An error page that repeats the token or the client's secret repeats neither."""
        echo = response(403, f"no: {TOKEN} {CANARY}".encode(), "Content-Type: text/plain")
        self.begin(grant(), steps=(echo,))
        answer = await self.post()
        self.assertNotIn(TOKEN.encode(), answer.body)
        self.assertNotIn(CANARY.encode(), answer.body)
        self.assertIn(b"[redacted]", answer.body)

    async def test_nobody_sees_the_token(self):
        """It goes to the upstream, and into no log, answer or repr, whatever becomes of it."""
        self.begin(grant(CANARY), steps=(REFUSED,), oauth2={"client_secret": "s3cret-of-it"})
        self.assertEqual((await self.post()).status, 401)
        self.assertEqual(self.sent(), [f"Bearer {CANARY}".encode()])
        echo = f"Bearer {CANARY}".encode()
        self.upstream.steps = (response(403, echo, f"X-Request-ID: {CANARY}"),)
        self.assertEqual((await self.post()).status, 403)
        bad = f"{CANARY}\\r\\nX: 1"
        self.source._held = None
        self.token_url.steps = (response(200, b'{"access_token": "%s"}' % bad.encode(), JSON),)
        self.assertEqual((await self.post()).status, 503)

    async def test_another_origin_gets_no_token(self):
        """A redirect that is followed to another origin goes without the token."""
        other = self.stranger(OK)
        away = response(307, b"", f"Location: {other.origin}/v1")
        self._begin_open(other, away)
        self.assertEqual((await self.post()).status, 200)
        self.assertEqual(other.requests[0].values("Authorization"), [])

    def _begin_open(self, other, away):
        self.upstream = ScriptedUpstream(self, away)
        self.token_url = ScriptedUpstream(self, grant())
        self.running = self.serve()
        self.mount(
            "/x",
            forward_headers=None,
            follow_redirects=True,
            allowed_hosts=["127.0.0.1"],
            allowed_schemes=["http"],
            allowed_ports=[self.upstream.port, other.port],
            oauth2={
                "token_url": self.token_url.origin,
                "client_id": "a",
                "client_secret": CANARY,
            },
        )


class RefusalTests(TokenCase):
    async def test_a_refused_token_is_thrown_away(self):
        """The 401 goes to the page, nothing is sent twice, and the next request has a new token."""
        self.begin(grant("first-token-of-two"), steps=(REFUSED,))
        self.assertEqual((await self.post()).status, 401)
        self.assertEqual(len(self.upstream.requests), 1)
        self.upstream.steps = (OK,)
        self.token_url.steps = (grant("second-token-of-two"),)
        self.assertEqual((await self.post()).status, 200)
        self.assertEqual(self.sent(), [b"Bearer second-token-of-two"])

    async def test_an_upstream_that_refuses_every_token(self):
        """Twenty 401s are no twenty calls."""
        self.begin(grant(), steps=(REFUSED,))
        for _ in range(20):
            self.assertEqual((await self.post()).status, 401)
        self.assertEqual(len(self.token_url.requests), 2)


class BadTokenUrlTests(TokenCase):
    async def assert_bad(self, *steps):
        self.begin(*steps)
        for _ in range(10):
            await self.assert_unavailable()
        # One call, and a pause: the other nine made none.
        self.assertEqual(self.token_url.connections, 1)
        self.assertIs(self.source.held(), None)

    async def test_a_storm(self):
        """Fifty requests at once are told no by one call, and fifty more by none."""
        self.begin(PAUSE, response(500, b"oops"))
        waiting = [ensure(self.assert_unavailable()) for _ in range(50)]
        await self.token_url.until(lambda: self.token_url.requests)
        self.token_url.release()
        await gatherResults(waiting)
        await gatherResults([ensure(self.assert_unavailable()) for _ in range(50)])
        self.assertEqual(len(self.token_url.requests), 1)

    async def test_html(self):
        await self.assert_bad(response(200, b"<html>login</html>", "Content-Type: text/html"))

    async def test_500(self):
        await self.assert_bad(response(500, b"oops"))

    async def test_an_error_of_the_rfc(self):
        await self.assert_bad(response(400, b'{"error":"invalid_client"}', JSON))

    async def test_a_redirect(self):
        """The client's secret follows nobody."""
        other = self.stranger(grant())
        await self.assert_bad(response(302, b"", f"Location: {other.origin}/"))
        self.assertEqual(other.connections, 0)

    async def test_huge(self):
        """An answer without an end is cut at its bound."""
        head = f"HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: 100000000\r\n\r\n".encode()
        await self.assert_bad(head + b" " * 100_000, PAUSE)

    async def test_cut_off(self):
        head = f"HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: 500\r\n\r\n".encode()
        self.begin(head + b'{"access_token":"abc"}', PAUSE)
        asked = ensure(self.assert_unavailable())
        await self.token_url.until(lambda: self.token_url.requests)
        await until(lambda: self.token_url.requests[0].complete)
        await self.token_url.stop()
        await asked

    async def test_slow(self):
        """One that trickles is given up in time, and its connection is closed."""
        self.patch(token_source, "TIMEOUT", 0.3)
        self.begin(b"HTTP/1.1 200 OK\r\n", PAUSE)
        await self.assert_unavailable()
        await self.token_url.until(lambda: self.token_url.requests[0].lost)

    async def test_nobody_there(self):
        self.begin(grant())
        await self.token_url.stop()
        await self.assert_unavailable()

    async def test_bad_tokens(self):
        """What could not stand in a header, or says nothing that can be relied on."""
        for document in (
            *(b"", b"[]", b"null", b"{", b'"x"', b"{}", b"\xff\xfe", b"[" * 50_000),
            *(b'{"access_token": 7}', b'{"access_token": ""}', b'{"access_token": null}'),
            *(b'{"access_token": "a\\r\\nX-Evil: 1"}', b'{"access_token": "a b"}'),
            *(b'{"access_token": "\\u00e9"}', b'{"access_token": "a\\u0000"}'),
            b'{"access_token": "%s"}' % (b"a" * 20_000),
            b'{"access_token": "a", "token_type": "mac"}',
            b'{"access_token": "a", "token_type": 7}',
            *(
                b'{"access_token": "a", "expires_in": %s}' % value
                for value in (b"-1", b"0", b"true", b'"soon"', b"NaN", b"[]", b'"-5"', b"-1e999")
            ),
        ):
            with self.subTest(document=document[:60]):
                await self.assert_bad(response(200, document, JSON))

    async def test_it_comes_back(self):
        """After the pause the next request asks again."""
        self.patch(token_source, "FIRST_PAUSE", 0.05)
        self.begin(response(503, b""))
        await self.assert_unavailable()
        self.token_url.steps = (grant(),)
        await until(lambda: self.source._not_before < self.source._clock.seconds())
        self.assertEqual((await self.post()).status, 200)


class StartTests(IntegrationTestCase):
    def test_nothing_shows_a_secret(self):
        """Neither ``repr`` of the options nor of the parts."""
        proxy = create_external_proxy(
            target="https://api.example.com",
            oauth2={
                "token_url": "https://id.example.com/t",
                "client_id": "a",
                "client_secret": CANARY,
            },
        )
        for thing in (proxy.options, proxy.route, proxy.route.oauth2, vars(proxy)):
            self.assertNotIn(CANARY, repr(thing))
