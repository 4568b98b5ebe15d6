"""WHIP sessions over real sockets: their Locations, and who may use them. See docs/whip.md."""

import json
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from twisted.logger import formatEvent

from naap_twisted.auth.static import StaticTokens
from naap_twisted.testing import ScriptedUpstream
from naap_twisted.testing.upstream import CLOSE, PAUSE

from .canary import AUTHORIZATION
from .support import ORIGIN, PATH, response
from .whip_case import (
    ADA,
    ANSWER,
    BOB,
    CANDIDATE,
    FRAGMENT,
    NO_CONTENT,
    SDP,
    USERS,
    WhipTestCase,
)


class SessionTests(WhipTestCase):
    async def test_trickle(self):
        """PATCH goes to the session's URL: body, type, If-Match, key; 204 has no ETag; 4.3.2."""
        self.begin()
        location = await self.opened()
        answer = await self.trickle(location, If_Match='"xyzzy", W/"odd" ')
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertIsNone(answer.header("ETag"))
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
        self.running.server.routes()[0].proxy._webrtc._clock = lambda: now[0]
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
        self.begin(body_limit=100, body_required=True)
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
