"""The admin port over real sockets: what is on it, who is let in, how it ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.logger import capturedLogs

from naap_twisted import ConfigError
from naap_twisted.testing import RawClient, RunningServer

from .support import JSON, AdminTestCase, make


class Reader(Protocol):
    """Reads to the end."""

    def __init__(self):
        self.data = b""
        self.over = Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.over.callback(self.data)


class Places(AdminTestCase):
    async def test_on_no_public_port(self):
        """What the admin port has, the public one does not know."""
        running = self.start()
        for path in ("/readyz", "/metrics", "/console/setup", "/", "/page/console.js"):
            answer = await self.ask(path)
            self.assertEqual(answer.status, 200, path)
            self.assertEqual((await running.ask("GET", path)).status, 404, path)
        self.assertEqual((await self.ask("/nowhere")).json()["error"]["code"], "NOT_FOUND")
        self.assertEqual((await self.ask("/api/v1/x")).status, 404)

    async def test_start_line(self):
        """The line that names the addresses names it, too; without one it says nothing."""
        for listen in ("tcp:0:interface=127.0.0.1", ""):
            server = make(admin_listen=listen)
            with capturedLogs() as logs:
                RunningServer(self, server)
            (event,) = [event for event in logs if "routes" in event]
            line = event["log_format"].format(**event)
            self.assertEqual("; admin: http://127.0.0.1:" in line, bool(listen), line)
            self.assertEqual(bool(server.admin_address), bool(listen))

    async def test_remote(self):
        """Open to other machines it is only if that is written out, and then said loudly."""
        for listen, remote, warned in (
            ("tcp:0:interface=127.0.0.1", True, 0),
            ("tcp:0:interface=0.0.0.0", True, 1),
        ):
            with capturedLogs() as logs:
                self.start(admin_listen=listen, admin_remote=remote)
            said = [event for event in logs if "without a password" in event.get("log_format", "")]
            self.assertEqual(len(said), warned)
            # The connection comes in on loopback, as the end of a tunnel does.
            self.assertEqual((await self.ask("/console/setup")).status, 200)

    async def test_page(self):
        """The console's page may call its own port and the proxy's listeners, and no other."""
        running = self.start()
        policy = (await self.ask("/")).header("content-security-policy")
        self.assertIn(f"connect-src 'self' {running.url};", policy)

    async def test_unix_socket(self):
        """A UNIX socket is local, and Host: localhost is what curl sends to it."""
        folder = tempfile.mkdtemp(prefix="naap_admin_")
        self.addCleanup(shutil.rmtree, folder, True)
        path = Path(folder) / "admin"
        server = make(admin_listen=f"unix:{path}:mode=600")
        RunningServer(self, server)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        for asked, found in (("/readyz", b'"ready"'), ("/console/setup", b'"watched"')):
            reader = Reader()
            await connectProtocol(UNIXClientEndpoint(reactor, str(path)), reader)
            head = f"GET {asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            reader.transport.write(head.encode())
            self.assertIn(found, await reader.over)

    async def test_taken(self):
        """A port that is taken ends the start."""
        self.start()
        server = make(admin_listen=f"tcp:{self.port}:interface=127.0.0.1")
        self.assertRaises(CannotListenError, server.startService)

    async def test_refused_at_start(self):
        """Open to others without saying so, or public: no server is made."""
        for options, said in (
            ({"admin_listen": "tcp:9:interface=0.0.0.0"}, "admin_remote = true"),
            ({"admin_listen": "tcp:9"}, "admin_remote = true"),
            ({"admin_listen": "tcp:9:interface=127.0.0.1", "port": 9}, "a port of its own"),
            ({"admin_listen": "nine"}, "is not an endpoint"),
        ):
            error = self.assertRaises(ConfigError, lambda options=options: make(**options))
            self.assertIn(said, str(error))
            self.assertTrue(str(error).startswith("admin_listen: "), error)
        make(admin_listen="tcp:9", admin_remote=True)


class Callers(AdminTestCase):
    async def test_rebinding(self):
        """A page whose name was made to point here sends its own name, and is let in nowhere."""
        self.start()
        for path in ("/readyz", "/metrics", "/console/setup", "/"):
            for host in ("evil.example", f"evil.example:{self.port}", "localhost.evil.example"):
                answer = await self.ask(path, {"Host": host})
                self.assertEqual((answer.status, path), (421, path))
            for host in ("localhost", f"127.0.0.1:{self.port}", "[::1]:1", "LocalHost:9999"):
                self.assertEqual((await self.ask(path, {"Host": host})).status, 200, host)

    async def test_names(self):
        """A name of the server's own is fine."""
        self.start(server_names=["api.example.org"])
        self.assertEqual((await self.ask("/metrics", {"Host": "api.example.org:1"})).status, 200)

    async def test_methods(self):
        """Nothing but the console's question is posted."""
        self.start()
        for path in ("/readyz", "/metrics"):
            self.assertEqual((await self.ask(path, method="HEAD")).status, 200)
            for method in ("POST", "DELETE", "OPTIONS"):
                answer = await self.ask(path, body=b"x", method=method)
                self.assertEqual((answer.status, answer.header("allow")), (405, "GET, HEAD"))
        self.assertEqual((await self.ask("/", body=b"{}", method="POST")).status, 405)

    async def test_body_bound(self):
        """A body over the bound is refused from its declared length, wherever it goes."""
        self.start()
        for path in ("/", "/console/explain"):
            head = {**JSON, "Content-Length": str(64 * 1024 + 1)}
            answer = await self.ask(path, head, method="POST")
            self.assertEqual(answer.status, 413, path)


class Ending(AdminTestCase):
    async def test_draining(self):
        """While the rest drains it is there and says 503; then it is gone."""
        running = self.start()
        begun, answer = Deferred(), Deferred()

        @self.server.router.route("/slow")
        def slow(request):
            begun.callback(None)
            return answer

        browser = await running.client()
        browser.request("GET", "/api/v1/slow")
        await begun
        self.assertEqual((await self.ask("/readyz")).status, 200)
        stopped = maybeDeferred(self.server.stopService)
        said = await self.ask("/readyz")
        self.assertEqual(said.status, 503)
        self.assertEqual(said.json()["status"], "not ready")
        self.assertEqual(said.json()["failing"], ["server", "listeners"])
        self.assertEqual(said.json()["checks"]["server"], "draining")
        answer.callback(b"late")
        self.assertEqual((await browser.answer()).body, b"late")
        await stopped
        with self.assertRaises(ConnectionRefusedError):
            await RawClient.connect(self, self.port)
        self.assertEqual(self.server.admin_address, "")

    async def test_again(self):
        """A server that was stopped can be started again: it is ready, and answers."""
        self.start()
        await self.server.stopService()
        again = RunningServer(self, self.server)
        self.port = urlsplit(self.server.admin_address).port
        self.assertEqual((await self.ask("/readyz")).status, 200)
        headers = {**JSON, "X-Target-URL": "https://evil.com"}
        self.assertEqual((await again.ask("POST", "/api/v1/x", headers, b"{}")).status, 400)
