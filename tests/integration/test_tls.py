"""Real handshakes, on both sides."""

import re
import shutil
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.utils import getProcessOutputAndValue

from naap_twisted.server.ports import check_tls
from naap_twisted.testing import RawClient, ScriptedUpstream

from .canary import AUTHORIZATION
from .certificates import Authority
from .support import OK, PATH, IntegrationTestCase


class TlsTestCase(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority()

    def file(self, data):
        """A new file's name."""
        path = Path(self.mktemp())
        path.write_bytes(data)
        path.chmod(0o600)
        return str(path)

    def serve_tls(self, **options):
        """A server behind an ``ssl:`` endpoint, for ``localhost``."""
        key, certificate = map(self.file, self.authority.issue("localhost"))
        listen = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        tls = self.authority.client_options("localhost")
        self.running = self.serve(tls=tls, listen=[listen], **options)


class BrowserSideTests(TlsTestCase):
    async def test_a_request_over_tls(self):
        self.serve_tls()
        self.upstream = ScriptedUpstream(self, OK)
        self.mount("/x")
        self.assertTrue(self.running.url.startswith("https://"))
        client = await self.running.client()
        for _ in range(2):
            client.request("POST", PATH, self.headers(), b"{}")
            self.assertEqual((await client.answer("POST")).body, b'{"ok":1}')

    async def test_a_client_that_does_not_trust_us_gets_nothing(self):
        self.serve_tls()
        tls = optionsForClientTLS("localhost")
        client = await RawClient.connect(self, self.running.port, tls=tls)
        client.request("GET", "/healthz")
        self.assertEqual(await client.read_to_end(), b"")
        self.assertFalse(client.clean)

    async def test_plain_http_on_the_tls_port_gets_nothing(self):
        self.serve_tls()
        client = await RawClient.connect(self, self.running.port)
        client.request("GET", "/healthz")
        self.assertNotIn(b"HTTP/1.1", await client.read_to_end())

    async def test_a_leaving_browser_ends_the_upstream(self):
        self.serve_tls()
        self.upstream = ScriptedUpstream(self)
        self.mount("/x")
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await self.upstream.until(lambda: self.upstream.requests)
        client.abort()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)


class ChainTests(TlsTestCase):
    """Clients that know the root and no intermediate certificate, as curl and most SDKs."""

    def setUp(self):
        super().setUp()
        self.middle = self.authority.below("Test middle")
        self.issuing = self.middle.below("Test issuing")
        self.key, self.leaf = self.issuing.issue("localhost")
        self.chain = self.issuing.pem + self.middle.pem

    def serve_files(self, **files):
        """A server whose ``ssl:`` endpoint names *files*, contents by argument."""
        arguments = ":".join(f"{name}={self.file(data)}" for name, data in files.items())
        tls = self.authority.client_options("localhost")
        self.running = self.serve(tls=tls, listen=[f"ssl:0:interface=127.0.0.1:{arguments}"])

    async def sent(self):
        """The subjects that ``openssl s_client`` sees, having verified them from the root."""
        port = self.running.port
        options = ["-CAfile", self.file(self.authority.pem), "-verify_return_error", "-showcerts"]
        done = await getProcessOutputAndValue(
            shutil.which("openssl"),
            ["s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", *options],
            stdinBytes=b"",
        )
        out, err, code = done
        self.assertEqual(code, 0, err)
        self.assertIn(b"Verify return code: 0 (ok)", out)
        return re.findall(rb"^ *\d s:.*CN ?= ?(.+)$", out, re.MULTILINE)

    CASES = (
        ("as certbot writes it", ("privateKey",), ("certKey",), ()),
        ("apart, as Twisted has it", ("privateKey",), ("certKey leaf",), ("extraCertChain",)),
        ("both: no certificate twice", ("privateKey",), ("certKey",), ("extraCertChain",)),
        ("all in one file", ("privateKey all",), (), ()),
    )

    def files_of(self, case):
        """Contents by argument."""
        contents = {
            "privateKey": self.key,
            "privateKey all": self.key + self.leaf + self.chain,
            "certKey": self.leaf + self.chain,
            "certKey leaf": self.leaf,
            "extraCertChain": self.chain,
        }
        _, *groups = case
        return {name.split()[0]: contents[name] for group in groups for name in group}

    async def test_whole_chain(self):
        """Leaf first, then each of the others once, up to the root, which clients have."""
        for case in self.CASES:
            with self.subTest(case=case[0]):
                self.serve_files(**self.files_of(case))
                answer = await self.running.ask("GET", "/healthz")
                self.assertEqual(answer.status, 200)
                if shutil.which("openssl"):
                    names = await self.sent()
                    self.assertEqual(names, [b"Test leaf", b"Test issuing", b"Test middle"])

    async def test_leaf_alone(self):
        """What this guards against: a file without the chain is refused by such a client."""
        self.serve_files(privateKey=self.key, certKey=self.leaf)
        client = await self.running.client()
        client.request("GET", "/healthz")
        self.assertEqual(await client.read_to_end(), b"")

    def test_not_the_pair(self):
        """A chain in another order, or of another key, is refused at the start."""
        for files in (
            {"privateKey": self.key, "certKey": self.chain + self.leaf},
            {"privateKey": self.key, "certKey": self.leaf + self.middle.pem[:-60]},
            {"privateKey": self.key, "certKey": b""},
        ):
            arguments = ":".join(f"{name}={self.file(data)}" for name, data in files.items())
            with self.assertRaises(ValueError) as caught:
                check_tls(f"ssl:0:interface=127.0.0.1:{arguments}")
            self.assertIn("are no PEM private key", str(caught.exception))


class RedirectTests(TlsTestCase):
    OPTIONS = {"https_redirect": True, "hsts": 31536000.0, "server_names": ["api.example.com"]}

    async def test_plain_http_is_sent_to_https(self):
        """GET by 301; POST by 308, which keeps method and body; never HSTS over plain http."""
        self.start(server=self.OPTIONS)
        for method, status in (("GET", 301), ("POST", 308)):
            answer = await self.running.ask(
                method, PATH + "?a=b", {"Host": "api.example.com:4020"}, b"{}"
            )
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("Location"), f"https://api.example.com{PATH}?a=b")
            self.assertIsNone(answer.header("Strict-Transport-Security"))
        self.assertEqual(self.upstream.connections, 0)

    async def test_https_says_that_it_stays_so(self):
        self.serve_tls(**self.OPTIONS)
        answer = await self.running.ask("GET", "/healthz")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Strict-Transport-Security"), "max-age=31536000")


class UpstreamSideTests(TlsTestCase):
    def start_tls(self, name, *names, days=1, trusted=True):
        """A route to ``https://<name>`` where a server listens whose certificate is for *names*."""
        options = self.authority.server_options(*names, days=days)
        self.upstream = ScriptedUpstream(self, OK, tls=options)
        ca_file = self.file(self.authority.pem) if trusted else ""
        self.running = self.serve(ca_file=ca_file)
        more = {}
        if not name[0].isdigit():
            more["upstream"] = self.way_out({name: "127.0.0.1"}, ca_file)
        self.mount("/x", allowed_hosts=[name], allowed_schemes=["https"], **more)
        self.url = f"https://{name}:{self.upstream.port}/v1"

    async def test_verified_by_name(self):
        self.start_tls("api.example.com", "api.example.com")
        self.assertEqual((await self.post(X_Target_URL=self.url)).status, 200)
        (received,) = self.upstream.requests
        self.assertEqual(received.values("Authorization"), [AUTHORIZATION.encode()])
        self.assertEqual(received.values("Host"), [self.url[8:-3].encode()])

    async def test_verified_by_address(self):
        """With the server's own way out, and its ``ca_file``."""
        self.start_tls("127.0.0.1", "127.0.0.1")
        self.assertEqual((await self.post(X_Target_URL=self.url)).status, 200)

    async def test_what_does_not_verify_is_not_spoken_to(self):
        """Wrong name, address for name, expired, unknown authority: 502, and no request."""
        for name, names, options in (
            ("api.example.com", ["other.example.com"], {}),
            ("api.example.com", ["*.api.example.com"], {}),
            ("api.example.com", ["127.0.0.1"], {}),
            ("127.0.0.1", ["api.example.com"], {}),
            ("api.example.com", ["api.example.com"], {"days": -1}),
            ("api.example.com", ["api.example.com"], {"trusted": False}),
        ):
            self.start_tls(name, *names, **options)
            answer = await self.post(X_Target_URL=self.url)
            self.assert_refused(answer, 502, "BAD_GATEWAY", "External proxy failed")
            self.assertEqual(self.upstream.requests, [])
            self.flushLoggedErrors(SSL.Error, ConnectionLost)
