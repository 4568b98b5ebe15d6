"""WHIP, WHEP and their like on pinned routes, redirects, the demo's endpoint; docs/whip.md."""

from urllib.parse import urlsplit

from twisted.internet import reactor

from naap_twisted.demo.guide import OFFER
from naap_twisted.demo.whip_upstream import WhipUpstream
from naap_twisted.route.redirects import MOST_HOPS
from naap_twisted.secret import Secret
from naap_twisted.testing import ScriptedUpstream

from .canary import AUTHORIZATION
from .support import PATH, response, until
from .whip_case import (
    ADA,
    ANSWER,
    BOB,
    CANDIDATE,
    CREATED,
    NO_CONTENT,
    SDP,
    WhipTestCase,
)


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
        self.assertRegex(location, r"^/api/v1/pinned/whip-session/[\w-]+/secret-session-7$")
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
        """With follow_redirects an allowed hop is gone, the body with it, not the key; 4.5."""
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
        self.assertEqual(sent.values("Authorization"), [])
        self.assertEqual(sent.values("Content-Type"), [SDP.encode()])

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

    async def test_sessions(self):
        """A session's PATCH and DELETE: relayed by default, followed where POST is; section 4.5."""
        for follow in (False, True):
            moved = ScriptedUpstream(self, NO_CONTENT)
            self.begin()
            self.mount(
                "/both",
                target_url_header="X-WHIP-URL",
                content_type=SDP,
                allowed_ports=[self.upstream.port, moved.port],
                follow_redirects=follow,
            )
            headers = {"X_WHIP_URL": self.upstream.origin + "/", "Content_Type": SDP}
            created = await self.ask("POST", "/api/v1/both", b"v=0\r\n", **headers)
            location = created.header("Location")
            self.upstream.steps = (self.hop(moved.origin + "/moved"),)
            for answer in (await self.trickle(location), await self.ask("DELETE", location)):
                self.assertEqual(answer.status, 204 if follow else 307)
            methods = [received.line.split()[0] for received in self.upstream.requests]
            self.assertEqual(methods, [b"POST", b"PATCH", b"DELETE"])
            expected = [(b"PATCH /moved HTTP/1.1", CANDIDATE), (b"DELETE /moved HTTP/1.1", b"")]
            sent = [(received.line, received.body) for received in moved.requests]
            self.assertEqual(sent, expected if follow else [])
            for received in moved.requests:
                self.assertEqual(received.values("Authorization"), [])

    async def test_not_allowed(self):
        """A hop that the route does not allow is relayed; nothing goes there."""
        other = self.stranger(CREATED)
        self.begin(self.hop(other.origin + "/whip"), follow_redirects=True)
        answer = await self.offer()
        self.assertEqual((answer.status, answer.body), (307, b"moved"))
        self.assertEqual(other.connections, 0)


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
