"""The plugin server: what it says at start, what it refuses to be, how it stops."""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from naap_twisted import ConfigError, User, create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from tests.spine import make_server, make_spine, read_answer, request_bytes
from tests.support import FakeRequest

KEY = {"Authorization": "Bearer sk-123456789"}


def proxy(**options):
    return create_external_proxy(allowed_hosts=["api.example.com"], **options)


class Made(SynchronousTestCase):
    def test_service(self):
        """It is an IService, with a name."""
        server = make_server()
        self.assertTrue(verifyObject(IService, server))
        self.assertEqual(server.name, "naap-proxy spine")

    def test_listen(self):
        """Host and port, unless endpoints are named; an IPv6 host is quoted."""
        for options, listen in [
            ({}, ("tcp:4000:interface=127.0.0.1",)),
            ({"port": 4020}, ("tcp:4020:interface=127.0.0.1",)),
            ({"port": 1, "host": "::1"}, (r"tcp:1:interface=\:\:1",)),
            ({"listen": ["tcp:1", "unix:/s"]}, ("tcp:1", "unix:/s")),
        ]:
            with self.subTest(options=options):
                self.assertEqual(make_server(**options).listen, listen)

    def test_site_is_made_once(self):
        """Listening and tests share one site."""
        server = make_server()
        self.assertIs(server.site(), server.site())

    def test_user(self):
        """The record's user; None for a request that is not ours."""
        server, request = make_server(), FakeRequest()
        self.assertIsNone(server.user(request))
        request.record.user = User("ada")
        self.assertEqual(server.user(request), User("ada"))
        self.assertIsNone(server.user(object()))

    def test_any_site(self):
        """``resource()`` answers on Twisted's own Site as on ours."""
        for stock in (False, True):
            spine = make_spine(stock=stock)
            self.assertEqual(spine.ask().body, b'{"ok": true}')
            self.assertEqual(spine.ask("PUT").error, (405, "METHOD_NOT_ALLOWED"))
            spine.path = "/nowhere"
            self.assertEqual(spine.ask().error, (404, "NOT_FOUND"))


class Exposure(SynchronousTestCase):
    def check(self, route, *, listen=("tcp:1:interface=0.0.0.0",), **options):
        server = make_server(listen=listen, **options)
        server.mount("/x", route)
        server.check_exposure()

    def test_open_relay(self):
        """A key for anyone beyond loopback, by accident, does not start."""
        key = Path(self.mktemp())
        key.touch(0o600)
        for listen in (
            ("tcp:1",),
            ("tcp:1:interface=0.0.0.0",),
            ("tcp6:1",),
            ("tcp:1:interface=127.0.0.1", "tcp:1:interface=192.0.2.1"),
            (f"ssl:1:privateKey={key}:certKey=c",),
        ):
            with self.subTest(listen=listen), self.assertRaises(ConfigError) as caught:
                self.check(proxy(forward_headers=KEY), listen=listen)
            (line,) = caught.exception.problems
            self.assertTrue(
                line.startswith("/api/v1/x: authorize: anybody could use the keys"), line
            )
            self.assertNotIn("sk-123", line)
        with self.assertRaises(ConfigError):
            self.check(proxy(forward_headers=lambda request: KEY))

    def test_fine(self):
        """Without a key, with auth, on loopback, or in so many words."""
        keyed = {"forward_headers": KEY}
        self.check(proxy())
        self.check(proxy(**keyed, authorize="anyone"))
        users = StaticTokens({"t": User("a")})
        self.check(proxy(**keyed, authorize="user"), authenticator=users)
        self.check(proxy(**keyed, authorize=lambda request: True))
        self.check(proxy(**keyed), listen=("tcp:1:interface=127.0.0.1", "tcp6:1:interface=\\:\\:1"))
        self.check(proxy(**keyed), listen=("unix:/s",))
        self.check(proxy(**keyed), require_auth=True, authenticator=users)

    def test_start(self):
        """Asked before anything listens."""
        memory = MemoryReactorClock()
        server = make_server(reactor=memory, listen=["tcp:1"])
        server.mount("/x", proxy(forward_headers=KEY))
        self.assertRaises(ConfigError, server.startService)
        self.assertEqual(memory.tcpServers, [])


class Start(SynchronousTestCase):
    def test_line(self):
        """One line: name, each address, each route, whether auth is on."""
        for required, auth in ((False, "off"), (True, "on (but nobody is known)")):
            server = make_server(
                reactor=MemoryReactorClock(),
                listen=["tcp:4020:interface=127.0.0.1", "tcp:4021:interface=127.0.0.1"],
                require_auth=required,
            )
            server.mount("/x", proxy(methods=["GET"], forward_headers=KEY))
            server.mount("/page", server.resource())
            with capturedLogs() as logs:
                server.startService()
            (event,) = [event for event in logs if "routes" in event]
            line = event["log_format"].format(**event)
            self.assertIn("spine listens on http://", line)
            self.assertEqual(event["addresses"].count("http://"), 2)
            self.assertEqual(event["routes"], "GET HEAD /api/v1/x, ANY /api/v1/page")
            self.assertEqual(event["auth"], auth)
            self.assertNotIn("sk-123", line)

    def test_nobody_is_known(self):
        """Auth without anything that knows users is said loudly, and only then."""
        tokens = StaticTokens({"t": User("a")})
        for required, authenticator, warned in (
            (True, None, 1),
            (True, tokens, 0),
            (False, None, 0),
        ):
            server = make_server(
                reactor=MemoryReactorClock(), require_auth=required, authenticator=authenticator
            )
            with capturedLogs() as logs:
                server.startService()
            found = [event for event in logs if event["log_level"] is LogLevel.warn]
            self.assertEqual(len(found), warned)
            self.assertTrue(all("JWT_SECRET" in event["caution"] for event in found))

    def test_open_networks(self):
        """What ``allow_networks`` opens is said loudly: the server's, and each route's own."""
        for server_wide, own, said in (
            ([], [], []),
            (["10.0.0.0/8"], [], ["10.0.0.0/8"]),
            (["10.0.0.0/8"], ["127.0.0.1/32:9100"], ["10.0.0.0/8, 127.0.0.1/32:9100"]),
        ):
            server = make_server(reactor=MemoryReactorClock(), allow_networks=server_wide)
            server.mount("/x", proxy(allow_networks=own))
            with capturedLogs() as logs:
                server.startService()
            warned = [event for event in logs if event["log_level"] is LogLevel.warn]
            told = [event["caution"].rpartition("public: ")[2] for event in warned]
            self.assertEqual(told, said)

    def test_privileged(self):
        """twistd opens sockets before it drops its privileges; startService opens none again."""
        memory = MemoryReactorClock()
        server = make_server(reactor=memory)
        server.privilegedStartService()
        server.startService()
        self.assertEqual(len(memory.tcpServers), 1)


class Peer(Protocol):
    """A browser on a real socket."""

    def __init__(self):
        self.data = b""
        self.gone = Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.gone.callback(None)


class Stop(TestCase):
    """On loopback: what is in flight finishes, what is idle goes, what is slow is cut."""

    timeout = 10

    async def start(self, drain_timeout):
        self.server = create_plugin_server(
            "stop", 0, require_auth=False, rate_limit=None, drain_timeout=drain_timeout
        )
        self.waiting = Deferred()

        @self.server.router.route("/slow")
        def slow(request):
            self.waiting.callback(None)
            return self.answer

        self.answer = Deferred()
        self.server.startService()

    async def peer(self):
        port = int(self.server.addresses()[0].rpartition(":")[2])
        peer = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Peer())
        self.addCleanup(peer.transport.abortConnection)
        return peer

    async def test_in_flight_finishes(self):
        """An idle connection is closed, the answer in flight comes whole, then stopping is done."""
        await self.start(8.0)
        idle, busy = await self.peer(), await self.peer()
        busy.transport.write(request_bytes("GET", "/api/v1/slow", (), None))
        await self.waiting
        stopped = self.server.stopService()
        await idle.gone
        self.assertNoResult(stopped)
        self.answer.callback(b"finished")
        await busy.gone
        await stopped
        answer = read_answer(busy.data)
        self.assertEqual((answer.code, answer.body), (200, b"finished"))
        self.assertEqual(answer.header("connection"), "close")

    async def test_slow_is_cut(self):
        """What is not done when the time is over is cut, and stopping is done."""
        await self.start(0.2)
        busy = await self.peer()
        busy.transport.write(request_bytes("GET", "/api/v1/slow", (), None))
        await self.waiting
        began = reactor.seconds()
        await self.server.stopService()
        self.assertGreater(reactor.seconds() - began, 0.1)
        await busy.gone
        self.assertEqual(busy.data, b"")
        self.answer.callback(b"too late")

    async def test_nothing_open(self):
        """Without connections there is nothing to wait for; it can be started again."""
        await self.start(8.0)
        for _ in range(2):
            began = reactor.seconds()
            await self.server.stopService()
            self.assertLess(reactor.seconds() - began, 2.0)
            self.server.startService()
            await self.peer()
        await self.server.stopService()
