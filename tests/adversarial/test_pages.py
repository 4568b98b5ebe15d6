"""What a page of another site can make a browser send: rebound names, images, links, forms."""

import shutil
import socket
import tempfile

from attrs import Factory, frozen
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from naap_twisted.testing import RawClient

from .oracle import Stage, one_test_per

PORT = "{port}"
LISTED = "https://app.example.org"


@frozen
class Named:
    """One Host, and the Origin that the page behind it has.

    :ivar status: with ``cors_origins`` that lists neither.
    :ivar anywhere: the same of a server that also listens beyond loopback.
    """

    name: str
    host: str
    origin: str
    status: int
    anywhere: int
    options: dict = Factory(dict)


NAMES = [
    Named("rebound name", f"evil.example:{PORT}", f"http://evil.example:{PORT}", 421, 403),
    Named("rebound name over TLS", "evil.example", "https://evil.example", 421, 403),
    Named("rebound name, no page", f"evil.example:{PORT}", "", 421, 200),
    Named("opens with ours", f"localhost.evil.example:{PORT}", "", 421, 200),
    Named("ends with ours", f"evil-localhost:{PORT}", "", 421, 200),
    Named("a name below localhost", f"app.localhost:{PORT}", "", 421, 200),
    Named("another loopback address", f"127.0.0.2:{PORT}", "", 421, 200),
    Named("unspecified address", f"0.0.0.0:{PORT}", "", 421, 200),
    Named("localhost", f"localhost:{PORT}", f"http://localhost:{PORT}", 200, 200),
    Named("localhost, dotted", f"LOCALHOST.:{PORT}", "", 200, 200),
    Named("IPv4", f"127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT}", 200, 200),
    Named("IPv6", f"[::1]:{PORT}", f"http://[::1]:{PORT}", 200, 200),
    Named("mapped port", "localhost:9", "http://localhost:9", 200, 200),
    Named("page of another port", f"localhost:{PORT}", "http://localhost:9", 403, 403),
    Named(
        "page of another of our names", f"localhost:{PORT}", f"http://127.0.0.1:{PORT}", 403, 403
    ),
    Named(
        "listed name",
        "proxy.example.org",
        "https://proxy.example.org",
        200,
        200,
        {"server_names": ["proxy.example.org"]},
    ),
    Named(
        "beside a listed name",
        f"evil.example:{PORT}",
        f"http://evil.example:{PORT}",
        421,
        421,
        {"server_names": ["proxy.example.org"]},
    ),
    Named(
        "loopback beside a listed name",
        f"localhost:{PORT}",
        f"http://localhost:{PORT}",
        200,
        421,
        {"server_names": ["proxy.example.org"]},
    ),
]


class NameStage(Stage):
    """Judges one row, on one kind of listener."""

    interface = ""

    async def asked(self, row, status):
        listen = [f"tcp:0:interface={self.interface}"]
        options = {"cors_origins": [LISTED], "listen": listen, "server_names": [], **row.options}
        self.start(server=options)
        port = str(self.running.port)
        host, origin = (text.replace(PORT, port) for text in (row.host, row.origin))
        raw = self.request(*([f"Origin: {origin}".encode()] if origin else []))
        replies = await self.converse(raw.replace(b"Host: a\r", f"Host: {host}\r".encode()))
        self.assertEqual([reply.status for reply in replies], [status], replies)
        self.assertEqual(len(self.upstream.requests), int(status == 200))
        health = await self.running.ask("GET", "/healthz", {"Host": host})
        self.assertEqual(health.status, 200, "health is for any Host")


@one_test_per(NAMES)
class LoopbackTests(NameStage):
    """A server that only this machine can reach."""

    interface = "127.0.0.1"

    async def check(self, row):
        await self.asked(row, row.status)


@one_test_per(NAMES)
class EverywhereTests(NameStage):
    """A server that others can reach: any Host, but no page is its own by Host alone."""

    interface = "0.0.0.0"

    async def check(self, row):
        await self.asked(row, row.anywhere)


class SocketTests(Stage):
    async def test_a_unix_socket_beside_loopback(self):
        """What connects to it is a proxy, with the Host that the world uses; no page can."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = f"{folder}/naap.sock"
        listen = ["tcp:0:interface=127.0.0.1", f"unix:{path}"]
        self.start(server={"listen": listen, "server_names": []})
        raw = b"GET /none HTTP/1.1\r\nHost: proxy.example.org\r\nConnection: close\r\n\r\n"

        def ask():
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(path)
                connection.sendall(raw)
                return connection.recv(64)

        self.assertIn(b" 404 ", await deferToThread(ask))
        replies = await self.converse(raw, method=b"GET")
        self.assertEqual([reply.status for reply in replies], [421])


class ResourceTests(Stage):
    async def test_on_somebody_elses_site(self):
        """It can't know where that listens: any Host is answered, and none is ours by itself."""
        self.start(server={"cors_origins": [LISTED], "server_names": []})
        site = Site(self.running.server.resource())
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        for host, origin, status in (
            ("evil.example", "", 404),
            ("evil.example", "http://evil.example", 403),
            ("localhost", "http://localhost", 404),
            ("localhost", "http://evil.example", 403),
        ):
            client = await RawClient.connect(self, number)
            more = {"Origin": origin} if origin else {}
            client.request("GET", "/none", {"Host": host, **more})
            self.assertEqual((await client.answer()).status, status, (host, origin))
            await client.stop()


class HealthTests(Stage):
    async def test_http_1_0_without_host(self):
        """A load balancer's plain check is answered; where names are listed nothing else is."""
        for names, refused in ((["proxy.example.org"], 421), ([], 405)):
            self.start(server={"server_names": names})
            for path, status in ((b"/healthz", 200), (b"/api/v1/x", refused)):
                raw = b"GET " + path + b" HTTP/1.0\r\n\r\n"
                replies = await self.converse(raw, method=b"GET")
                self.assertEqual([reply.status for reply in replies], [status], path)


@frozen
class Fetched:
    """A request as a browser marks it (Fetch Metadata).

    :ivar code: of the refusal; ``""``: it goes through.
    :ivar origins: ``cors_origins``.
    """

    name: str
    site: str
    mode: str = "no-cors"
    origin: str = ""
    code: str = "CROSS_SITE_NOT_ALLOWED"
    origins: str | tuple[str, ...] = ("https://app.example.org", "http://localhost:3000")
    method: str = "GET"
    host: str = "localhost"
    keyed: bool = True
    referrer: str = ""
    policy: str = "same-origin"


FETCHES = [
    Fetched("image of another site", "cross-site"),
    Fetched("image of another site, any origin", "cross-site", origins="*"),
    Fetched("link on another site", "cross-site", "navigate"),
    Fetched("form on another site, any origin", "cross-site", "navigate", origins="*"),
    Fetched("frame on another site", "cross-site", "nested-navigate"),
    Fetched("HEAD", "cross-site", method="HEAD"),
    Fetched("posted form", "cross-site", "navigate", LISTED, method="POST"),
    Fetched(
        "posted form, any origin", "cross-site", "navigate", LISTED, method="POST", origins="*"
    ),
    Fetched("posted without an Origin", "cross-site", "cors", method="POST"),
    Fetched("image of a sibling", "same-site", host="api.example.net"),
    Fetched("image of a sibling, any origin", "same-site", origins="*"),
    Fetched("image of a sibling, http listed", "same-site", host="localhost", origins=(LISTED,)),
    Fetched("image of a page on a public suffix", "same-site", host="a.github.io"),
    Fetched("link on a listed sibling", "same-site", "navigate", host="api.example.org"),
    Fetched("unknown site", "cross-planet"),
    Fetched("two sites", "none, none"),
    Fetched("script of a listed origin", "cross-site", "cors", LISTED, ""),
    Fetched("script of any origin", "cross-site", "cors", "https://a.example", "", "*"),
    Fetched("image of a listed sibling", "same-site", code="", host="api.example.org"),
    Fetched("image of a page on this machine", "same-site", code=""),
    Fetched("typed address", "none", "navigate", code=""),
    Fetched("own page", "same-origin", "cors", code=""),
    Fetched("link on an own page", "same-origin", "navigate", code=""),
    Fetched("no browser", "", "", code=""),
    Fetched("image of another site, no key", "cross-site", code="", keyed=False),
    Fetched(
        "image of a sibling of a pattern",
        "same-site",
        code="",
        host="api.example.net",
        origins=("https://*.example.net",),
    ),
    Fetched(
        "script of a pattern",
        "cross-site",
        "cors",
        "https://a.example.net",
        "",
        ("https://*.example.net",),
    ),
    *(
        Fetched(
            f"image on {page}, {policy}",
            "cross-site",
            code=code,
            referrer=page,
            policy=policy,
            origins=("https://app.example.org", "https://*.example.net"),
        )
        for page, policy, code in (
            ("https://app.example.org/", "cross-origin", ""),
            ("https://x.example.net/p?q", "cross-origin", ""),
            ("https://app.example.org/", "same-origin", "CROSS_SITE_NOT_ALLOWED"),
            ("https://evil.example/", "cross-origin", "CROSS_SITE_NOT_ALLOWED"),
            ("https://app.example.org.evil.example/", "cross-origin", "CROSS_SITE_NOT_ALLOWED"),
            ("", "cross-origin", "CROSS_SITE_NOT_ALLOWED"),
        )
    ),
]


@one_test_per(FETCHES)
class FetchTests(Stage):
    """A route that injects a key is for scripts of listed origins, and for no page's images."""

    async def check(self, row):
        names = ["localhost", "api.example.org", "api.example.net", "a.github.io"]
        self.start(server={"cors_origins": row.origins, "server_names": names})
        base = {"target": f"{self.upstream.origin}/v1", "methods": ["GET", "POST"]}
        base["resource_policy"] = row.policy
        if not row.keyed:
            base["forward_headers"] = None
        self.mount("/p", self.upstream, self.key, base)
        sent = [("Host", row.host), ("Connection", "close")]
        if row.site:
            sent += [("Sec-Fetch-Site", row.site), ("Sec-Fetch-Mode", row.mode)]
        if row.origin:
            sent.append(("Origin", row.origin))
        if row.referrer:
            sent.append(("Referer", row.referrer))
        body = None
        if row.method == "POST":
            sent.append(("Content-Type", "application/json"))
            body = b"{}"
        answer = await self.running.ask(row.method, "/api/v1/p/models", sent, body)
        self.assertEqual(answer.status, 403 if row.code else 200)
        policy = "same-origin" if row.code else row.policy
        self.assertEqual(answer.header("Cross-Origin-Resource-Policy"), policy)
        if row.code and row.method != "HEAD":
            self.assertEqual(answer.json()["error"]["code"], row.code)
        self.assertEqual(len(self.upstream.requests), 0 if row.code else 1)


@frozen
class Asking:
    """A page's Origin, and whether ``cors_origins`` lets it in."""

    origin: str
    allowed: bool

    @property
    def name(self):
        return self.origin[:48]


PATTERNS = ("https://app.example.org", "https://*.example.com", "https://*-team.vercel.app")
ASKING = [
    Asking("https://app.example.org", True),
    Asking("https://a.example.com", True),
    Asking("https://shop-git-x-team.vercel.app", True),
    Asking("https://a.b.example.com", False),
    Asking("https://example.com", False),
    Asking("http://a.example.com", False),
    Asking("https://a.example.com:444", False),
    Asking("https://a.example.com.evil.example", False),
    Asking("https://evil.example/.example.com", False),
    Asking("https://evil-example.com", False),
    Asking("https://shop.vercel.app", False),
    Asking("https://*.example.com", False),
    Asking("https://" + "a" * 4000 + ".example.com", False),
    Asking("https://" + "-team" * 800 + ".vercel.app", False),
    Asking("null", False),
]


@one_test_per(ASKING)
class PatternTests(Stage):
    """Requests and preflights of pages whose origins only a pattern can name."""

    async def check(self, row):
        self.start(server={"cors_origins": PATTERNS})
        preflight = {"Access-Control-Request-Method": "POST"}
        for method, more, good in (("OPTIONS", preflight, 204), ("GET", {}, 405)):
            headers = {"Host": "a", "Origin": row.origin, **more}
            answer = await self.running.ask(method, "/api/v1/x", headers)
            self.assertEqual(answer.status, good if row.allowed else 403)
            allowed = answer.header("Access-Control-Allow-Origin")
            self.assertEqual(allowed, row.origin if row.allowed else None)
            self.assertEqual(answer.header("Vary"), "Origin")


ORIGINS = [
    Asking("", False),
    Asking("null", False),
    Asking("https://app.example.org", True),
    Asking("https://x.example.com", True),
    Asking("http://a", True),  # the server's own, by the Host that the test sends
    Asking("https://evil.example", False),
    Asking("https://app.example.org, https://app.example.org", False),
]


@one_test_per(ORIGINS)
class RequiredOriginTests(Stage):
    """``require_origin``: with a key or without one, by every method, a page has to be there."""

    async def check(self, row):
        self.start(server={"cors_origins": PATTERNS})
        base = {"target": self.upstream.origin, "methods": ["GET", "POST"], "require_origin": True}
        self.mount("/p", self.upstream, self.key, base)
        self.mount("/q", self.upstream, self.key, {**base, "forward_headers": None})
        for path in ("/api/v1/p/m", "/api/v1/q/m"):
            for method, body in (("GET", None), ("HEAD", None), ("POST", b"{}")):
                for origins in ([row.origin],) if row.origin else ([], [""]):
                    sent = [("Host", "a"), ("Content-Type", "application/json")]
                    sent += [("Origin", origin) for origin in origins]
                    answer = await self.running.ask(method, path, sent, body)
                    self.assertEqual(answer.status, 200 if row.allowed else 403)
                    if not row.allowed and method != "HEAD":
                        self.assertEqual(answer.json()["error"]["code"], "ORIGIN_NOT_ALLOWED")
        self.assertEqual(len(self.upstream.requests), 6 if row.allowed else 0)

    async def test_beside_it(self):
        """Neither a preflight nor another route nor /healthz asks for one."""
        self.start(server={"cors_origins": PATTERNS})
        base = {"target": self.upstream.origin, "require_origin": True}
        self.mount("/p", self.upstream, self.key, base)
        asked = {
            "Host": "a",
            "Origin": "https://app.example.org",
            "Access-Control-Request-Method": "POST",
        }
        answer = await self.running.ask("OPTIONS", "/api/v1/p/m", asked)
        self.assertEqual(answer.status, 204)
        (reply,) = await self.converse(self.request())
        self.assertEqual(reply.status, 200)
        answer = await self.running.ask("GET", "/healthz", {"Host": "a"})
        self.assertEqual(answer.status, 200)
        site = {"Host": "a", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        answer = await self.running.ask("POST", "/api/v1/p/m", site, b"{}")
        self.assertEqual(answer.status, 403)


class CallableTests(Stage):
    async def test_a_callable_injects_too(self):
        """Where only code knows what is injected, the route counts as one with a key."""
        self.start()
        asked = []

        def headers(request):
            asked.append(request)
            return {"Authorization": f"Bearer {self.key}"}

        route = {"target": f"{self.upstream.origin}/v1", "methods": ["GET"]}
        self.mount("/p", self.upstream, self.key, {**route, "forward_headers": headers})
        answer = await self.running.ask("GET", "/api/v1/p/m", {"Sec-Fetch-Site": "cross-site"})
        self.assertEqual((answer.status, asked, self.upstream.requests), (403, [], []))
