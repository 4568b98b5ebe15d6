"""What is odd and harms nobody is served: between real sockets, from the request's first byte."""

from __future__ import annotations

import shutil
from time import monotonic

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest
from twisted.web.server import Site

from naap_twisted.errors import ConfigError
from naap_twisted.testing import PAUSE, RawClient

from .support import OK, ORIGIN, PATH, PINNED, IntegrationTestCase, RefusalTestCase, response

JSON = "Content-Type: application/json"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQ"}
QUERY = b"""?filter={"a":1}&t=a|b^`[c]\\d<e>'f'&half=50%&g=%zz"""


class HeadTests(IntegrationTestCase):
    """HEAD, whose answer describes the body of a GET (RFC 9110 section 9.3.2)."""

    async def head(self, *lines, status=200, **route):
        self.start(response(status, b"", *lines, length=False), methods=["GET"], **route)
        answer = await self.post(None, "HEAD")
        self.assertEqual((answer.status, answer.body, answer.complete), (status, b"", True))
        return answer

    async def test_length(self):
        """The upstream's stays, and the connections go on."""
        answer = await self.head("Content-Length: 123456", JSON)
        self.assertEqual(answer.header("Content-Length"), "123456")
        self.assertIsNone(answer.header("Transfer-Encoding"))
        client = await self.running.client()
        for _ in range(2):
            client.request("HEAD", PATH, self.headers())
            self.assertEqual((await client.answer("HEAD")).header("Content-Length"), "123456")
        self.assertEqual(self.upstream.connections, 1)

    async def test_none(self):
        """Where the upstream said none, neither do we; a 204 and a 304 have none."""
        for status, line in ((200, JSON), (204, JSON), (304, "Content-Length: 5")):
            self.assertIsNone((await self.head(line, status=status)).header("Content-Length"))

    async def test_searched(self):
        """The length of a body that would be searched for keys is not known."""
        for status, options in (
            (404, {"errors": "passthrough"}),
            (302, {}),
            (200, {"redact_bodies": True}),
        ):
            answer = await self.head("Content-Length: 5", JSON, status=status, **options)
            self.assertIsNone(answer.header("Content-Length"))
        keyless = await self.head("Content-Length: 5", status=302, forward_headers={})
        self.assertEqual(keyless.header("Content-Length"), "5")

    async def test_on_a_stock_site(self):
        """The same below Twisted's own Site, which calls what has no type text/html."""
        self.start(response(200, b"", "Content-Length: 77", length=False), methods=["GET", "POST"])
        port = reactor.listenTCP(0, Site(self.running.server.resource()), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = await RawClient.connect(self, port.getHost().port)
        client.request("HEAD", PATH, self.headers())
        answer = await client.answer("HEAD")
        self.assertEqual(answer.header("Content-Length"), "77")
        self.assertIsNone(answer.header("Content-Type"))
        for status, body, options in ((200, b"x", {}), (200, b"", {"count_tokens": True})):
            self.upstream.steps = (response(status, body),)
            self.mount(f"/y{len(body)}", methods=["GET"], **options)
            client.request("GET", f"/api/v1/y{len(body)}", self.headers())
            answer = await client.answer("GET")
            self.assertEqual((answer.status, answer.body), (status, body))
            self.assertIsNone(answer.header("Content-Type"))
        await client.stop()


class TypeTests(IntegrationTestCase):
    """The upstream's Content-Type, or none."""

    async def test_none(self):
        for status, body in ((200, b"x"), (302, b""), (304, b""), (404, b"x"), (999, b"x")):
            for kind in ("*/*", "application/json", "application/sdp"):
                self.start(response(status, body), errors="passthrough", content_type=kind)
                answer = await self.post(Content_Type=kind.replace("*/*", "a/b"))
                self.assertEqual((answer.status, answer.body), (status, body))
                self.assertIsNone(answer.header("Content-Type"), (status, kind))
                self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")

    async def test_untyped_text_is_searched(self):
        """What has no type may be a text that repeats the key."""
        from .canary import CANARY

        self.start(response(200, CANARY.encode()), redact_bodies=True)
        self.assertEqual((await self.post()).body, b"[redacted]")


class UpgradeTests(IntegrationTestCase):
    """Offers to switch the protocol, which nobody takes up (RFC 9110 section 7.8)."""

    async def test_ignored(self):
        """The answer comes over HTTP/1.1, the offer stays here whatever the route passes."""
        offers = (H2C, {**H2C, "Upgrade": "websocket"}, {"Upgrade": "h2c, TLS/1.0, websocket"})
        for offer in offers:
            self.start(OK, methods=METHODS, pass_headers=["H*", "X-*"])
            self.mount("/p", target=self.upstream.origin, methods=METHODS, pass_headers=["H*"])
            client = await self.running.client()
            for method, path, body in (
                ("GET", PATH, None),
                ("POST", PATH, b"{}"),
                ("GET", PINNED, None),
                ("POST", PINNED, b"{}"),
            ):
                client.request(method, path, self.headers(**offer), body)
                answer = await client.answer(method)
                self.assertEqual((answer.status, answer.body), (200, b'{"ok":1}'))
                self.assertIsNone(answer.header("Upgrade"))
            self.assertEqual([len(got.body) for got in self.upstream.requests], [0, 2, 0, 2])
            for received in self.upstream.requests:
                for name in ("Upgrade", "HTTP2-Settings", "Connection"):
                    self.assertEqual(received.values(name), [])

    async def test_healthz(self):
        """Java's client asks so; a load balancer names an address, or no Host at all."""
        self.start(OK, server={"server_names": ["api.example.com"]})
        for headers in ({**H2C, "Host": "10.0.0.7"}, {**H2C, "Host": "api.example.com"}):
            answer = await self.running.ask("GET", "/healthz", headers)
            self.assertEqual(answer.status, 200)
        client = await self.running.client()
        client.send(b"GET /healthz HTTP/1.0\r\nUpgrade: h2c\r\n\r\n")
        self.assertEqual((await client.answer("GET")).status, 200)

    async def test_curl(self):
        """``curl --http2``, with a body and without."""
        curl = shutil.which("curl")
        if curl is None:
            raise SkipTest("curl is not installed")
        self.start(OK, methods=METHODS)
        url = self.running.url
        posted = ("-d", "{}", "-H", JSON, "-H", f"X-Target-URL: {self.upstream.origin}/v1")
        for arguments in ((f"{url}/healthz",), (*posted, url + PATH)):
            said, _, code = await getProcessOutputAndValue(
                curl, ("-s", "--http2", "--noproxy", "*", "-w", "%{http_code}", *arguments)
            )
            self.assertEqual((code, said[-3:]), (0, b"200"), said)


class LineEndTests(IntegrationTestCase):
    """Heads that end their lines with LF alone, on connections that stay open."""

    async def test_upstream(self):
        """502 at once, and not when the timeout has passed."""
        for raw in (
            b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\n{}",
            b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\n",
            b"HTTP/1.1 200 OK\rContent-Length: 2\r\r{}",
            b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\n",
            b"220 mail.example ESMTP ready\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ):
            for steps in ((raw,), tuple(raw[at : at + 1] for at in range(len(raw)))):
                self.start(*steps, PAUSE, timeout=15)
                began = monotonic()
                self.assert_refused(await self.post(), 502, "BAD_GATEWAY")
                self.assertLess(monotonic() - began, 10)

    async def test_browser(self):
        """400 at once, and not when the head's time is over."""
        self.start(OK)
        for raw in (
            b"GET / HTTP/1.1\nHost: localhost\n\n",
            b"GET / HTTP/1.1\r\nHost: localhost\n\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\n",
            b"GET / HTTP/1.1\r\nHost: localhost\rX",
        ):
            client = await self.running.client()
            client.send(raw)
            began = monotonic()
            self.assert_refused(await client.answer("GET"), 400, "BAD_REQUEST")
            self.assertLess(monotonic() - began, 5)
            await client.stop()


class SpellingTests(IntegrationTestCase):
    """Paths and queries, byte for byte."""

    async def test_as_they_came(self):
        """By the header and below a pinned base."""
        self.start(OK, methods=METHODS)
        self.mount("/p", target=self.upstream.origin + "/base", methods=METHODS)
        for rest in (b"/x" + QUERY, b'/a|b^`{c}"<d>[e]/100%/%2', b"/x?" + b"q" * 8192):
            url = self.upstream.origin.encode() + rest
            answer = await self.post(X_Target_URL=url.decode())
            self.assertEqual(answer.status, 200, rest)
            self.assertEqual(self.upstream.requests[-1].line, b"POST " + rest + b" HTTP/1.1")
            answer = await self.post(path=PINNED + rest.decode())
            self.assertEqual(answer.status, 200, rest)
            self.assertEqual(self.upstream.requests[-1].line, b"POST /base" + rest + b" HTTP/1.1")

    async def test_in_a_redirect(self):
        """A redirect that is followed keeps them, too."""
        self.start(response(307, b"", f"Location: /x{QUERY.decode()}"), follow_redirects=True)
        await self.post()
        self.assertEqual(self.upstream.requests[1].line, b"POST /x" + QUERY + b" HTTP/1.1")


class EmptyBodyTests(RefusalTestCase):
    """POST, PUT and PATCH without a body."""

    async def test_forwarded(self):
        """With a length of zero, as it came; on both kinds of route, whatever their types."""
        for kind in ("application/json", "*/*", "application/sdp"):
            self.start(OK, methods=METHODS, content_type=kind)
            self.mount("/p", target=self.upstream.origin, methods=METHODS, content_type=kind)
            for method in ("POST", "PUT", "PATCH"):
                for path in (PATH, PINNED):
                    for body in (b"", None):
                        answer = await self.post(body, method, path, Content_Type=None)
                        self.assertEqual(answer.status, 200)
                        sent = self.upstream.requests[-1]
                        self.assertEqual((sent.values("Content-Length"), sent.body), ([b"0"], b""))
                        self.assertEqual(sent.values("Content-Type"), [])
            chunked = {"Transfer_Encoding": "chunked", "Content_Type": kind.replace("*", "a")}
            self.assertEqual((await self.post(b"0\r\n\r\n", **chunked)).status, 200)
            self.assertEqual(self.upstream.requests[-1].body, b"")

    async def test_required(self):
        """Where the route says so, on both kinds."""
        self.start(OK, methods=METHODS, body_required=True)
        self.mount("/p", target=self.upstream.origin, methods=METHODS, body_required=True)
        for path in (PATH, PINNED):
            for method in ("POST", "PUT", "PATCH"):
                await self.refused(400, "BODY_REQUIRED", body=b"", method=method, path=path)
        for method in ("GET", "DELETE"):
            self.assertEqual((await self.post(None, method)).status, 200)

    async def test_empty_stream(self):
        """A body that turns out empty when its head is upstream already: no end of it follows."""
        for required, status in ((True, 400), (False, 200)):
            self.start(OK, methods=METHODS, content_type="*/*", body_required=required)
            client = await self.running.client()
            head = {**self.headers(Content_Type="a/b"), "Transfer-Encoding": "chunked"}
            client.request("POST", PATH, head)
            await self.upstream.until(lambda: self.upstream.requests)
            self.assertFalse(self.upstream.requests[0].complete)
            client.send(b"0\r\n\r\n")
            answer = await client.answer("POST")
            self.assertEqual(answer.status, status)
            if required:
                self.assert_refused(answer, 400, "BODY_REQUIRED")
            self.assertEqual(self.upstream.requests[0].complete, not required)


class LongTests(RefusalTestCase):
    """Heads that are too large, whose pages have to read so."""

    server = {"server": {"cors_origins": [ORIGIN]}}

    async def preflight(self, path, headers="content-type, x-target-url"):
        answer = await self.running.ask(
            "OPTIONS",
            path,
            {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": headers,
            },
        )
        self.assertEqual((answer.status, answer.complete), (204, True))
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), ORIGIN)
        return answer

    def assert_page_reads(self, answer, status, code):
        self.assert_refused(answer, status, code)
        self.assert_readable(answer, ORIGIN)
        self.assertEqual(answer.header("Access-Control-Allow-Credentials"), "true")
        self.assertIn("Origin", answer.header("Vary"))
        self.assertEqual(answer.header("Connection"), "close")

    async def test_query(self):
        """5,000 bytes are served; 9,000 are 414, in the preflight's answer 204."""
        self.start(OK, **self.server)
        self.mount("/p", target=self.upstream.origin)
        for size in (5_000, 8_192):
            path = f"{PINNED}?{'q' * size}"
            await self.preflight(path)
            self.assertEqual((await self.post(path=path)).status, 200)
            url = f"{self.upstream.origin}/v1?{'q' * size}"
            self.assertEqual((await self.post(X_Target_URL=url)).status, 200)
        sent = len(self.upstream.requests)
        path = f"{PINNED}?{'q' * 9_000}"
        await self.preflight(path)
        self.assert_page_reads(await self.post(path=path), 414, "URI_TOO_LONG")
        url = f"{self.upstream.origin}/v1?{'q' * 9_000}"
        answer = await self.post(X_Target_URL=url)
        self.assert_refused(answer, 400, "INVALID_TARGET")
        self.assert_readable(answer, ORIGIN)
        self.assertEqual(len(self.upstream.requests), sent)

    async def test_cookie(self):
        """A cookie of 40 kB, whether Origin stands before it or its value is cut."""
        self.start(OK, **self.server)
        self.assert_page_reads(await self.post(Cookie="a" * 40_000), 431, "HEADERS_TOO_LARGE")
        lines = {f"X-{number}": "1" for number in range(120)}
        self.assert_page_reads(await self.post(**lines), 431, "HEADERS_TOO_LARGE")
        self.assert_page_reads(await self.post(**{"a" * 300: "1"}), 431, "HEADERS_TOO_LARGE")
        first = [("Host", "localhost"), ("X-Big", "a" * 40_000), ("Origin", ORIGIN)]
        answer = await self.running.ask("POST", PATH, first, b"{}")
        self.assert_page_reads(answer, 431, "HEADERS_TOO_LARGE")
        self.assertEqual(self.upstream.requests, [])

    async def test_unread_origin(self):
        """Of an Origin that stands too far behind nothing is known."""
        self.start(OK, **self.server)
        first = [("Host", "localhost"), ("X-Big", "a" * 70_000), ("Origin", ORIGIN)]
        answer = await self.running.ask("POST", PATH, first, b"{}")
        self.assert_refused(answer, 431, "HEADERS_TOO_LARGE")
        self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
        self.assertEqual(self.upstream.requests, [])

    async def test_other_refusals(self):
        """A 400 and a 408 of a head can be read as well; no preflight is answered so."""
        self.start(OK, **self.server)
        for odd in ({"X_Target_URL_": "1"}, {"Content-Length": "+2"}, {"A": "b\x01"}):
            more = {name.removesuffix("_"): value for name, value in odd.items()}
            head = {"Origin": ORIGIN, "Host": "localhost", **more}
            answer = await self.running.ask("POST", PATH, head)
            self.assert_page_reads(answer, 400, "BAD_REQUEST")
            head = {**head, "Access-Control-Request-Method": "POST"}
            answer = await self.running.ask("OPTIONS", PATH, head)
            self.assert_refused(answer, 400, "BAD_REQUEST")
            self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
        self.assertEqual(self.upstream.requests, [])

    async def test_slow_head(self):
        """The Origin was read, the rest never came."""
        from naap_twisted.downstream.limits import DownstreamLimits

        limits = DownstreamLimits(head_timeout=0.3)
        self.start(OK, server={"cors_origins": [ORIGIN], "limits": limits})
        client = await self.running.client()
        client.send(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nA: ".encode())
        self.assert_page_reads(await client.answer("POST"), 408, "REQUEST_TIMEOUT")

    async def test_foreign_pages(self):
        """A page that is not listed learns no more from it than from any other answer."""
        self.start(OK, **self.server)
        self.mount("/p", target=self.upstream.origin)
        answer = await self.post(path=f"{PINNED}?{'q' * 9_000}", Origin="https://evil.example")
        self.assert_refused(answer, 403, "ORIGIN_NOT_ALLOWED")
        self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
        twice = [("Origin", ORIGIN), ("Origin", "https://evil.example"), ("Cookie", "a" * 40_000)]
        answer = await self.running.ask("POST", PATH, twice, b"{}")
        self.assertEqual(answer.status, 403)
        self.assertIsNone(answer.header("Access-Control-Allow-Origin"))

    async def test_klein_routes(self):
        """A handler of the server's own is not called for a head that was not read."""
        self.start(OK, **self.server)
        called = []
        self.running.server.router.route("/own", methods=["POST"], endpoint="own")(called.append)
        answer = await self.post(path="/api/v1/own", Cookie="a" * 40_000)
        self.assert_page_reads(answer, 431, "HEADERS_TOO_LARGE")
        self.assertEqual(called, [])


class LocalNameTests(IntegrationTestCase):
    """Pinned bases on names of the operator's own network."""

    def pin(self, name, networks=("127.0.0.1/32",), address="127.0.0.1", **route):
        self.start(OK, server={"allow_networks": networks})
        out = self.way_out({name: address})
        target = f"http://{name}:{self.upstream.port}/v1"
        self.mount("/p", target=target, methods=METHODS, upstream=out, **route)

    async def test_served(self):
        for name in ("ollama", "app", "my_api", "my_api.internal", "_a.b_"):
            self.pin(name)
            answer = await self.post(path=f"{PINNED}/chat")
            self.assertEqual((answer.status, answer.body), (200, b'{"ok":1}'))
            sent = self.upstream.requests[-1]
            self.assertEqual(sent.line, b"POST /v1/chat HTTP/1.1")
            self.assertEqual(sent.values("Host"), [f"{name}:{self.upstream.port}".encode()])

    async def test_redirect(self):
        """A redirect of that upstream to itself is followed."""
        self.pin("my_api", follow_redirects=True)
        url = f"http://my_api:{self.upstream.port}/v1/there"
        self.upstream.steps = (response(307, b"", f"Location: {url}"),)
        await self.post(path=PINNED)
        self.assertEqual(self.upstream.requests[1].line, b"POST /v1/there HTTP/1.1")

    async def test_session(self):
        """A WebRTC session on such a name is found again through its Location."""
        self.pin("media_server", content_type="application/sdp")
        port = self.upstream.port
        for place in ("/whip/7?a={b}", f"http://media_server:{port}/whip/8"):
            self.upstream.steps = (response(201, b"v=0", f"Location: {place}"),)
            answer = await self.post(path=PINNED, Content_Type="application/sdp")
            location = answer.header("Location")
            self.assertTrue(location.startswith(f"{PINNED}/whip-session/"), location)
            self.upstream.steps = (OK,)
            self.assertEqual((await self.post(None, "DELETE", location)).status, 200)
            path = place.removeprefix(f"http://media_server:{port}")
            self.assertEqual(self.upstream.requests[-1].line, f"DELETE {path} HTTP/1.1".encode())
        long = "/whip/" + "a" * 3_000 + "?" + "q" * 5_000
        self.upstream.steps = (response(201, b"v=0", f"Location: {long}"),)
        answer = await self.post(path=PINNED, Content_Type="application/sdp")
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.header("Location"), f"http://media_server:{port}{long}")

    async def test_nowhere_else(self):
        """Such a name leads into allow_networks only, with a key or without one."""
        for name in ("ollama", "my_api"):
            for options in ({}, {"forward_headers": {}}):
                self.pin(name, address="93.184.216.34", **options)
                answer = await self.post(path=PINNED)
                self.assert_refused(answer, 400, "ADDRESS_NOT_ALLOWED")
                self.assertEqual(self.upstream.connections, 0)

    async def test_unlisted(self):
        """Without allow_networks it is refused at start, with what to write."""
        for name in ("ollama", "my_api"):
            error = self.assertRaises(ConfigError, self.pin, name, networks=())
            self.assertIn("allow_networks", str(error))

    async def test_pages_name_none(self):
        """Where the page names the URL, a name of one label has to be listed, too."""
        self.start(OK, server={"allow_networks": ["127.0.0.1/32"]})
        out = self.way_out({"ollama": "127.0.0.1", "other": "127.0.0.1", "my_api": "127.0.0.1"})
        self.mount("/y", allowed_hosts=["ollama"], allowed_schemes=["http"],
                   allowed_ports=[self.upstream.port], upstream=out)  # fmt: skip
        for name, status in (("ollama", 200), ("other", 400), ("my_api", 400)):
            url = f"http://{name}:{self.upstream.port}/"
            answer = await self.post(path="/api/v1/y", X_Target_URL=url)
            self.assertEqual(answer.status, status, name)
