"""The server behind other people's proxies, as they come, and behind bytes that only look so."""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve, frozen
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.trial.unittest import SkipTest

from naap_twisted.framing.proxy_protocol import MOST_V1, MOST_V2
from naap_twisted.testing import RawClient
from tests.integration.certificates import Authority
from tests.test_docs import operations

from . import peers
from .oracle import Stage, one_test_per

# The lines of docs/operations.md, word for word; the tests' own nginx has the others.
_FORWARDED = "".join(
    f"{line.strip()}\n"
    for line in operations("nginx-example").splitlines()
    if line.startswith("    ") and not re.match(r" *proxy_(pass|http_version) ", line)
)
_SERVER_LINE = operations("haproxy-example").split()[-1]
NAMES = {"server_names": ["a"], "rate_limit": {"requests": 3, "window": 60.0}}
ASK = {"Host": "a", "Connection": "close"}
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def installed(port):
    """*port*, or a skipped test."""
    if port is None:
        raise SkipTest("not installed (Debian: nginx-light, haproxy)")
    return port


class FrontStage(Stage):
    """A server with one endpoint for a front, beside one on TCP for the test itself."""

    def begin(self, endpoint, **server):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.socket = f"{folder}/naap.sock"
        self.front_port = peers.free_port()
        endpoint = endpoint.format(path=self.socket, port=self.front_port)
        listen = ["tcp:0:interface=127.0.0.1", endpoint]
        self.start(server={"listen": listen, **NAMES, **server})
        self.clients = []
        self.running.server.router.route("/who")(self._who)

    def _who(self, request):
        """A stock Klein handler that tells what it sees."""
        self.clients.append((request.record.client, request.isSecure()))
        return b"you"

    def said(self):
        """The lines of the log about a proxy that is not trusted."""
        return [line for line in self.logged if "trusted_proxies = " in line]

    async def get(self, port, headers=None, path="/api/v1/who", tls=None):
        client = await RawClient.connect(self, port, tls=tls)
        client.request("GET", path, {**ASK, **(headers or {})})
        answer = await client.answer()
        await client.stop()
        return answer

    async def on_socket(self, headers=None):
        """The answer to one who connects to the UNIX socket."""
        client = await RawClient.over(self, UNIXClientEndpoint(reactor, self.socket))
        client.request("GET", "/api/v1/who", {**ASK, **(headers or {})})
        answer = await client.answer()
        await client.stop()
        return answer


class UnixTests(FrontStage):
    """A ``unix:`` endpoint: nobody who connects to it has an address."""

    async def test_trusted(self):
        """Each caller has a bucket of its own, and https is theirs."""
        self.begin("unix:{path}", trusted_proxies=["unix"], https_redirect=True)
        told = {"X-Forwarded-Proto": "https"}
        for number in range(5):
            answer = await self.on_socket({**told, "X-Forwarded-For": f"192.0.2.{number}"})
            self.assertEqual(answer.status, 200)
        self.assertEqual([client for client, _ in self.clients], [f"192.0.2.{n}" for n in range(5)])
        answer = await self.on_socket({"X-Forwarded-For": "192.0.2.9"})
        self.assertEqual((answer.status, answer.header("Location")), (301, "https://a/api/v1/who"))
        self.assertEqual(self.said(), [])

    async def test_not_trusted(self):
        """All share one bucket, and one line says how not to."""
        self.begin("unix:{path}")
        statuses = [
            (await self.on_socket({"X-Forwarded-For": f"192.0.2.{number}"})).status
            for number in range(5)
        ]
        self.assertEqual(statuses, [200, 200, 200, 429, 429])
        self.assertEqual({client for client, _ in self.clients}, {"unix"})
        (line,) = self.said()
        self.assertIn('trusted_proxies = ["unix"]', line)

    async def test_a_peer_over_tcp_is_no_socket(self):
        """Trust in the socket is none in an address, and the other way round."""
        self.begin("unix:{path}", trusted_proxies=["unix"])
        await self.get(self.running.port, {"X-Forwarded-For": "192.0.2.1"})
        self.assertEqual(self.clients, [("127.0.0.1", False)])
        (line,) = self.said()
        self.assertIn('trusted_proxies = ["unix", "127.0.0.1"]', line)

    async def test_no_bound_for_a_trusted_socket(self):
        """Many connections of one proxy, where one address may have only two."""
        for trusted, expected in ((["unix"], 4), ([], 2)):
            self.begin("unix:{path}", trusted_proxies=trusted, connections_per_address=2)
            clients = []
            for _ in range(4):
                client = await RawClient.over(self, UNIXClientEndpoint(reactor, self.socket))
                client.request("GET", "/healthz", {"Host": "a"})
                clients.append(client)
            served = 0
            for client in clients:
                await client.until(lambda client=client: client.buffer or client.closed)
                served += bool(client.buffer)
                await client.stop()
            self.assertEqual(served, expected)


class NginxTests(FrontStage):
    """nginx before a ``unix:`` endpoint."""

    async def front(self, proto):
        return installed(await peers.nginx(self, self.socket, _FORWARDED.replace("$scheme", proto)))

    async def test_trusted(self):
        """Its callers are told apart by X-Forwarded-For, and not by the page's own."""
        self.begin("unix:{path}", trusted_proxies=["unix"], https_redirect=True)
        port = await self.front("https")
        answer = await self.get(port, {"X-Forwarded-For": "198.51.100.9"})
        self.assertEqual((answer.status, answer.body), (200, b"you"))
        self.assertEqual(self.clients, [("127.0.0.1", False)])

    async def test_large_body(self):
        """By the documented lines this server refuses it, in words a page can read, not nginx."""
        for more, code in ((_FORWARDED, b"BODY_TOO_LARGE"), ("", b"nginx")):
            self.begin("unix:{path}", trusted_proxies=["unix"])
            port = installed(await peers.nginx(self, self.socket, more))
            client = await RawClient.connect(self, port)
            client.request("POST", "/api/v1/who", ASK, b"x" * (2 * 1024 * 1024))
            answer = await client.answer()
            self.assertEqual(answer.status, 413)
            self.assertIn(code, answer.body)
            await client.stop()

    async def test_no_loop(self):
        """https_redirect redirects what came over http, and nothing else."""
        self.begin("unix:{path}", trusted_proxies=["unix"], https_redirect=True)
        answer = await self.get(await self.front("$scheme"))
        self.assertEqual((answer.status, answer.header("Location")), (301, "https://a/api/v1/who"))
        self.assertEqual(self.clients, [])

    async def test_not_trusted(self):
        """The loop that a missing line makes is said in the log with the line."""
        self.begin("unix:{path}", https_redirect=True)
        self.assertEqual((await self.get(await self.front("https"))).status, 301)
        (line,) = self.said()
        self.assertIn('trusted_proxies = ["unix"]', line)

    async def test_over_tcp(self):
        """The same before a port: the line names nginx's address, once."""
        self.begin("unix:{path}")
        echo = SimpleNamespace(port=self.running.port)
        more = _FORWARDED.replace("$scheme", "https")
        port = installed(await peers.nginx(self, echo, more))
        for _ in range(3):
            await self.get(port)
        (line,) = self.said()
        self.assertIn('trusted_proxies = ["127.0.0.1"]', line)


class HaproxyTests(FrontStage):
    """haproxy with the PROXY protocol."""

    async def front(self, endpoint, how, **options):
        self.begin(endpoint)
        unix = "unix:" in endpoint
        echo = self.socket if unix else SimpleNamespace(port=self.front_port)
        return installed(await peers.haproxy(self, echo, how=how, **options))

    async def test_addresses(self):
        """Each version, before each kind of endpoint: the client is haproxy's client."""
        for endpoint in (
            "haproxy:tcp:{port}:interface=127.0.0.1",
            "haproxy:unix:{path}",
        ):
            for how in ("send-proxy", "send-proxy-v2", "send-proxy-v2 check inter 100ms"):
                port = await self.front(endpoint, how)
                client = await RawClient.connect(self, port)
                for _ in range(2):
                    client.request("GET", "/api/v1/who", {"Host": "a"})
                    self.assertEqual((await client.answer()).body, b"you", (endpoint, how))
                await client.stop()
                self.assertEqual(self.clients, [("127.0.0.1", False)] * 2)
                self.assertEqual(self.said(), [])

    async def test_told_apart(self):
        """Two clients of one haproxy have two buckets: what it says counts, not who it is."""
        port = await self.front("haproxy:unix:{path}", "send-proxy-v2")
        statuses = [(await self.get(port)).status for _ in range(4)]
        self.assertEqual(statuses, [200, 200, 200, 429])
        there = TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=("127.0.0.2", 0))
        other = await RawClient.over(self, there)
        other.request("GET", "/api/v1/who", ASK)
        self.assertEqual((await other.answer()).status, 200)
        self.assertEqual(self.clients[-1], ("127.0.0.2", False))

    async def test_tls(self):
        """``send-proxy-v2-ssl`` tells of https, so that https_redirect does not loop."""
        authority = Authority()
        pem = Path(self.mktemp()).resolve()
        pem.write_bytes(b"".join(authority.issue("localhost")))
        pem.chmod(0o600)
        for how, status in ((_SERVER_LINE, 200), ("send-proxy-v2", 301)):
            self.begin("haproxy:unix:{path}", https_redirect=True)
            tls = f" ssl crt {pem}"
            port = await peers.haproxy(self, self.socket, how=how, tls=tls)
            tls = authority.client_options("localhost")
            self.assertEqual((await self.get(installed(port), tls=tls)).status, status)
            if status == 200:
                self.assertEqual(self.clients, [("127.0.0.1", True)])

    async def test_without(self):
        """A haproxy that does not speak it gets nothing, and the log says why."""
        port = await self.front("haproxy:unix:{path}", "")
        self.assertEqual((await self.get(port)).status, 502)
        self.assertTrue(any("no PROXY header" in line for line in self.logged))
        self.assertEqual(self.clients, [])


@frozen
class Spoken:
    """Bytes to a ``haproxy:`` endpoint.

    :ivar client: whom the request is counted to; ``""``: the connection is closed.
    """

    name: str
    raw: bytes
    client: str = ""
    secure: bool = False


def v2(rest, command=0x21, family=0x11, length=None):
    size = len(rest) if length is None else length
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", size) + rest


V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + b"\xdc\x04\x01\xbb"
SPOKEN = [
    Spoken("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "192.0.2.7"),
    Spoken("v1 over IPv6", b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "2001:db8::7"),
    Spoken("v1 unknown", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    Spoken("v2", v2(V4), "192.0.2.7"),
    Spoken("v2 of the front itself", v2(b"", 0x20), "127.0.0.1"),
    Spoken("v2 with TLS", v2(V4 + b"\x20\x00\x05\x01\0\0\0\0"), "192.0.2.7", True),
    Spoken("v2 with unknown additions", v2(V4 + b"\xee\x00\x03abc"), "192.0.2.7"),
    Spoken("no header", b""),
    Spoken("TLS", b"\x16\x03\x01\x02\x00\x01\x00"),
    Spoken("two headers", b"PROXY UNKNOWN\r\n" * 2),
    Spoken("a name for an address", b"PROXY TCP4 localhost 198.51.100.1 1 2\r\n"),
    Spoken("an address for a name", b"PROXY TCP4 " + b"9" * 4000),
    Spoken("half a line for ever", b"PROXY TCP4 192.0.2.7 " + b"1" * MOST_V1),
    Spoken("megabytes", b"PROXY UNKNOWN " + b"x" * 4_000_000),
    Spoken("64 kB of version 2", v2(b"\0" * 65535)),
    Spoken("one byte too many", v2(b"\0" * (MOST_V2 - 15))),
    Spoken("an addition that is cut", v2(V4 + b"\x20\xff\xff")),
    Spoken("too short for addresses", v2(V4[:5])),
    Spoken("another version", v2(V4, 0x31)),
    Spoken("bytes that are no text", b"PROXY TCP4 \xff\xff\xff\xff 1 1 1\r\n"),
    Spoken("newlines alone", b"\n" * 64),
]


@one_test_per(SPOKEN)
class SpokenTests(FrontStage):
    """Raw bytes: in one packet, and in pieces."""

    async def check(self, row):
        self.begin("haproxy:tcp:{port}:interface=127.0.0.1")
        ask = b"GET /api/v1/who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        small = len(row.raw) < 500
        for pieces in ([row.raw + ask], *([row.raw[:9], row.raw[9:] + ask],) * small):
            client = await RawClient.connect(self, self.front_port)
            for piece in pieces:
                client.send(piece)
            answer = await client.read_to_end()
            self.assertEqual(b" 200 OK" in answer, bool(row.client), row.name)
            if row.name != "two headers":
                self.assertEqual(bool(answer), bool(row.client), "nothing is said to a stranger")
        expected = [(row.client, row.secure)] if row.client else []
        self.assertEqual([*dict.fromkeys(self.clients)], expected)
        await self.judge(sent=0)


class PatienceTests(FrontStage):
    """Who says nothing."""

    async def test_silence(self):
        """Is closed at the deadline of a request's head, and held for nothing until then."""
        self.begin("haproxy:tcp:{port}:interface=127.0.0.1")
        site = self.running.server.site()
        site.limits = evolve(site.limits, head_timeout=0.3)
        silent = await RawClient.connect(self, self.front_port)
        slow = await RawClient.connect(self, self.front_port)
        slow.send(b"PROXY TCP4 192.0")
        await self.until(lambda: len(site.waiting) == 2, "both wait")
        await silent.read_to_end()
        await slow.read_to_end()
        self.assertEqual(len(site.waiting), 0)
        await self.judge(sent=0)

    async def test_the_end(self):
        """A server that stops waits for nobody who has said nothing."""
        self.begin("haproxy:tcp:{port}:interface=127.0.0.1")
        silent = await RawClient.connect(self, self.front_port)
        site = self.running.server.site()
        await self.until(lambda: len(site.waiting) == 1, "it waits")
        await self.running.server.stopService()
        await silent.read_to_end()
        self.assertEqual((len(site.waiting), len(site.ticker)), (0, 0))

    async def test_bound_of_clients(self):
        """A client's connections count as its own, whoever brings them."""
        self.begin("haproxy:tcp:{port}:interface=127.0.0.1", connections_per_address=2)
        kept = []
        for address, served in ((7, True), (7, True), (7, False), (8, True)):
            client = await RawClient.connect(self, self.front_port)
            client.send(b"PROXY TCP4 192.0.2.%d 198.51.100.1 1 2\r\n" % address)
            client.request("GET", "/healthz", {"Host": "a"})
            await client.until(lambda client=client: client.buffer or client.closed)
            self.assertEqual(bool(client.buffer), served)
            kept.append(client)
        for client in kept:
            await client.stop()

    async def test_no_bound_for_a_trusted_client(self):
        """A proxy before the front, such as a content network's, may have any number."""
        self.begin(
            "haproxy:tcp:{port}:interface=127.0.0.1",
            connections_per_address=2,
            trusted_proxies=["192.0.2.0/24"],
        )
        kept = []
        for address in ("192.0.2.7", "198.51.100.7"):
            for number in range(4):
                client = await RawClient.connect(self, self.front_port)
                client.send(b"PROXY TCP4 %s 203.0.113.1 1 2\r\n" % address.encode())
                client.request("GET", "/healthz", {"Host": "a"})
                await client.until(lambda client=client: client.buffer or client.closed)
                self.assertEqual(bool(client.buffer), address == "192.0.2.7" or number < 2)
                kept.append(client)
        for client in kept:
            await client.stop()
