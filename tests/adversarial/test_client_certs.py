"""Mutual TLS: which certificate an upstream sees, and on whose connection."""

from pathlib import Path

from twisted.logger import formatEvent, globalLogPublisher

from naap_twisted.errors import ConfigError
from naap_twisted.testing import CLOSE, ScriptedUpstream
from tests.certs import Authority
from tests.integration.support import OK, IntegrationTestCase, response, until


class ClientCertCase(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.authority, self.clients = Authority(), Authority("the clients' authority")
        self.ca_file = self.write("ca.pem", self.authority.pem)
        self.lines = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def write(self, name, content, mode=0o600):
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def pair(self, name, authority=None, chain=b""):
        certificate, key = (authority or self.clients).client(name)
        return {
            "client_cert": self.write(f"{name}.pem", certificate + chain),
            "client_key": self.write(f"{name}.key", key),
        }

    def demanding(self, *steps):
        tls = self.authority.demanding("127.0.0.1", clients=self.clients)
        upstream = ScriptedUpstream(self, *(steps or (OK,)), tls=tls)
        self.names = []
        factory = upstream._port.factory.wrappedFactory
        build = factory.buildProtocol

        def noted(address):
            protocol = build(address)
            received = protocol.dataReceived

            def first(data):
                protocol.dataReceived = received
                peer = protocol.transport.getPeerCertificate()
                self.names.append(peer and peer.get_subject().CN)
                received(data)

            protocol.dataReceived = first
            return protocol

        factory.buildProtocol = noted
        return upstream

    def begin(self, *steps, **server):
        self.upstream = self.demanding(*steps)
        self.running = self.serve(ca_file=self.ca_file, **server)

    def route(self, path, **route):
        self.mount(path, target=self.upstream.origin, methods=("GET", "POST"), **route)

    async def ask(self, path, method="GET", body=None):
        headers = {} if body is None else {"Content-Type": "application/json"}
        return await self.running.ask(method, "/api/v1" + path, headers, body)


class HandshakeTests(ClientCertCase):
    async def test_shown(self):
        self.begin()
        self.route("/x", **self.pair("route.example"))
        self.assertEqual((await self.ask("/x")).status, 200)
        self.assertEqual(self.names, ["route.example"])

    async def test_the_servers(self):
        """The server's own is for routes that have none."""
        self.begin(**self.pair("server.example"))
        self.route("/x")
        self.route("/y", **self.pair("route.example"))
        for path in ("/x", "/y"):
            self.assertEqual((await self.ask(path)).status, 200)
        self.assertEqual(self.names, ["server.example", "route.example"])

    async def test_told(self):
        """What a route shows is told like a key: to the console, in a caution beyond loopback."""
        self.begin(listen=["tcp:0"], **self.pair("server.example"))
        self.route("/x", forward_headers=None, authorize="anyone")
        self.route("/y", authorize="anyone", **self.pair("route.example"))
        for mount, names in zip(
            self.running.server.routes(),
            (("(client certificate)",), ("Authorization", "(client certificate)")),
            strict=True,
        ):
            self.assertEqual(mount.proxy.injects, names)
        lines = [line for line in self.running.server.cautions() if "can spend the key" in line]
        self.assertEqual(len(lines), 2)

    async def test_a_chain(self):
        """The certificates behind the first one lead to the authority that the upstream knows."""
        between = self.clients.intermediate("between.example")
        self.begin()
        self.route("/x", **self.pair("route.example", between, between.pem))
        self.route("/y", **self.pair("short.example", between))
        self.assertEqual((await self.ask("/x")).status, 200)
        self.assertEqual((await self.ask("/y")).status, 502)

    async def test_none_and_a_wrong_one(self):
        """502, and a line that says what the upstream said of it."""
        self.begin()
        self.route("/x")
        self.route("/y", **self.pair("stranger.example", Authority("nobody knows")))
        for path, words in (("/x", "certificate required"), ("/y", "unknown ca")):
            for method, body in (("GET", None), ("POST", b"{}")):
                with self.subTest(path=path, method=method):
                    self.lines.clear()
                    answer = await self.ask(path, method, body)
                    self.assert_refused(answer, 502, "BAD_GATEWAY")
                    lines = [formatEvent(event) for event in self.lines]
                    self.assertTrue(any(words in line for line in lines), lines)
        self.assertEqual(self.upstream.requests, [])

    async def test_connections_are_not_shared(self):
        """Two routes to one origin, one after the other: each connection has its own name."""
        self.begin()
        self.route("/a", **self.pair("a.example"))
        self.route("/b", **self.pair("b.example"))
        for _ in range(2):
            for path in ("/a", "/b"):
                self.assertEqual((await self.ask(path)).status, 200)
        self.assertEqual(self.names, ["a.example", "b.example"])

    async def test_sessions_are_not_shared(self):
        """A resumed session speaks for who began it: each certificate has sessions of its own."""
        self.begin(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), CLOSE)
        self.route("/a", **self.pair("a.example"))
        self.route("/b", **self.pair("b.example"))
        for _ in range(3):
            for path in ("/a", "/b"):
                self.assertEqual((await self.ask(path)).status, 200)
        self.assertEqual(self.names, ["a.example", "b.example"] * 3)

    async def test_a_route_without_rides_on_no_connection_with(self):
        self.begin()
        self.route("/a", **self.pair("a.example"))
        self.route("/b")
        self.assertEqual((await self.ask("/a")).status, 200)
        self.assertEqual((await self.ask("/b")).status, 502)
        self.assertEqual(self.names, ["a.example"])

    async def test_redirects(self):
        """Another origin is not shown who is calling, on no connection of the same route either."""
        self.begin()
        other = self.upstream
        self.upstream = self.demanding(response(307, b"", f"Location: {other.origin}/"))
        self.mount(
            "/x",
            methods=("GET",),
            allowed_schemes=["https"],
            allowed_ports=[self.upstream.port, other.port],
            allowed_hosts=["127.0.0.1"],
            follow_redirects=True,
            **self.pair("route.example"),
        )
        for origin, status in ((other.origin, 200), (self.upstream.origin, 502)):
            headers = {"X-Target-URL": origin + "/"}
            answer = await self.running.ask("GET", "/api/v1/x", headers, None)
            self.assertEqual(answer.status, status)
        self.assertEqual(len(other.requests), 1)

    async def test_the_token_url(self):
        """A token URL may ask for it, too (RFC 8705)."""
        self.begin()
        token_url = self.demanding(response(200, b'{"access_token": "abcdefgh"}'))
        oauth2 = {"token_url": token_url.origin, "client_id": "me", "client_secret": "s3cret-of-it"}
        pair = self.pair("route.example")
        self.route("/x", forward_headers=None, oauth2=oauth2, **pair)
        self.assertEqual((await self.ask("/x")).status, 200)
        await until(lambda: len(token_url.requests) == 1)


class StartTests(ClientCertCase):
    def refused(self, words, **options):
        self.begin()
        with self.assertRaises(ConfigError) as caught:
            self.route("/x", **options)
        (line,) = caught.exception.problems
        self.assertIn(words, line)

    def test_half_a_pair(self):
        pair = self.pair("a.example")
        for name in pair:
            self.refused("set both", **{name: pair[name]})

    def test_another_key(self):
        pair, other = self.pair("a.example"), self.pair("b.example")
        self.refused("is not the key", **{**pair, "client_key": other["client_key"]})

    def test_a_passphrase(self):
        certificate, key = self.clients.client("a.example", b"passphrase")
        files = {
            "client_cert": self.write("a.pem", certificate),
            "client_key": self.write("a.key", key),
        }
        self.refused("passphrase", **files)

    def test_over_http(self):
        self.begin()
        with self.assertRaises(ConfigError) as caught:
            self.mount("/x", target="http://127.0.0.1:9/v1", **self.pair("a.example"))
        self.assertIn("over http", str(caught.exception))

    def test_an_open_key(self):
        pair = self.pair("a.example")
        Path(pair["client_key"]).chmod(0o640)
        self.refused("chmod 600", **pair)

    def test_no_pem(self):
        pair = self.pair("a.example")
        for name in pair:
            self.refused("PEM", **{**pair, name: self.write("text", b"no pem")})
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        self.refused("PEM", **{**pair, "client_cert": self.write("broken", broken)})
        broken = broken.replace(b"CERTIFICATE", b"PRIVATE KEY")
        self.refused("PEM", **{**pair, "client_key": self.write("broken", broken)})
        self.refused("cannot read", **{**pair, "client_cert": "no-such.pem"})

    def test_nothing_shows_the_key(self):
        self.begin(**self.pair("a.example"))
        self.assertNotIn("PRIVATE", repr(self.running.server.config))
        self.assertNotIn("PRIVATE", repr(self.running.server.config.upstream))
