"""Bodies that are held whole and never end: one address' own room is all that they take."""

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.testing import RawClient, request_bytes
from tests.integration.support import CHUNKED, OK, PATH, IntegrationTestCase, chunk

from .faults import eventually

SIZE = 50_000
ROOM = 500_000
LIMITS = DownstreamLimits(held=800_000, held_per_address=ROOM)
DOCUMENT = b'"' + b"j" * (SIZE - 2) + b'"'


class HeldBodiesTests(IntegrationTestCase):
    timeout = 60

    def serve_all(self, **server):
        """A JSON route, one that reads forms, and one that may follow a redirect."""
        self.start(OK, server={"limits": LIMITS, **server})
        self.waiting = []
        self.account = self.running.server.site().held

        @self.running.server.router.route("/form", methods=["POST"])
        def form(request):
            return b"%d" % len(request.content.read())

        self.mount(
            "/again",
            target=self.upstream.origin,
            allow_networks=["127.0.0.1/32"],
            content_type="*/*",
            follow_redirects=True,
        )

    async def client(self, host="127.0.0.1"):
        endpoint = TCP4ClientEndpoint(
            reactor, "127.0.0.1", self.running.port, bindAddress=(host, 0)
        )
        factory = Factory.forProtocol(RawClient)
        factory.noisy = False
        client = await endpoint.connect(factory)
        self.addCleanup(client.stop)
        return client

    async def attack(self, path, host="127.0.0.1", declared=True, count=30):
        """Many bodies, one after the other, without their last byte; the refused ones' number."""
        refused = 0
        for _ in range(count):
            client = await self.client(host)
            if declared:
                data = request_bytes("POST", path, self.headers(), DOCUMENT)[:-1]
            else:
                headers = self.headers(Transfer_Encoding="chunked")
                data = request_bytes("POST", path, headers, chunk(DOCUMENT[:-1]))
            held = self.account.total + SIZE - 1
            client.send(data)
            await eventually(lambda c=client, h=held: c.buffer or self.account.total == h, 5.0)
            if client.buffer:
                answer = await client.answer("POST")
                self.assertEqual((answer.status, answer.header("Retry-After")), (503, "1"))
                refused += 1
            else:
                self.waiting.append(client)
        return refused

    async def test_one_address(self):
        """Declared and not, for a proxy, a form and a redirect: ten have room, twenty get 503."""
        self.serve_all()
        for path in (PATH, "/api/v1/form", "/api/v1/again"):
            for declared in (True, False):
                if path.endswith("again") and not declared:
                    continue  # is streamed: nothing of it is held
                with self.subTest(path=path, declared=declared):
                    before = self.account.refused
                    refused = await self.attack(path, declared=declared)
                    self.assertEqual((refused, self.account.refused - before), (20, 20))
                    self.assertLessEqual(self.account.total, ROOM)
                    await self.others_are_served()
                    while self.waiting:
                        await self.waiting.pop().stop()
                    await eventually(lambda: not self.account.total, 2.0)
                    self.assertEqual(len(self.account.by_key), 0)

    async def others_are_served(self):
        """Another address, large bodies too; and this one with what needs no room."""
        for host, body in (("127.0.0.2", DOCUMENT), ("127.0.0.1", b"{}")):
            client = await self.client(host)
            client.send(request_bytes("POST", PATH, self.headers(), body))
            self.assertEqual((await client.answer("POST")).status, 200)
            await client.stop()

    async def test_many_addresses(self):
        """All of them together have a bound, too: sixteen of sixty."""
        self.serve_all()
        refused = 0
        for number in range(2, 6):
            refused += await self.attack(PATH, f"127.0.0.{number}", count=15)
        self.assertEqual((refused, self.account.refused), (44, 44))
        self.assertLessEqual(self.account.total, 800_000)

    async def test_behind_a_proxy(self):
        """A trusted proxy's callers are told apart, as the rate limit does."""
        self.serve_all(trusted_proxies=["127.0.0.1"])
        clients = []
        for number in range(14):
            client = await self.client()
            headers = self.headers(X_Forwarded_For=f"192.0.2.{number}")
            client.send(request_bytes("POST", PATH, headers, DOCUMENT)[:-1])
            clients.append(client)
        await eventually(lambda: self.account.total == 14 * (SIZE - 1), 5.0)
        self.assertEqual((self.account.refused, len(self.account.by_key)), (0, 14))
        for client in clients:
            client.send(DOCUMENT[-1:])
            self.assertEqual((await client.answer("POST")).status, 200)
        await eventually(lambda: not self.account.total, 2.0)

    async def test_a_body_that_goes_on(self):
        """The bytes are held until the answer is out, for an upstream connection has them."""
        self.serve_all()
        client = await self.client()
        client.send(request_bytes("POST", PATH, self.headers(), DOCUMENT))
        self.assertEqual((await client.answer("POST")).status, 200)
        self.assertEqual(self.upstream.requests[0].body, DOCUMENT)
        self.assertEqual(self.account.total, 0)

    async def test_chunks(self):
        """A body in chunks is counted as it comes, and a complete one gives all of it back."""
        self.serve_all()
        headers = self.headers(**dict([CHUNKED.split(": ")]))
        client = await self.client()
        client.send(request_bytes("POST", PATH, headers, chunk(DOCUMENT) + b"0\r\n\r\n"))
        self.assertEqual((await client.answer("POST")).status, 200)
        self.assertEqual(self.account.total, 0)
