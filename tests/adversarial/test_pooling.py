"""What one request leaves on an upstream connection for the next: nothing, or no connection."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, succeed
from twisted.trial.unittest import TestCase
from twisted.web.client import readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from naap_twisted import User
from naap_twisted.errors import InternalError
from naap_twisted.policy.addresses import parse_allow_network
from naap_twisted.policy.egress import EgressPolicy
from naap_twisted.testing import request_bytes
from naap_twisted.upstream.agent import VettedAgent
from naap_twisted.upstream.client import UpstreamClient
from tests.integration.support import IntegrationTestCase, until
from tests.upstream.support import outbound

from .faults import certificate
from .shifty import Shifty, name_of

LARGE = b'"%s"' % (b"x" * 7_000_000)  # more than the kernels of both sides take
STRAY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nstray"


class PoolCase(IntegrationTestCase):
    def begin(self, server=None, **route):
        self.upstream = Shifty(self, receive_buffer=4096)
        self.running = self.serve(**(server or {}))
        options = {"content_type": "*/*", "methods": ("GET", "POST"), "body_limit": "8mb"}
        # The callable runs in a request's own turn, after the body: the pool is asked next.
        self.before = lambda: None
        keys = {"Authorization": "key-of-the-pool-tests"}
        options["forward_headers"] = lambda request: (self.before(), keys)[1]
        target = self.upstream.origin + "/v1"
        self.mount("/p", target=target, timeout=2.0, **{**options, **route})
        self.way_out = self.running.server.parts.upstream

    async def ask(self, mood, number, body=b"{}", **headers):
        path = f"/api/v1/p/{mood}/{number}"
        headers = {"Content-Type": "application/json", **headers}
        return await self.running.ask("POST", path, headers, body)

    def told(self, number):
        return name_of(b"key-of-the-pool-tests") + b" %d" % number

    def idle(self):
        return [c for waiting in self.way_out.pool._idle.values() for c in waiting]

    def peers(self):
        """The upstream's side of every connection that waits in the pool."""
        return [self.upstream.at(c.transport.getHost().port) for c in self.idle()]


class EarlyTests(PoolCase):
    """An answer that overtakes its request is its connection's last."""

    async def overtaken(self, mood, status=200):
        answer = await self.ask(mood, 1, LARGE)
        self.assertEqual(answer.status, status)
        self.assertEqual(len(self.idle()), 0)
        answer = await self.ask("plain", 2)
        self.assertEqual((answer.status, answer.body), (200, self.told(2)))
        self.assertEqual(self.upstream.asked, [b"1", b"2"])

    async def test_upstream_that_reads_no_further(self):
        """The next request would wait behind the rest of a body that nobody reads."""
        self.begin()
        await self.overtaken("early_and_deaf")

    async def test_upstream_that_swallows(self):
        """The next request would be taken for more of the body."""
        self.begin()
        await self.overtaken("early_and_swallows")

    async def test_upstream_that_goes_on(self):
        """Nor is one used again that would have read the rest in order: nobody can tell."""
        self.begin()
        await self.overtaken("early_error", 413)

    async def test_upstream_that_closes(self):
        """Its answer is read, though the rest of the request can not be written any more."""
        self.begin(errors="passthrough")
        for kind in ("application/json", "application/octet-stream"):
            for number in range(10):
                answer = await self.ask("early_and_closes", number, LARGE, **{"Content-Type": kind})
                self.assertEqual((answer.status, answer.body), (413, self.told(number)))
        await until(lambda: not self.way_out.pool.opened)

    async def test_half_a_streamed_body(self):
        """The same where the browser has not sent all of it: by length, and chunked."""
        self.begin()
        for framing in ({"Content-Length": "1000000"}, {"Transfer-Encoding": "chunked"}):
            client = await self.running.client()
            headers = {"Content-Type": "application/octet-stream", **framing}
            begun = b"8\r\n12345678\r\n" if "Transfer-Encoding" in framing else b"12345678"
            path = "/api/v1/p/early_and_swallows/1"
            client.send(request_bytes("POST", path, headers) + begun)
            self.assertEqual((await client.answer("POST")).body, self.told(1))
            self.assertEqual(len(self.idle()), 0)
            await client.stop()
        self.assertEqual((await self.ask("plain", 2)).body, self.told(2))

    async def test_a_body_cut_by_its_browser(self):
        """What was half sent is never finished by somebody else's request."""
        self.begin()
        for framing in ({"Content-Length": "1000000"}, {"Transfer-Encoding": "chunked"}):
            self.upstream.asked.clear()
            client = await self.running.client()
            headers = {"Content-Type": "application/octet-stream", **framing}
            begun = b"8\r\n12345678\r\n" if "Transfer-Encoding" in framing else b"12345678"
            client.send(request_bytes("POST", "/api/v1/p/plain/1", headers) + begun)
            await until(lambda: self.upstream.asked)
            await client.stop()
            self.assertEqual((await self.ask("plain", 2)).body, self.told(2))
        await until(lambda: self.way_out.pool.opened == len(self.way_out.pool))

    async def test_expect_that_is_not_continued(self):
        """A body that its browser holds back until 100 is not whole either."""
        self.begin()
        client = await self.running.client()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": "1000",
            "Expect": "100-continue",
        }
        client.send(request_bytes("POST", "/api/v1/p/early_and_swallows/1", headers))
        self.assertEqual((await client.answer("POST")).body, self.told(1))
        self.assertEqual(len(self.idle()), 0)
        self.assertEqual((await self.ask("plain", 2)).body, self.told(2))

    async def test_a_large_body_that_was_read(self):
        """An answer that comes after all of it leaves its connection to the next."""
        self.begin()
        for number in (1, 2):
            self.assertEqual((await self.ask("plain", number, LARGE)).body, self.told(number))
            self.assertEqual(len(self.idle()), 1)
        self.assertEqual(len(self.upstream.open), 1)


class UnreadTests(PoolCase):
    """What came on a waiting connection is looked for before the connection is used."""

    async def test_stray_answer(self):
        """It is nobody's answer, though the reactor has not read it yet."""
        self.begin()
        await self.ask("plain", 1)
        self.before = lambda: [peer.stray(STRAY) for peer in self.peers()]
        answer = await self.ask("plain", 2)
        self.assertEqual(answer.body, self.told(2))
        self.assertEqual(self.upstream.asked, [b"1", b"2"])

    async def test_one_stray_byte(self):
        """Nor is the beginning of one."""
        self.begin()
        await self.ask("plain", 1)
        self.before = lambda: [peer.stray(b"H") for peer in self.peers()]
        self.assertEqual((await self.ask("plain", 2)).body, self.told(2))

    async def test_end(self):
        """A close that nobody has read costs a POST nothing: another connection takes it."""
        self.begin()
        await self.ask("plain", 1)
        how = socket.SHUT_WR
        self.before = lambda: [peer.transport.socket.shutdown(how) for peer in self.peers()]
        self.assertEqual((await self.ask("plain", 2)).body, self.told(2))

    async def test_all_that_wait(self):
        """Each that is not clean is closed, and a clean one among them is used."""
        self.begin()
        for asked in [ensureDeferred(self.ask("late", number)) for number in (1, 2, 3)]:
            await asked
        self.assertEqual(len(self.idle()), 3)
        clean = self.peers()[0]
        self.before = lambda: [peer.stray(b"x") for peer in self.peers() if peer is not clean]
        self.assertEqual((await self.ask("plain", 4)).body, self.told(4))
        await until(lambda: len(self.upstream.open) == 1)
        self.assertEqual(self.upstream.open, {clean})


class TlsTests(TestCase):
    """The same where TLS lies between."""

    async def test_stray_answer(self):
        """A record that came on a waiting connection closes it, whatever is in it."""
        folder = self.mktemp()
        os.mkdir(folder)
        context, ca_file = certificate(folder)
        upstream = Shifty(self, context)
        way_out = UpstreamClient(reactor, ca_file=ca_file)
        self.addCleanup(way_out.ticker.stop)
        target = {"scheme": "https", "host": "127.0.0.1", "port": upstream.port}
        allow = (f"127.0.0.1/32:{upstream.port}",)
        body = b"x" * 3_000_000

        async def ask(number):
            path = f"/v1/plain/{number}"
            request = outbound(b"POST", body=body, url_path=path, allow=allow, **target)
            return await readBody(await way_out.send(request))

        for number in (1, 2):
            self.assertTrue((await ask(number)).endswith(b" %d" % number))
        self.assertEqual((len(upstream.open), len(way_out.pool)), (1, 1))
        (peer,) = upstream.open
        peer.transport.write(STRAY)
        peer.transport._aggregator.flush()
        peer.transport.transport.doWrite()
        self.assertEqual((await ask(3))[-2:], b" 3")
        await until(lambda: peer not in upstream.open)
        await way_out.close()
        await until(lambda: not way_out.pool.opened and not upstream.open)


@implementer(IBodyProducer)
class Told:
    """A body that says one length and is another."""

    def __init__(self, length, body):
        self.length, self._body = length, body

    def startProducing(self, consumer):
        consumer.write(self._body)
        return succeed(None)

    pauseProducing = resumeProducing = stopProducing = lambda self: None


class LengthTests(TestCase):
    """A plugin's own body that is not as long as it says."""

    async def test_short_and_long(self):
        """Neither the rest of a short one nor the surplus of a long one is another request's."""
        upstream = Shifty(self)
        way_out = UpstreamClient(reactor)
        self.addCleanup(way_out.ticker.stop)
        network = parse_allow_network("127.0.0.1/32")
        policy = EgressPolicy(("127.0.0.1",), ("http",), (upstream.port,), (network,))
        agent = VettedAgent(way_out, policy)

        async def ask(mood, number, body):
            url = f"{upstream.origin}/v1/{mood}/{number}".encode()
            response = await agent.request(b"POST", url, Headers(), body)
            return response.code, await readBody(response)

        second = b"POST /v1/plain/666 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        for body in (Told(10, b"short"), Told(5, b"short" + second)):
            await self.assertFailure(ensureDeferred(ask("plain", 1, body)), InternalError)
            self.assertEqual((await ask("plain", 2, Told(2, b"{}")))[1][-2:], b" 2")
        self.assertNotIn(b"666", upstream.asked)
        await way_out.close()
        await until(lambda: not way_out.pool.opened and not upstream.open)


class Named:
    """Takes a caller's word for who it is."""

    def authenticate(self, request):
        return User(request.getHeader("X-User"))


class OwnKeyTests(PoolCase):
    """A connection that has carried one user's own key is never another's."""

    async def ports(self, *users, **route):
        """The connection that each request of *users* went over."""
        self.begin(server={"authenticator": Named(), "require_auth": True}, **route)
        return await self.used("X-User", *users)

    async def used(self, header, *values):
        used = []
        for number, value in enumerate(values):
            await self.ask("plain", number, **{header: value})
            busiest = [peer for peer in self.peers() if peer.number == b"%d" % number]
            used.append(busiest[0].port)
        return used

    async def test_made_for_the_user(self):
        """Headers from a callable: each user has connections of their own, and reuses them."""
        ada, bob, ada_again, bob_again = await self.ports("ada", "bob", "ada", "bob")
        self.assertNotEqual(ada, bob)
        self.assertEqual((ada_again, bob_again), (ada, bob))

    async def test_made_for_nobody_by_name(self):
        """Without users a callable may go by the caller's address, or what the caller sends."""
        self.begin(server={"trusted_proxies": ["127.0.0.1"]})
        one, other, again = await self.used(
            "X-Forwarded-For", "192.0.2.1", "192.0.2.2", "192.0.2.1"
        )
        self.assertNotEqual(one, other)
        self.assertEqual(one, again)

    async def test_the_routes_own(self):
        """One key for all: one connection does."""
        used = await self.ports("ada", "bob", forward_headers={"Authorization": "key-of-all"})
        self.assertEqual(used[0], used[1])
