"""A stock Klein app on our site, over real sockets: nothing that its users know has changed."""

import json
import os

import treq
from klein import Klein
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.site import DownstreamSite

from ..demo.loopback import serve, until
from ..spine import BrowserTransport, connect, make_server, read_answer, request_bytes

BOUNDARY = b"-----------------------------9051914041544843365972754266"
MULTIPART = b"\r\n".join(
    [
        b"--" + BOUNDARY,
        b'Content-Disposition: form-data; name="text"',
        b"",
        b"caf\xc3\xa9",
        b"--" + BOUNDARY,
        b'Content-Disposition: form-data; name="file"; filename="a.bin"',
        b"Content-Type: application/octet-stream",
        b"",
        b"\x00\r\n\xff",
        b"--" + BOUNDARY + b"--",
        b"",
    ]
)


def make_app(folder):
    app = Klein()

    @app.route("/form", methods=["POST"])
    def form(request):
        args = {k.decode(): [v.decode("latin-1") for v in vs] for k, vs in request.args.items()}
        return json.dumps({"args": args, "size": len(request.content.read())})

    @app.route("/raw", methods=["POST", "PUT"])
    def raw(request):
        return request.content.read()

    @app.route("/go")
    def go(request):
        request.redirect(b"/there")
        return b""

    @app.route("/count")
    def count(request):
        session = request.getSession()
        session.count = getattr(session, "count", 0) + 1
        return str(session.count)

    @app.route("/path/<name>")
    async def path(request, name):
        return f"{name} {request.getClientAddress().host} {request.getHost().port > 0}"

    @app.route("/broken")
    def broken(request):
        raise KeyError("canary")

    @app.route("/files/", branch=True)
    def files(request):
        return File(folder)

    return app


class StockKlein(TestCase):
    """Every answer is compared with that of twisted.web's own Site where that is the rule."""

    def setUp(self):
        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "a.txt"), "wb") as file:
            file.write(bytes(range(256)) * 1000)
        self.site = DownstreamSite(
            make_app(folder).resource(), limits=DownstreamLimits(form=10_000)
        )
        self.addCleanup(self.settled)
        self.ours = serve(self, self.site)
        self.stock = serve(self, Site(make_app(folder).resource()))

    async def settle(self):
        await until(lambda: not self.site.open and not len(self.site.ticker))
        self.site.ticker.stop()

    def settled(self):
        for session in list(self.site.sessions.values()):
            session.expire()
        return ensureDeferred(self.settle())

    async def ask(self, base, method, path, **options):
        options.setdefault("allow_redirects", False)
        response = await treq.request(
            method, base + path, agent=Agent(reactor), timeout=10, **options
        )
        return response, await response.content()

    async def same(self, method, path, **options):
        """Ask both sites; status and body must be equal. Gives ours."""
        response, body = await self.ask(self.ours, method, path, **options)
        expected, expected_body = await self.ask(self.stock, method, path, **options)
        self.assertEqual((response.code, body), (expected.code, expected_body))
        for name in ("content-type", "content-range", "location", "content-length"):
            self.assertEqual(
                response.headers.getRawHeaders(name), expected.headers.getRawHeaders(name), name
            )
        return response, body

    async def test_forms(self):
        """Both kinds of forms, with the query's arguments, and the content beside them."""
        _, body = await self.same("POST", "/form?q=1&q=2", data={"a": "b c", "d": ["e", "f"]})
        self.assertEqual(json.loads(body)["args"], {"q": ["1", "2"], "a": ["b c"], "d": ["e", "f"]})
        kind = b"multipart/form-data; boundary=" + BOUNDARY
        _, body = await self.same("POST", "/form", data=MULTIPART, headers={b"Content-Type": kind})
        self.assertEqual(
            json.loads(body)["args"], {"text": ["caf\xc3\xa9"], "file": ["\x00\r\n\xff"]}
        )

    async def test_bodies(self):
        """A raw body, none, and one over the bound of forms."""
        await self.same("POST", "/raw", data=b"\x00" * 9_999)
        await self.same("PUT", "/raw", data=b"")
        response, body = await self.ask(self.ours, "POST", "/raw", data=b"x" * 10_001)
        self.assertEqual(response.code, 413)
        self.assertEqual(json.loads(body)["error"]["code"], "BODY_TOO_LARGE")

    async def test_routes(self):
        """Redirects, path arguments, unknown paths and methods."""
        response, _ = await self.same("GET", "/go")
        self.assertEqual(response.code, 302)
        _, body = await self.same("GET", "/path/caf%C3%A9")
        self.assertEqual(body, "caf\u00e9 127.0.0.1 True".encode())
        for method, path in (("GET", "/none"), ("GET", "/form"), ("DELETE", "/raw")):
            await self.same(method, path)

    async def test_sessions(self):
        """A session is found again by its cookie."""
        response, body = await self.ask(self.ours, "GET", "/count")
        cookies = response.cookies()
        _, second = await self.ask(self.ours, "GET", "/count", cookies=cookies)
        self.assertEqual((body, second), (b"1", b"2"))

    async def test_files(self):
        """Whole, in part, not at all, and unchanged (RFC 9110 section 14)."""
        _, body = await self.same("GET", "/files/a.txt")
        self.assertEqual(len(body), 256_000)
        response, body = await self.same("GET", "/files/a.txt", headers={"Range": "bytes=10-19"})
        self.assertEqual((response.code, body), (206, bytes(range(10, 20))))
        await self.same("GET", "/files/a.txt", headers={"Range": "bytes=999999-"})
        await self.same("GET", "/files/none.txt")

    async def test_head(self):
        """HEAD is GET without the body."""
        for path in ("/files/a.txt", "/go", "/path/a", "/none"):
            _, body = await self.same("HEAD", path)
            self.assertEqual(body, b"")

    async def test_broken_handler(self):
        """A handler's exception is logged and its text stays here."""
        response, body = await self.ask(self.ours, "GET", "/broken")
        self.assertEqual(response.code, 500)
        self.assertNotIn(b"canary", body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class TheSite(TestCase):
    def test_protocols(self):
        """ALPN offers what we speak, and only that."""
        self.assertEqual(DownstreamSite(Resource()).acceptableProtocols(), [b"http/1.1"])

    def test_overflow(self):
        """Who finds no room is told so, on a site with few places; health answers."""
        server = make_server(limits=DownstreamLimits(connections=1))
        site = server.site()
        connect(site)
        for path, status in (("/healthz", 200), ("/api/v1/x", 503), ("/nothing", 404)):
            transport = connect(site)
            transport.protocol.dataReceived(request_bytes("GET", path, (), None))
            answer = read_answer(transport.value())
            self.assertEqual((answer.code, answer.header("Connection")), (status, "close"))
            self.assertTrue(transport.disconnecting)
        self.assertEqual(len(site.open), 1)
        address = [IPv4Address("TCP", f"192.0.2.{number}", 1) for number in range(50)]
        for peer in address:
            channel = site.buildProtocol(peer)
            if channel is not None:
                channel.makeConnection(BrowserTransport(peer, peer))
        self.assertEqual(len(site._overflow.open), 32)
        self.assertFalse(site.has_room())

    def test_tight(self):
        """Where hardly a file can be opened, nobody new finds room but in the overflow, if any."""
        site = make_server().site()
        site.tight = True
        self.assertTrue(connect(site).protocol.site.is_overflow)
        alone = DownstreamSite(Resource(), reactor=MemoryReactorClock())
        alone.tight = True
        self.assertIs(connect(alone).protocol.site, alone)

    def test_date(self):
        """The Date is RFC 9110's form."""
        self.assertRegex(
            DownstreamSite(Resource()).http_date(),
            rb"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$",
        )
