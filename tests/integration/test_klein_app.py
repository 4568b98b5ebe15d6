"""A stock Klein app beside proxies works unchanged; a stock Site is the oracle."""

from pathlib import Path

from klein import Klein
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.testing import RawClient, RunningServer, ScriptedUpstream

from .canary import AUTHORIZATION
from .shop import SHOP, install
from .support import OK, PATH, IntegrationTestCase

FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\nx\r\n--b--\r\n"
)
# Method, path below the shop, headers, body.
REQUESTS = (
    ("GET", "/args?a=1&a=2&b=%20c&empty=", {}, None),
    ("POST", "/args?a=1", {"Content-Type": FORM}, b"a=2&c=x+y%21"),
    ("POST", "/args", {"Content-Type": "multipart/form-data; boundary=b"}, MULTIPART),
    (
        "POST",
        "/args",
        {"Content-Type": FORM, "Transfer-Encoding": "chunked"},
        b"3\r\na=1\r\n0\r\n\r\n",
    ),
    ("POST", "/body", {"Content-Type": "application/json"}, b'{"a": [1]}'),
    ("POST", "/body", {"Content-Type": "text/plain"}, b""),
    ("GET", "/there/and/back", {}, None),
    ("GET", "/item/7", {}, None),
    ("GET", "/item/seven", {}, None),
    ("GET", "/caf%C3%A9/a%20b", {}, None),
    ("HEAD", "/args?a=1", {}, None),
    ("GET", "/old", {}, None),
    ("GET", "/dir", {}, None),
    ("GET", "/dir/", {}, None),
    ("DELETE", "/dir/", {}, None),
    ("GET", "/files/hello.txt", {}, None),
    ("GET", "/files/hello.txt", {"Range": "bytes=1-3"}, None),
    ("GET", "/files/none.txt", {}, None),
    ("GET", "/slow", {}, None),
    ("GET", "/pieces", {}, None),
    ("GET", "/cookie", {"Cookie": "a=1; b=2"}, None),
    ("GET", "/teapot", {}, None),
    ("GET", "/broken", {}, None),
)
SAME = ("Content-Type", "Location", "Set-Cookie", "Content-Range", "X-Own", "Allow")


class Tree(Resource):
    """*leaf* at a path, the rest nothing."""

    @classmethod
    def with_leaf(cls, path, leaf):
        root = node = cls()
        *parents, last = path.strip("/").encode().split(b"/")
        for part in parents:
            child = cls()
            node.putChild(part, child)
            node = child
        node.putChild(last, leaf)
        return root


class StockAppTests(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.files = self.mktemp()
        Path(self.files).mkdir()
        (Path(self.files) / "hello.txt").write_bytes(b"hello, file")

    def shop(self):
        """A new app."""
        app = Klein()
        install(app, "", self.files)
        return app

    def listen(self, site):
        """A stock site's port."""
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.forget_sessions(site)
        return port.getHost().port

    def forget_sessions(self, site):
        """Their timers would outlive the test."""
        self.addCleanup(lambda: [session.expire() for session in list(site.sessions.values())])

    def beside_a_proxy(self):
        """A server with a proxy."""
        self.upstream = ScriptedUpstream(self, OK)
        self.running = self.serve()
        self.mount("/x")
        self.forget_sessions(self.running.server.site())
        return self.running

    async def ask(self, port, *request):
        client = await RawClient.connect(self, port)
        client.request(*request[:1], *request[1:])
        answer = await client.answer(request[0])
        await client.stop()
        return answer

    async def assert_same(self, ours):
        """Each request is answered as a stock Site would, *ours* being a port."""
        stock = self.listen(Site(Tree.with_leaf(SHOP, self.shop().resource())))
        for method, below, headers, body in REQUESTS:
            request = (method, SHOP + below, headers, body)
            want, got = await self.ask(stock, *request), await self.ask(ours, *request)
            self.flushLoggedErrors(ZeroDivisionError)
            name = f"{method} {below}"
            if want.status in (404, 405, 500):
                # Ours say so in the contract's words.
                self.assertEqual(got.status, want.status, name)
                continue
            if want.status == 308:
                # Klein's word, without the Host that a stranger may have written.
                location = want.header("Location").removeprefix(f"http://localhost:{stock}")
                self.assertEqual((got.status, got.header("Location")), (308, location), name)
                self.assertNotIn(b"localhost", got.body)
                continue
            seen = [
                (each.status, each.body.replace(b"%d" % port, b"PORT"), each.complete)
                for each, port in ((want, stock), (got, ours))
            ]
            self.assertEqual(seen[1], seen[0], name)
            for header in SAME:
                value = want.header(header)
                value = value and value.replace(str(stock), str(ours))
                self.assertEqual(got.header(header), value, (name, header))

    async def assert_sessions(self, port):
        """The cookie brings the session back."""
        first = await self.ask(port, "GET", SHOP + "/visits")
        cookie = first.header("Set-Cookie").partition(";")[0]
        again = await self.ask(port, "GET", SHOP + "/visits", {"Cookie": cookie})
        other = await self.ask(port, "GET", SHOP + "/visits")
        self.assertEqual((first.body, again.body, other.body), (b"1", b"2", b"1"))

    async def test_mounted(self):
        running = self.beside_a_proxy()
        running.server.mount("/shop", self.shop().resource())
        await self.assert_same(running.port)
        await self.assert_sessions(running.port)
        self.assertEqual((await self.post()).status, 200)

    async def test_on_the_servers_own_router(self):
        running = self.beside_a_proxy()
        install(running.server.router, "/shop", self.files)
        await self.assert_same(running.port)
        await self.assert_sessions(running.port)
        self.assertEqual((await self.post()).status, 200)

    async def test_errors_of_an_app_stay_in_the_app(self):
        """Our answer tells nothing of the traceback, which is in the log."""
        running = self.beside_a_proxy()
        running.server.mount("/shop", self.shop().resource())
        answer = await running.ask("GET", SHOP + "/broken")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"own bug", answer.body)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    async def test_the_server_in_a_stock_site(self):
        """``server.resource()`` in anybody's tree: proxies, refusals, preflights, Klein routes."""
        self.upstream = ScriptedUpstream(self, OK)
        self.running = RunningServer(
            self,
            create_plugin_server("inner", 0, require_auth=False, allow_networks=["127.0.0.1/32"]),
        )
        self.mount("/x")
        self.running.server.mount("/shop", self.shop().resource())
        port = self.listen(Site(self.running.server.resource()))
        answer = await self.ask(port, "POST", PATH, self.headers(), b'{"a": 1}')
        self.assertEqual((answer.status, answer.body, answer.complete), (200, b'{"ok":1}', True))
        received = self.upstream.requests[0]
        self.assertEqual(received.body, b'{"a": 1}')
        self.assertEqual(received.values("Authorization"), [AUTHORIZATION.encode()])
        refused = await self.ask(port, "POST", PATH, self.headers(X_Target_URL="http://a.example"))
        self.assert_refused(refused, 400, "HOST_NOT_ALLOWED")
        self.assert_readable(refused)
        preflight = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST"}
        self.assertEqual((await self.ask(port, "OPTIONS", PATH, preflight)).status, 204)
        self.assertEqual((await self.ask(port, "GET", "/healthz")).json()["status"], "ok")
        await self.assert_same(port)

    async def test_a_cut_reply_is_cut_on_a_stock_site_too(self):
        self.upstream = ScriptedUpstream(
            self, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", b""
        )
        self.running = self.serve()
        self.running.server.mount(
            "/x",
            create_external_proxy(
                allowed_hosts=["127.0.0.1"],
                allowed_schemes=["http"],
                allowed_ports=[self.upstream.port],
            ),
        )
        port = self.listen(Site(self.running.server.resource()))
        client = await RawClient.connect(self, port)
        client.request("POST", PATH, self.headers(), b"{}")
        await client.until(lambda: client.buffer.endswith(b"one"))
        await self.upstream.stop()
        self.assertFalse((await client.answer("POST")).complete)
