"""deploy/haproxy and deploy/nginx: the real programs with the real files before a server.

Only addresses, ports and paths are others than an installation's.
"""

import shutil
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from naap_twisted.testing import PAUSE, RawClient
from tests.adversarial.peers import free_port
from tests.adversarial.process import Child
from tests.integration.certificates import Authority
from tests.integration.support import (
    CHUNKED,
    OK,
    PINNED,
    IntegrationTestCase,
    chunk,
    response,
    until,
)

from .support import filled

NAME = "proxy.example.org"
PIECES = (b"data: one\n\n", b": ping\n\n", b"data: two\n\n")


class FrontCase:
    """The tests, for both programs."""

    async def front(self, *steps, rate=100, eager=False, **server):
        """Start an upstream, a server and the program; gives what connects as another address."""
        program = shutil.which(self.program, path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            raise SkipTest(f"{self.program} is not installed (Debian: nginx-light, haproxy)")
        self.admin, self.port, plain = free_port(), free_port(), free_port()
        self.start(
            *steps,
            eager=eager,
            server={
                "listen": [self.listen],
                "admin_listen": f"tcp:{self.admin}:interface=127.0.0.1",
                "server_names": [NAME],
                "rate_limit": {"requests": rate, "window": "15m"},
                "https_redirect": True,
                **self.options,
                **server,
            },
        )
        self.mount(
            "/p",
            target=self.upstream.origin,
            content_type=["application/json", "application/octet-stream"],
            methods=["POST"],
        )
        self.plain = plain
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        folder.chmod(0o755)
        authority = Authority()
        key, certificate = authority.issue(NAME)
        (folder / "privkey.pem").write_bytes(key)
        (folder / "fullchain.pem").write_bytes(certificate)
        (folder / "certs").mkdir()
        (folder / "certs/both.pem").write_bytes(certificate + key)
        roots = trustRootFromCertificates([Certificate.loadPEM(authority.pem)])
        self.tls = optionsForClientTLS(NAME, trustRoot=roots)
        config = filled(self.file, folder, self.changes(folder))
        self.child = Child(self, [program, *self.arguments(config)], path=str(folder))
        await self.up()

    async def up(self):
        """Until the program listens."""
        for _ in range(200):
            try:
                await (await self.client()).stop()
            except ConnectError:
                assert not self.child.ended, self.child.output.decode()
                await deferLater(reactor, 0.05)
            else:
                return
        raise AssertionError(self.child.output.decode())

    async def client(self, address="127.0.0.1"):
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(address, 0))
        return await RawClient.over(self, wrapClientTLS(self.tls, endpoint))

    def headers_of(self, kind="application/json", **more):
        return {"Host": NAME, "Content-Type": kind, **more}

    async def status_for(self, address, **headers):
        client = await self.client(address)
        client.request("POST", PINNED, self.headers_of(**headers), b"{}")
        answer = await client.answer()
        await client.stop()
        return answer.status

    async def test_answers_piece_by_piece(self):
        """Each event is there before the upstream sends the next one."""
        one, ping, two = map(chunk, PIECES)
        head = response(200, b"", "Content-Type: text/event-stream", CHUNKED, length=False)
        await self.front(head, one, PAUSE, ping, PAUSE, two + chunk(b""))
        client = await self.client()
        client.request("POST", PINNED, self.headers_of(), b"{}")
        await client.read_until(b"\r\n\r\n")
        for piece in PIECES:
            size = int(await client.read_until(b"\r\n"), 16)
            self.assertEqual((await client.read(size + 2))[:-2], piece)
            self.upstream.release()

    async def test_bodies_piece_by_piece(self):
        """The upstream has the first piece of a body before the caller sends the second."""
        await self.front(OK)
        client = await self.client()
        kind = "application/octet-stream"
        client.request("POST", PINNED, self.headers_of(kind, **{"Content-Length": "10"}))
        client.send(b"first")
        await until(lambda: self.upstream.requests and self.upstream.requests[0].body == b"first")
        client.send(b"other")
        self.assertEqual((await client.answer()).status, 200)
        self.assertEqual(self.upstream.requests[0].body, b"firstother")

    async def test_address(self):
        """Callers are told apart by their address, and nobody can claim another one."""
        await self.front(OK, rate=1)
        found = [
            await self.status_for("127.0.0.2"),
            await self.status_for("127.0.0.2"),
            await self.status_for("127.0.0.2", **{"X-Forwarded-For": "127.0.0.9"}),
            await self.status_for("127.0.0.3"),
        ]
        self.assertEqual(found, [200, 429, 429, 200])

    async def test_plain(self):
        """http is sent to https, with method and body."""
        await self.front(OK)
        client = await RawClient.connect(self, self.plain)
        client.request("POST", PINNED, self.headers_of(), b"{}")
        answer = await client.answer()
        self.assertEqual(answer.status, 308)
        self.assertEqual(answer.header("Location"), f"https://{NAME}{PINNED}")


class HaproxyTests(FrontCase, IntegrationTestCase):
    program, file = "haproxy", "haproxy/haproxy.cfg"
    listen = "haproxy:tcp:0:interface=127.0.0.1"
    options = {}

    def changes(self, folder):
        return {
            # It takes two files a connection, and a test has not as many.
            "maxconn 20000": "maxconn 200",
            "bind :80": f"bind 127.0.0.1:{self.plain}",
            "bind :443": f"bind 127.0.0.1:{self.port}",
            "/etc/haproxy/certs/": f"{folder}/certs/",
            "10.0.0.11:4020": f"127.0.0.1:{self.running.port}",
            "    server naap2 10.0.0.12:4020\n": "",
            "check port 4021 inter 1s": f"check port {self.admin} inter 50ms",
        }

    def arguments(self, config):
        return ["-db", "-f", str(config)]

    async def test_lame_duck(self):
        """A server that is about to stop gets no more requests, while it still answers."""
        await self.front(OK, lame_duck=10.0)
        self.assertEqual(await self.status_for("127.0.0.1"), 200)
        asked = len(self.upstream.requests)
        ended = self.running.server.stopService()
        await until(lambda: b"Server naap/naap1 is DOWN" in self.child.output)
        self.assertEqual(await self.status_for("127.0.0.1"), 503)
        self.assertEqual(len(self.upstream.requests), asked)
        self.running.server.hurry()
        await ended


class NginxTests(FrontCase, IntegrationTestCase):
    program, file = "nginx", "nginx/nginx.conf"
    listen = "tcp:0:interface=127.0.0.1"
    options = {"trusted_proxies": ["127.0.0.1"]}

    def changes(self, folder):
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in places)
        return {
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "/etc/nginx/tls": str(folder),
            "10.0.0.11:4020": f"127.0.0.1:{self.running.port}",
            "        server 10.0.0.12:4020 max_fails=3 fail_timeout=5s;\n": "",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "server_tokens off;": f"server_tokens off; {temporary}",
        }

    def arguments(self, config):
        # One process, and no change of user: the test's own may not change it.
        return ["-c", str(config), "-e", "stderr", "-g", "daemon off; master_process off;"]
