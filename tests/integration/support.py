"""The stage of the integration tests: scripted upstream, proxy with a canary key, raw client."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.testing import RunningServer, ScriptedUpstream, StaticResolver
from naap_twisted.upstream.client import UpstreamClient

from .canary import AUTHORIZATION, CANARY, Canary

PATH = "/api/v1/x"
PINNED = "/api/v1/p"
ORIGIN = "http://localhost:3000"


def response(status=200, body=b"", *lines, length=True):
    """A response's bytes; *lines* are further header lines."""
    head = [f"HTTP/1.1 {status} Whatever", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


OK = response(200, b'{"ok":1}', "Content-Type: application/json")
CHUNKED = "Transfer-Encoding: chunked"


def chunk(data):
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def until(condition, seconds=5.0):
    """Look again and again: not everything tells when it changes."""
    due = reactor.seconds() + seconds
    while not condition():
        if reactor.seconds() > due:
            raise AssertionError("it never came true")
        await deferLater(reactor, 0.02)


class IntegrationTestCase(TestCase):
    """Starts things, cleans up, and lets the canary speak last.

    :ivar upstream: the scripted upstream of :meth:`start`.
    :ivar running: its server.
    """

    timeout = 20

    def setUp(self):
        self.canary = Canary()
        self.canary.start()
        self.keyless = []
        self.addCleanup(self._check_canary)

    def _check_canary(self):
        self.canary.stop()
        self.assertEqual(self.canary.leaks, [])
        for upstream in self.keyless:
            for received in upstream.requests:
                self.assertNotIn(CANARY.encode(), received.raw)

    def serve(self, tls=None, **options):
        """A running server without routes."""
        settings = {
            "require_auth": False,
            "rate_limit": None,
            "allow_networks": ["127.0.0.1/32"],
            "drain_timeout": 2.0,
            "port": 0,
            **options,
        }
        server = create_plugin_server("integration", **settings)
        self.canary.watch(server)
        return RunningServer(self, server, tls=tls)

    def stranger(self, *steps):
        """An upstream that must never see the key."""
        upstream = ScriptedUpstream(self, *steps)
        self.keyless.append(upstream)
        return upstream

    def start(self, *steps, server=None, eager=False, **route):
        """Upstream, server, and a proxy at PATH that may reach only this upstream."""
        self.upstream = ScriptedUpstream(self, *steps, eager=eager)
        self.running = self.serve(**(server or {}))
        return self.mount("/x", **route)

    def mount(self, path, **route):
        """A proxy with the canary for its key."""
        if "target" not in route:
            route = {
                "allowed_hosts": ["127.0.0.1"],
                "allowed_schemes": ["http"],
                "allowed_ports": [self.upstream.port],
                **route,
            }
        # Tests let upstreams fail again and again; test_circuits has what comes of that.
        usual = {"forward_headers": {"Authorization": AUTHORIZATION}, "circuit_breaker": False}
        options = {**usual, **route}
        proxy = create_external_proxy(**options)
        self.running.server.mount(path, proxy)
        return proxy

    def way_out(self, hosts, ca_file=""):
        """An upstream client whose names come from a table."""
        client = UpstreamClient(reactor, resolver=StaticResolver(hosts), ca_file=ca_file)

        def stop():
            client.ticker.stop()
            return client.close()

        self.addCleanup(stop)
        return client

    def headers(self, **more):
        """What a page sends; a ``None`` takes a default away, ``_`` stands for ``-``."""
        found = {
            "Content-Type": "application/json",
            "X-Target-URL": self.upstream.origin + "/v1/chat?q=1",
            "Origin": ORIGIN,
        }
        for name, value in more.items():
            name = name.replace("_", "-")
            name = next((known for known in found if known.lower() == name.lower()), name)
            found[name] = value
        return {name: value for name, value in found.items() if value is not None}

    async def post(self, body=b"{}", method="POST", path=PATH, **headers):
        """One request of a page, whole answer."""
        return await self.running.ask(method, path, self.headers(**headers), body)

    def assert_refused(self, answer, status, code, message=None, kind=None):
        """The contract's envelope: status, shape, and headers that let a page read it."""
        self.assertEqual(answer.status, status, answer.body)
        document = answer.json()
        self.assertEqual(set(document), {"success", "error"})
        self.assertIs(document["success"], False)
        error = document["error"]
        self.assertEqual(set(error), {"message", "code", "type", "param"})
        self.assertEqual((error["code"], error["param"]), (code, None))
        if message is not None:
            self.assertEqual(error["message"], message)
        if kind is not None:
            self.assertEqual(error["type"], kind)
        self.assertEqual(answer.header("Content-Type"), "application/json")
        self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual(answer.header("Cache-Control"), "no-store")
        self.assertRegex(answer.header("X-Request-ID") or "", r"^[0-9a-f]{32}$")
        self.assertTrue(answer.complete)
        return error["message"]

    def assert_readable(self, answer, origin="*"):
        """A page may read the answer and its request id."""
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), origin)
        self.assertIn("X-Request-ID", answer.header("Access-Control-Expose-Headers"))


class RefusalTestCase(IntegrationTestCase):
    async def refused(self, status, code, message=None, kind=None, **request):
        """The answer is that row of the table, a page may read it, no upstream was asked."""
        answer = await self.post(**request)
        self.assert_refused(answer, status, code, message, kind)
        self.assert_readable(answer)
        self.assertEqual(self.upstream.connections, 0)
        return answer
