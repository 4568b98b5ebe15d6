"""WHIP and WHEP through the proxy, over real sockets: RFC 9725, point by point in docs/whip.md."""

import json
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.logger import formatEvent, globalLogPublisher

from naap_twisted.auth.static import StaticTokens
from naap_twisted.demo.guide import OFFER
from naap_twisted.demo.whip_upstream import WhipUpstream
from naap_twisted.model import User
from naap_twisted.redirects import MOST_HOPS
from naap_twisted.secret import Secret
from naap_twisted.testing import ScriptedUpstream
from naap_twisted.testing.upstream import CLOSE, PAUSE

from .canary import AUTHORIZATION
from .support import ORIGIN, PATH, IntegrationTestCase, response, until

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
ANSWER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n \x00\xff trailing bytes\r\n"
CANDIDATE = b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uY\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1\r\n"
LINKS = (
    '<stun:stun.example.net>; rel="ice-server"',
    '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="u1";'
    ' credential="turn-credential-1"; credential-type="password"',
)
CREATED = response(
    201,
    ANSWER,
    f"Content-Type: {SDP}",
    "Location: /session/secret-session-7?t=1",
    'ETag: "xyzzy"',
    f"Accept-Patch: {FRAGMENT}",
    f"Accept-Post: {SDP}",
    *(f"Link: {link}" for link in LINKS),
)
NO_CONTENT = response(204, b"", length=False)
USERS = {"tok-ada-1234": User("ada"), "tok-bob-1234": User("bob")}
ADA, BOB = "Bearer tok-ada-1234", "Bearer tok-bob-1234"


class WhipTestCase(IntegrationTestCase):
    def begin(self, *steps, server=None, **route):
        """A WHIP route for two users; its key is the canary."""
        options = {"require_auth": True, "authenticator": StaticTokens(USERS), **(server or {})}
        self.start(
            *(steps or (CREATED,)),
            server=options,
            **{"target_url_header": "X-WHIP-URL", "content_type": SDP, **route},
        )
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    async def ask(self, method, path, body=None, user=ADA, **headers):
        """One request of the page."""
        sent = {"Origin": ORIGIN, "Authorization": user}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value is not None}
        return await self.running.ask(method, path, sent, body)

    async def offer(self, **more):
        """POST of an offer; the answer."""
        headers = {"X_WHIP_URL": self.upstream.origin + "/whip/room", "Content_Type": SDP, **more}
        return await self.ask("POST", PATH, b"v=0\r\n", **headers)

    async def opened(self, **more):
        """The Location of a new session; the next request gets 204."""
        location = (await self.offer(**more)).header("Location")
        self.upstream.steps = (NO_CONTENT,)
        return location

    async def trickle(self, path, body=CANDIDATE, **headers):
        return await self.ask("PATCH", path, body, **{"Content_Type": FRAGMENT, **headers})

    def assert_no_upstream(self, answer, status=404, code="NOT_FOUND"):
        """Refused here; the upstream saw the offer and nothing after it."""
        self.assert_refused(answer, status, code)
        self.assertEqual(len(self.upstream.requests), 1)


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
        self.assertRegex(location, rf"^{PATH}/whip-session/[A-Za-z0-9_-]+$")
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


class SessionTests(WhipTestCase):
    async def test_trickle(self):
        """PATCH goes to the session's own URL: body, type, If-Match and key; section 4.3.2."""
        self.begin()
        location = await self.opened()
        answer = await self.trickle(location, If_Match='"xyzzy", W/"odd" ')
        self.assertEqual((answer.status, answer.body), (204, b""))
        sent = self.upstream.requests[-1]
        self.assertEqual(sent.line, b"PATCH /session/secret-session-7?t=1 HTTP/1.1")
        self.assertEqual(sent.body, CANDIDATE)
        self.assertEqual(sent.values("Content-Type"), [FRAGMENT.encode()])
        self.assertEqual(sent.values("If-Match"), [b'"xyzzy", W/"odd"'])
        self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_early_drafts(self):
        """Clients of early drafts name the entity-tag in ETag: it passes, asked for and sent."""
        self.begin()
        location = await self.opened()
        asked = {"Access-Control-Request-Method": "PATCH"}
        preflight = await self.running.ask("OPTIONS", location, {"Origin": ORIGIN, **asked})
        self.assertIn("ETag", preflight.header("Access-Control-Allow-Headers").split(", "))
        await self.trickle(location, ETag='"xyzzy"')
        self.assertEqual(self.upstream.requests[-1].values("ETag"), [b'"xyzzy"'])

    async def test_restart(self):
        """An ICE restart: ``If-Match: *`` up, 200 with a new ETag and a fragment down; 4.3.3."""
        self.begin()
        location = await self.opened()
        kinds = (f"Content-Type: {FRAGMENT}", 'ETag: "abccd"')
        self.upstream.steps = (response(200, b"a=ice-ufrag:new\r\n", *kinds),)
        answer = await self.trickle(location, If_Match="*")
        self.assertEqual((answer.status, answer.body), (200, b"a=ice-ufrag:new\r\n"))
        self.assertEqual(answer.header("ETag"), '"abccd"')
        self.assertEqual(answer.header("Content-Type"), FRAGMENT)
        self.assertEqual(self.upstream.requests[-1].values("If-Match"), [b"*"])

    async def test_refusals_pass(self):
        """412, 422, 428 and others with their bodies, though the route wraps errors of offers."""
        self.begin()
        location = await self.opened()
        problem = b'{"type":"about:blank","title":"no"}'
        for status in (400, 404, 405, 409, 412, 415, 422, 428, 503):
            self.upstream.steps = (
                response(
                    status,
                    problem,
                    "Content-Type: application/problem+json",
                    "Retry-After: 3",
                    'ETag: "now"',
                ),
            )
            answer = await self.trickle(location)
            self.assertEqual((answer.status, answer.body), (status, problem))
            self.assertEqual(answer.header("Content-Type"), "application/problem+json")
            self.assertEqual(answer.header("Retry-After"), "3")
            self.assertEqual(answer.header("ETag"), '"now"')

    async def test_delete(self):
        """DELETE without a body ends it: 200 (section 4.2), and its 404 afterwards passes."""
        self.begin()
        location = await self.opened()
        for status in (200, 404):
            self.upstream.steps = (response(status, b""),)
            self.assertEqual((await self.ask("DELETE", location)).status, status)
            sent = self.upstream.requests[-1]
            self.assertEqual(sent.line, b"DELETE /session/secret-session-7?t=1 HTTP/1.1")
            self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_get(self):
        """GET and HEAD are the endpoint's to answer."""
        self.begin()
        location = await self.opened()
        self.upstream.steps = (response(405, b"", "Allow: DELETE"),)
        for method in ("GET", "HEAD"):
            self.assertEqual((await self.ask(method, location)).status, 405)
            line = self.upstream.requests[-1].line.decode()
            self.assertEqual(line, f"{method} /session/secret-session-7?t=1 HTTP/1.1")

    async def test_post(self):
        """There is nothing to POST to a session; PUT means nothing at all."""
        self.begin()
        location = await self.opened()
        for method in ("POST", "PUT"):
            answer = await self.ask(method, location, b"v=0", Content_Type=SDP)
            self.assert_no_upstream(answer, 405, "METHOD_NOT_ALLOWED")
            self.assertEqual(answer.header("Allow"), "DELETE, GET, HEAD, OPTIONS, PATCH")

    async def test_by_header(self):
        """The route itself with X-WHIP-URL = the resource does the same, keys and all."""
        self.begin()
        resource = (await self.offer()).header("X-WHIP-Resource")
        self.upstream.steps = (NO_CONTENT,)
        answer = await self.trickle(PATH, X_WHIP_URL=resource, If_Match='"xyzzy"')
        self.assertEqual(answer.status, 204)
        self.assertEqual((await self.ask("DELETE", PATH, X_WHIP_URL=resource)).status, 204)
        patch, delete = self.upstream.requests[1:]
        self.assertEqual(patch.line, b"PATCH /session/secret-session-7?t=1 HTTP/1.1")
        self.assertEqual(patch.values("If-Match"), [b'"xyzzy"'])
        self.assertEqual(delete.line, b"DELETE /session/secret-session-7?t=1 HTTP/1.1")
        for sent in (patch, delete):
            self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_overlapping(self):
        """The second PATCH is with the upstream while the first has no answer yet."""
        self.begin()
        location = await self.opened()
        self.upstream.steps = (PAUSE, NO_CONTENT)
        first, second = await self.running.client(), await self.running.client()
        headers = {"Authorization": ADA, "Content-Type": FRAGMENT}
        first.request("PATCH", location, headers, b"a=candidate:1\r\n")
        await self.upstream.until(lambda: len(self.upstream.requests) == 2)
        second.request("PATCH", location, headers, b"a=candidate:2\r\n")
        await self.upstream.until(lambda: all(r.complete for r in self.upstream.requests[1:]))
        await self.upstream.until(lambda: len(self.upstream.requests) == 3)
        await self.upstream.until(lambda: self.upstream.requests[2].complete)
        self.upstream.release()
        for client in (first, second):
            self.assertEqual((await client.answer("PATCH")).status, 204)
        bodies = [received.body for received in self.upstream.requests[1:]]
        self.assertEqual(bodies, [b"a=candidate:1\r\n", b"a=candidate:2\r\n"])

    async def test_not_retried(self):
        """A PATCH whose connection broke was sent once: 502, and no second try."""
        self.begin()
        location = await self.opened()
        self.upstream.steps = (CLOSE,)
        self.assert_refused(await self.trickle(location), 502, "BAD_GATEWAY")
        self.assertEqual(len(self.upstream.requests), 2)

    async def test_other_host(self):
        """A session on a host that the route does not allow is refused when it is asked for."""
        other = self.stranger(NO_CONTENT)
        self.begin(response(201, ANSWER, f"Location: {other.origin}/session/1"))
        answer = await self.offer()
        self.assertEqual(answer.header("X-WHIP-Resource"), other.origin + "/session/1")
        refused = await self.trickle(answer.header("Location"))
        self.assert_no_upstream(refused, 400, "PORT_NOT_ALLOWED")
        self.assertEqual(other.connections, 0)

    async def test_other_allowed_host(self):
        """One on a host that it does allow is reached, with the key."""
        media = ScriptedUpstream(self, NO_CONTENT)
        self.begin()
        self.mount(
            "/both",
            target_url_header="X-WHIP-URL",
            content_type=SDP,
            allowed_ports=[self.upstream.port, media.port],
        )
        self.upstream.steps = (response(201, ANSWER, f"Location: {media.origin}/s/1"),)
        headers = {"X_WHIP_URL": self.upstream.origin + "/", "Content_Type": SDP}
        answer = await self.ask("POST", "/api/v1/both", b"v=0\r\n", **headers)
        self.assertEqual((await self.trickle(answer.header("Location"))).status, 204)
        self.assertEqual(media.requests[0].line, b"PATCH /s/1 HTTP/1.1")
        self.assertEqual(media.requests[0].values("Authorization"), [AUTHORIZATION.encode()])


class StrangerTests(WhipTestCase):
    async def test_tampered(self):
        """One character more, less or another: 404, no upstream."""
        self.begin()
        location = await self.opened()
        start = location.rindex("/") + 1
        more = [location + end for end in ("A", "?x=1", "/")]
        changed = [location[:-1], location[:start], *more]
        for at in range(start, len(location), 7):
            other = "A" if location[at] != "A" else "B"
            changed.append(location[:at] + other + location[at + 1 :])
        for path in changed:
            self.assert_no_upstream(await self.trickle(path))
            self.assert_no_upstream(await self.ask("DELETE", path))

    async def test_foreign_user(self):
        """Another user's Location is no Location; without a user it is 401."""
        self.begin()
        location = await self.opened()
        self.assert_no_upstream(await self.trickle(location, user=BOB))
        self.assert_no_upstream(await self.ask("DELETE", location, user=BOB))
        self.assert_no_upstream(await self.trickle(location, user=None), 401, "UNAUTHORIZED")
        self.assertEqual((await self.trickle(location)).status, 204)

    async def test_foreign_route(self):
        """A token of one route says nothing to another, though both may reach the upstream."""
        self.begin()
        self.mount("/y", target_url_header="X-WHIP-URL", content_type=SDP)
        location = await self.opened()
        self.assert_no_upstream(await self.trickle(location.replace(PATH, "/api/v1/y")))

    async def test_expired(self):
        """After location_ttl it is over."""
        self.begin(location_ttl=60)
        now = [1_000_000.0]
        self.running.server.routes()[0].proxy._sessions._clock = lambda: now[0]
        location = await self.opened()
        now[0] += 60
        self.assert_no_upstream(await self.trickle(location))
        now[0] -= 1
        self.assertEqual((await self.trickle(location)).status, 204)

    async def test_denied(self):
        """authorize is asked for every request to a session."""
        allowed = [True]
        self.begin(authorize=lambda request: allowed[0])
        location = await self.opened()
        allowed[0] = False
        self.assert_no_upstream(await self.ask("DELETE", location), 403, "FORBIDDEN")

    async def test_body(self):
        """A PATCH has the body's checks: type and size."""
        self.begin(body_limit=100)
        location = await self.opened()
        refused = await self.trickle(location, Content_Type="application/json")
        self.assert_no_upstream(refused, 415, "UNSUPPORTED_MEDIA_TYPE")
        self.assert_no_upstream(await self.trickle(location, b"a" * 101), 413, "BODY_TOO_LARGE")
        self.assert_no_upstream(await self.trickle(location, None), 400, "BODY_REQUIRED")

    async def test_logs(self):
        """Neither the session's URL, the token nor a TURN credential is in any log line."""
        self.begin()
        location = await self.opened()
        await self.trickle(location)
        await self.trickle(location[:-1])
        await self.trickle(location, user=BOB)
        await self.ask("DELETE", location)
        token = location.rpartition("/")[2]
        lines = [formatEvent(event) for event in self.events]
        access = [line for line in lines if line.startswith('{"request_id"')]
        self.assertEqual(len(access), 5)
        for line in access:
            self.assertEqual(json.loads(line)["route"], PATH)
        for line in lines:
            for secret in (token[:20], "secret-session-7", "turn-credential-1", "whip-session"):
                self.assertNotIn(secret, line)


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


class PinnedTests(WhipTestCase):
    def pinned(self, base, **route):
        """A route pinned to *base* of the upstream."""
        self.begin()
        target = self.upstream.origin + base
        self.mount("/pinned", target=target, **{"content_type": SDP, **route})

    async def test_whip(self):
        """A stock client's way: the endpoint's URL is the route's, Location is resolved by it."""
        self.pinned("/whip")
        answer = await self.ask("POST", "/api/v1/pinned/room", b"v=0\r\n", Content_Type=SDP)
        location = answer.header("Location")
        self.assertRegex(location, r"^/api/v1/pinned/whip-session/[\w-]+$")
        self.upstream.steps = (NO_CONTENT,)
        self.assertEqual((await self.trickle(location)).status, 204)
        self.assertEqual((await self.ask("DELETE", location)).status, 204)
        self.assertEqual(
            [received.line for received in self.upstream.requests],
            [
                b"POST /whip/room HTTP/1.1",
                b"PATCH /session/secret-session-7?t=1 HTTP/1.1",
                b"DELETE /session/secret-session-7?t=1 HTTP/1.1",
            ],
        )
        self.assertEqual((await self.trickle(location, user=BOB)).status, 404)
        refused = await self.ask("POST", location, b"v=0", Content_Type=SDP)
        self.assert_refused(refused, 405, "METHOD_NOT_ALLOWED")
        self.assertEqual(len(self.upstream.requests), 3)

    async def test_the_rest_of_the_api(self):
        """A session's methods work on Locations, not on all that is below the pinned base."""
        self.pinned("/v1")
        for method in ("GET", "HEAD", "DELETE"):
            answer = await self.ask(method, "/api/v1/pinned/files/1")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.header("Allow"), "POST, OPTIONS")
        refused = await self.trickle("/api/v1/pinned/files/1")
        self.assert_refused(refused, 405, "METHOD_NOT_ALLOWED")
        self.assertEqual(self.upstream.requests, [])
        options = await self.ask("OPTIONS", "/api/v1/pinned/realtime/calls")
        self.assertIn("PATCH", options.header("Access-Control-Allow-Methods"))

    async def test_calls(self):
        """OpenAI's /v1/realtime/calls: multipart with sdp and session, and plain SDP."""
        self.pinned("/v1", content_type=[SDP, "multipart/form-data"])
        self.upstream.steps = (
            response(201, ANSWER, f"Content-Type: {SDP}", "Location: /v1/realtime/calls/rtc_1"),
        )
        form = (
            b'--b1\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n\r\n--b1\r\n'
            b'Content-Disposition: form-data; name="session"\r\n\r\n{"type":"realtime"}\r\n'
            b"--b1--\r\n"
        )
        path = "/api/v1/pinned/realtime/calls"
        for body, kind in ((form, "multipart/form-data; boundary=b1"), (b"v=0\r\n", SDP)):
            answer = await self.ask("POST", path, body, Content_Type=kind)
            self.assertEqual((answer.status, answer.body), (201, ANSWER))
            resource = self.upstream.origin + "/v1/realtime/calls/rtc_1"
            self.assertEqual(answer.header("X-WHIP-Resource"), resource)
            self.assertIn("/pinned/whip-session/", answer.header("Location"))
            sent = self.upstream.requests[-1]
            self.assertEqual(sent.line, b"POST /v1/realtime/calls HTTP/1.1")
            self.assertEqual((sent.values("Content-Type"), sent.body), ([kind.encode()], body))
            self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_player(self):
        """WHEP: 409 with Retry-After while nothing is published, then the same as WHIP."""
        self.begin(response(409, b"", "Retry-After: 5"))
        answer = await self.offer()
        self.assertEqual((answer.status, answer.header("Retry-After")), (409, "5"))
        self.upstream.steps = (CREATED,)
        location = (await self.offer()).header("Location")
        self.upstream.steps = (NO_CONTENT,)
        self.assertEqual((await self.trickle(location, If_Match='"xyzzy"')).status, 204)
        self.assertEqual((await self.ask("DELETE", location)).status, 204)

    async def test_whep(self):
        """A player: the same offer and answer; a 406 with a counter-offer is answered by PATCH."""
        self.begin(response(406, ANSWER, f"Content-Type: {SDP}", "Location: /whep/s/1"))
        answer = await self.offer()
        self.assertEqual((answer.status, answer.body), (406, ANSWER))
        self.upstream.steps = (NO_CONTENT,)
        done = await self.trickle(answer.header("Location"), b"v=0\r\n", Content_Type=SDP)
        self.assertEqual(done.status, 204)
        self.assertEqual(self.upstream.requests[-1].line, b"PATCH /whep/s/1 HTTP/1.1")
        self.assertEqual(self.upstream.requests[-1].body, b"v=0\r\n")


class RedirectTests(WhipTestCase):
    def hop(self, url, status=307):
        return response(status, b"moved", f"Location: {url}")

    async def test_relayed(self):
        """By default a redirect is the client's to follow: its Location stays the upstream's."""
        self.begin(self.hop("/elsewhere"))
        answer = await self.offer()
        self.assertEqual(answer.status, 307)
        self.assertEqual(answer.header("Location"), self.upstream.origin + "/elsewhere")
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_followed(self):
        """With follow_redirects an allowed hop is gone, key and body with it; section 4.5."""
        media = ScriptedUpstream(self, CREATED)
        self.begin()
        self.mount(
            "/both",
            target_url_header="X-WHIP-URL",
            content_type=SDP,
            allowed_ports=[self.upstream.port, media.port],
            follow_redirects=True,
        )
        self.upstream.steps = (self.hop(media.origin + "/whip/near", 308),)
        headers = {"X_WHIP_URL": self.upstream.origin + "/", "Content_Type": SDP}
        answer = await self.ask("POST", "/api/v1/both", b"v=0\r\n", **headers)
        self.assertEqual((answer.status, answer.body), (201, ANSWER))
        resource = media.origin + "/session/secret-session-7?t=1"
        self.assertEqual(answer.header("X-WHIP-Resource"), resource)
        (sent,) = media.requests
        self.assertEqual((sent.line, sent.body), (b"POST /whip/near HTTP/1.1", b"v=0\r\n"))
        self.assertEqual(sent.values("Authorization"), [AUTHORIZATION.encode()])

    async def test_body_in_pieces(self):
        """An offer that comes after its head is waited for; a chunked one is streamed and gone."""
        seen = []
        self.begin(
            self.hop("/near"), follow_redirects=True, authorize=lambda r: seen.append(r) or True
        )
        client = await self.running.client()
        headers = {"Authorization": ADA, "Content-Type": SDP}
        headers["X-WHIP-URL"] = self.upstream.origin + "/whip"
        client.request("POST", PATH, {**headers, "Content-Length": "5"})
        await until(lambda: seen)
        client.send(b"v=")
        client.send(b"0\r\n")
        answer = await client.answer("POST")
        self.assertEqual(answer.status, 307)
        self.assertEqual(len(self.upstream.requests), MOST_HOPS + 1)
        self.assertEqual({received.body for received in self.upstream.requests}, {b"v=0\r\n"})
        client.request("POST", PATH, {**headers, "Transfer-Encoding": "chunked"})
        client.send(b"5\r\nv=0\r\n\r\n")
        await self.upstream.until(lambda: len(self.upstream.requests) == MOST_HOPS + 2)
        client.send(b"0\r\n\r\n")
        self.assertEqual((await client.answer("POST")).status, 307)
        self.assertEqual(len(self.upstream.requests), MOST_HOPS + 2)

    async def test_not_allowed(self):
        """A hop that the route does not allow is relayed; nothing goes there."""
        other = self.stranger(CREATED)
        self.begin(self.hop(other.origin + "/whip"), follow_redirects=True)
        answer = await self.offer()
        self.assertEqual((answer.status, answer.body), (307, b"moved"))
        self.assertEqual(other.connections, 0)


class RestartTests(WhipTestCase):
    async def restarted(self, **options):
        """Open a session, start the server anew with *options*, patch the session there."""
        self.begin(server=options)
        location = await self.opened()
        await self.running.server.stopService()
        self.running = self.serve(require_auth=True, authenticator=StaticTokens(USERS), **options)
        self.mount("/x", target_url_header="X-WHIP-URL", content_type=SDP)
        return await self.trickle(location)

    async def test_without_state_dir(self):
        """Locations end with their process."""
        self.assert_no_upstream(await self.restarted())

    async def test_with_state_dir(self):
        """They outlive it where there is a state_dir."""
        if find_spec("sqlalchemy") is None:
            raise SkipTest("a state_dir needs sqlalchemy")
        folder = str(Path(self.mktemp()).absolute())
        self.assertEqual((await self.restarted(state_dir=folder)).status, 204)
        self.assertTrue((Path(folder) / "locations.key").exists())


class DemoTests(WhipTestCase):
    async def test_whole_session(self):
        """Offer, candidates, a wrong ETag and the end, against the demo's endpoint."""
        whip = WhipUpstream(Secret(AUTHORIZATION))
        port = reactor.listenTCP(0, whip.site(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.begin()
        number = port.getHost().port
        self.mount(
            "/demo", target_url_header="X-WHIP-URL", content_type=SDP, allowed_ports=[number]
        )
        headers = {"X_WHIP_URL": f"http://127.0.0.1:{number}/whip/room", "Content_Type": SDP}
        offer = "\r\n".join(OFFER).encode() + b"\r\n"
        answer = await self.ask("POST", "/api/v1/demo", offer, **headers)
        self.assertEqual(answer.status, 201)
        location, etag = answer.header("Location"), answer.header("ETag")
        session = urlsplit(answer.header("X-WHIP-Resource")).path.rpartition("/")[2]
        self.assertIn(session, whip.sessions)
        self.assertEqual((await self.trickle(location, If_Match=etag)).status, 204)
        self.assertEqual((await self.trickle(location, If_Match='"old"')).status, 412)
        self.assertEqual((await self.ask("DELETE", location, user=BOB)).status, 404)
        self.assertIn(session, whip.sessions)
        self.assertEqual((await self.ask("DELETE", location)).status, 200)
        self.assertNotIn(session, whip.sessions)
        self.assertEqual((await self.ask("DELETE", location)).status, 404)
