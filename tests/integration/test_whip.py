"""WHIP offers through the proxy, over real sockets: RFC 9725, point by point in docs/whip.md."""

from naap_twisted import RateLimit

from .canary import AUTHORIZATION
from .support import ORIGIN, PATH, response
from .whip_case import ANSWER, FRAGMENT, LINKS, SDP, WhipTestCase


class OfferTests(WhipTestCase):
    async def test_answer(self):
        """201 stays 201, the answer's bytes stay; ETag, every Link, Accept-* are relayed, exposed.

        RFC 9725 sections 4.2, 4.3.1, 4.6.
        """
        self.begin()
        answer = await self.offer()
        self.assertEqual((answer.status, answer.body), (201, ANSWER))
        self.assertEqual(answer.header("Content-Type"), SDP)
        self.assertEqual(answer.header("ETag"), '"xyzzy"')
        self.assertEqual(tuple(answer.headers.getRawHeaders("Link")), LINKS)
        self.assertEqual(answer.header("Accept-Patch"), FRAGMENT)
        self.assertEqual(answer.header("Accept-Post"), SDP)
        resource = self.upstream.origin + "/session/secret-session-7?t=1"
        self.assertEqual(answer.header("X-WHIP-Resource"), resource)
        exposed = answer.header("Access-Control-Expose-Headers").split(", ")
        for name in ("Location", "ETag", "Link", "Accept-Patch", "Accept-Post", "X-WHIP-Resource"):
            self.assertIn(name, exposed)
        (sent,) = self.upstream.requests
        self.assertEqual((sent.line, sent.body), (b"POST /whip/room HTTP/1.1", b"v=0\r\n"))
        self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_location(self):
        """An absolute path below the route, of unreserved characters, that fits a request line."""
        self.begin()
        location = (await self.offer()).header("Location")
        self.assertRegex(location, rf"^{PATH}/whip-session/[A-Za-z0-9_-]+/secret-session-7$")
        self.assertNotIn("ada", location)
        self.assertLess(len(location), 300)

    async def test_overload(self):
        """503 with Retry-After, in the envelope or as it came; section 4.5."""
        busy = response(
            503, b'{"title":"full"}', "Retry-After: 7", "Content-Type: application/problem+json"
        )
        self.begin(busy)
        self.mount(
            "/raw",
            target_url_header="X-WHIP-URL",
            content_type=SDP,
            errors="passthrough",
        )
        wrapped = await self.offer()
        self.assert_refused(wrapped, 503, "UPSTREAM_ERROR")
        headers = {"X_WHIP_URL": self.upstream.origin + "/", "Content_Type": SDP}
        raw = await self.ask("POST", "/api/v1/raw", b"v=0\r\n", **headers)
        self.assertEqual((raw.status, raw.body), (503, b'{"title":"full"}'))
        self.assertEqual(raw.header("Content-Type"), "application/problem+json")
        for answer in (wrapped, raw):
            self.assertEqual(answer.header("Retry-After"), "7")
            self.assertIn("Retry-After", answer.header("Access-Control-Expose-Headers"))

    async def test_malformed(self):
        """What is an offer is the endpoint's to say: its 400 arrives, in the envelope."""
        kind = "Content-Type: application/problem+json"
        self.begin(response(400, b'{"title":"not SDP"}', kind))
        message = self.assert_refused(await self.offer(), 400, "UPSTREAM_ERROR")
        self.assertIn("not SDP", message)
        self.assertEqual(self.upstream.requests[0].body, b"v=0\r\n")

    async def test_refused_offers(self):
        """What an endpoint can't do keeps its status, so that clients can tell; 4.4.2, 4.4.4."""
        self.begin()
        for status in (406, 409, 422):
            self.upstream.steps = (response(status, b"no"),)
            self.assert_refused(await self.offer(), status, "UPSTREAM_ERROR")

    async def test_bearer(self):
        """A page's own token is asked for, by the scheme that clients have to know; 4.7."""
        self.begin()
        for user in (None, "Bearer unknown"):
            answer = await self.offer(user=user)
            self.assertEqual(answer.status, 401)
            self.assertTrue(answer.header("WWW-Authenticate").startswith("Bearer"))
        self.assertEqual(self.upstream.requests, [])

    async def test_limits(self):
        """POST, PATCH and DELETE are each counted by every limit that there is; section 5."""
        three = RateLimit(3, 60.0)
        for server, route in (
            ({"rate_limit": three}, {}),
            ({"user_rate_limit": three}, {}),
            ({}, {"rate_limit": three}),
        ):
            self.begin(server=server, **route)
            location = await self.opened()
            self.assertEqual((await self.trickle(location)).status, 204)
            self.assertEqual((await self.ask("DELETE", location)).status, 204)
            for answer in (
                await self.offer(),
                await self.trickle(location),
                await self.ask("DELETE", location),
            ):
                self.assert_refused(answer, 429, code="RATE_LIMITED")
            self.assertEqual(len(self.upstream.requests), 3)

    async def test_type(self):
        """An offer is application/sdp and nothing else; an ICE fragment is none. Section 4.2."""
        self.begin()
        for kind in (FRAGMENT, "application/json", "text/plain"):
            self.assert_refused(await self.offer(Content_Type=kind), 415, "UNSUPPORTED_MEDIA_TYPE")
        self.assertEqual(self.upstream.requests, [])

    async def test_location_that_is_no_target(self):
        """What this proxy could not ask anyway stays what it was."""
        self.begin(response(201, ANSWER, "Location: urn:session:7"))
        self.assertEqual((await self.offer()).header("Location"), "urn:session:7")

    async def test_no_location(self):
        """Without a Location there is none; nothing is made up."""
        self.begin(response(201, ANSWER))
        answer = await self.offer()
        self.assertEqual((answer.status, answer.header("Location")), (201, None))


class PreflightTests(WhipTestCase):
    async def preflight(self, path, method):
        return await self.running.ask(
            "OPTIONS",
            path,
            {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,content-type,if-match",
            },
        )

    async def test_session(self):
        """A preflight on a Location lists what a session answers, and If-Match; nobody is asked."""
        self.begin()
        location = await self.opened()
        for method in ("PATCH", "DELETE"):
            answer = await self.preflight(location, method)
            self.assertEqual(answer.status, 204)
            methods = set(answer.header("Access-Control-Allow-Methods").split(", "))
            self.assertEqual(methods, {"PATCH", "DELETE", "GET", "HEAD", "OPTIONS"})
            allowed = answer.header("Access-Control-Allow-Headers").lower().split(", ")
            for name in ("authorization", "content-type", "if-match"):
                self.assertIn(name, allowed)
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_endpoint(self):
        """The route lists POST beside them."""
        self.begin()
        answer = await self.preflight(PATH, "POST")
        methods = set(answer.header("Access-Control-Allow-Methods").split(", "))
        self.assertEqual(methods, {"POST", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"})
        self.assertIn("X-WHIP-URL", answer.header("Access-Control-Allow-Headers"))

    async def test_options(self):
        """OPTIONS of a client tells what may be posted and patched (section 4.2), readably."""
        self.begin()
        location = await self.opened()
        for path, post in ((PATH, SDP), (location, None)):
            answer = await self.ask("OPTIONS", path)
            self.assertEqual(answer.status, 204)
            self.assertEqual(answer.header("Accept-Post"), post)
            self.assertEqual(answer.header("Accept-Patch"), f"{SDP}, {FRAGMENT}")
            self.assertIn("PATCH", answer.header("Access-Control-Allow-Methods"))
            exposed = answer.header("Access-Control-Expose-Headers")
            self.assertIn("Access-Control-Allow-Methods", exposed)
            self.assertIn("Accept-Patch", exposed)
        self.assertEqual(len(self.upstream.requests), 1)
