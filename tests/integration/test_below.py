"""The whole server as a resource, below any path of somebody's own Site."""

from __future__ import annotations

from klein import Klein
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.testing import RawClient, ScriptedUpstream

from .support import OK, ORIGIN, IntegrationTestCase, response

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
MADE = response(
    201, SDP.encode(), "Content-Type: application/sdp", "Location: /session/7", 'ETag: "a"'
)


def tree(path, resource):
    """A root with *resource* at *path*."""
    root = Resource()
    node = root
    *above, last = path.strip("/").split("/")
    for segment in above:
        child = Resource()
        node.putChild(segment.encode(), child)
        node = child
    node.putChild(last.encode(), resource)
    return root


def klein_around(path, resource):
    """A Klein application that returns *resource* below *path*."""
    app = Klein()

    @app.route(f"{path}/", branch=True)
    def below(request):
        return resource

    @app.route("/own")
    def own(request):
        return b"own"

    return app.resource()


STANDS = [
    ("a child", "/proxy", Site, tree),
    ("deeper", "/a/b/c", Site, tree),
    ("our own site", "/proxy", DownstreamSite, tree),
    ("deeper, our own site", "/a/b", DownstreamSite, tree),
    ("below a Klein application", "/proxy", Site, klein_around),
    ("deeper below a Klein application", "/a/b", Site, klein_around),
    ("a Klein application on our own site", "/a/b", DownstreamSite, klein_around),
    ("the root", "", Site, lambda path, resource: resource),
]


class BelowTests(IntegrationTestCase):
    """Each way to hang it in, over a socket."""

    def begin(self, *steps, **server):
        self.upstream = ScriptedUpstream(self, *(steps or (OK,)))
        self.running = self.serve(**server)

    def hang(self, path, site, around):
        """The port of *site*, with the server below *path*."""
        site = site(around(path, self.running.server.resource()))
        if isinstance(site, DownstreamSite):
            self.addCleanup(site.ticker.stop)
        listening = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        return listening.getHost().port

    async def ask(self, port, method, path, headers=(), body=None):
        client = await RawClient.connect(self, port)
        client.request(method, path, headers, body)
        answer = await client.answer(method)
        await client.stop()
        return answer

    async def test_everything(self):
        """Health, a header route, a pinned route byte for byte, a Klein route, CORS, 404."""
        for name, path, site, around in STANDS:
            self.begin()
            self.mount("/x")
            self.mount("/p", target=f"{self.upstream.origin}/v1", methods=["GET"])
            self.running.server.router.route("/who/<name>")(lambda request, name: name.encode())
            port = self.hang(path, site, around)
            base = f"{path}/api/v1"
            with self.subTest(name=name):
                self.assertEqual((await self.ask(port, "GET", f"{path}/healthz")).status, 200)
                answer = await self.ask(port, "POST", f"{base}/x", self.headers(), b"{}")
                self.assertEqual((answer.status, answer.body), (200, b'{"ok":1}'))
                self.assertEqual(self.upstream.requests[-1].body, b"{}")
                answer = await self.ask(port, "GET", f"{base}/p/a%2Fb//c;d?q=%41&r")
                self.assertEqual(answer.status, 200)
                self.assertEqual(
                    self.upstream.requests[-1].line, b"GET /v1/a%2Fb//c;d?q=%41&r HTTP/1.1"
                )
                answer = await self.ask(port, "GET", f"{base}/who/ada")
                self.assertEqual(answer.body, b"ada")
                asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
                answer = await self.ask(port, "OPTIONS", f"{base}/x", asked)
                self.assertEqual(answer.status, 204)
                self.assertIn("POST", answer.header("Access-Control-Allow-Methods"))
                for missing in (f"{path}/api/v1/none", f"{path}/none", f"{path}/"):
                    answer = await self.ask(port, "GET", missing)
                    self.assertEqual(answer.status, 404, missing)
                    self.assertEqual(answer.json()["error"]["code"], "NOT_FOUND", answer.body)

    async def test_redirects(self):
        """A redirect's path begins where the server stands."""
        for name, path, site, around in STANDS:
            self.begin(https_redirect=True, server_names=["localhost"])
            self.running.server.router.route("/who")(lambda request: b"me")
            port = self.hang(path, site, around)
            with self.subTest(name=name):
                answer = await self.ask(port, "GET", f"{path}/api/v1/who?a=b")
                self.assertEqual(answer.status, 301)
                where = f"https://localhost{path}/api/v1/who?a=b"
                self.assertEqual(answer.header("Location"), where)
            self.begin()
            self.running.server.router.route("/a/b")(lambda request: b"me")
            self.running.server.router.route("/to")(lambda request: request.redirect(b"a/b") or b"")
            self.running.server.router.route("/slash/")(lambda request: b"me")
            port = self.hang(path, site, around)
            with self.subTest(name=name):
                for asked, meant in (("/a//b?c=d", "/a/b?c=d"), ("/slash", "/slash/")):
                    answer = await self.ask(port, "GET", f"{path}/api/v1{asked}")
                    self.assertEqual(answer.status, 308)
                    self.assertEqual(answer.header("Location"), f"{path}/api/v1{meant}")

    async def test_sessions(self):
        """A WHIP Location leads back, through whatever stands above."""
        for name, path, site, around in STANDS:
            self.begin(MADE, response(204, b"", length=False), response(200))
            self.mount("/whip", content_type="application/sdp")
            port = self.hang(path, site, around)
            headers = self.headers(Content_Type="application/sdp")
            with self.subTest(name=name):
                answer = await self.ask(port, "POST", f"{path}/api/v1/whip", headers, SDP.encode())
                self.assertEqual(answer.status, 201, answer.body)
                location = answer.header("Location")
                self.assertTrue(location.startswith(f"{path}/api/v1/whip/whip-session/"), location)
                answer = await self.ask(port, "DELETE", location, {"Origin": ORIGIN})
                self.assertEqual(self.upstream.requests[-1].line, b"DELETE /session/7 HTTP/1.1")

    async def test_encoded(self):
        """The path above may be spelled otherwise: its segments are counted, not compared."""
        self.begin()
        self.mount("/p", target=f"{self.upstream.origin}/v1", methods=["GET"])
        port = self.hang("/pro xy/b", Site, tree)
        answer = await self.ask(port, "GET", "/pro%20xy/%62/api/v1/p/q")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.upstream.requests[-1].line, b"GET /v1/q HTTP/1.1")
        for path in ("//pro%20xy/b/api/v1/p/q", "/pro%20xy%2Fb/api/v1/p/q", "/api/v1/p/q"):
            self.assertEqual((await self.ask(port, "GET", path)).status, 404, path)
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_two_places(self):
        """The same resource at two places, and beside a part of its own path."""
        self.begin()
        self.running.server.router.route("/who")(lambda request: b"me")
        resource = self.running.server.resource()
        self.assertIs(resource, self.running.server.resource())
        root = tree("/a", resource)
        for name in (b"b", b"api", b"healthz"):
            root.putChild(name, resource)
        listening = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        for path in ("/a/api/v1/who", "/b/api/v1/who", "/api/v1/who"):
            self.assertEqual((await self.ask(port, "GET", path)).body, b"me", path)
        for path in ("/a/healthz", "/b/healthz", "/healthz"):
            self.assertEqual((await self.ask(port, "GET", path)).status, 200, path)
