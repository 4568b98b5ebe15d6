"""Rate limits as a page meets them: the headers, who is counted, two processes and one Redis."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from naap_twisted import RateLimit, User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.limits.capacity import CapacityLimits
from naap_twisted.limits.in_flight import InFlightLimit
from naap_twisted.testing import PAUSE, RawClient, ScriptedUpstream

from ..adversarial.process import ProxyProcess, pinned
from ..servers import NO_REDIS, Redis
from .support import OK, IntegrationTestCase

TOKENS = StaticTokens({"t-ada": User("ada"), "t-bob": User("bob")})
AUTH = {"authenticator": TOKENS, "require_auth": True}


class LimitTests(IntegrationTestCase):
    async def outcomes(self, *users: str, path: str = "/api/v1/x") -> list[int]:
        answers = [await self.post(path=path, Authorization=f"Bearer t-{user}") for user in users]
        return [answer.status for answer in answers]

    async def test_per_user(self) -> None:
        """Each user has the server's limit for himself, over all of its routes."""
        self.start(OK, server={**AUTH, "user_rate_limit": RateLimit(2, 60.0)})
        self.mount("/y")
        self.running.server.router.route("/own")(lambda request: b"own")
        self.assertEqual(await self.outcomes("ada"), [200])
        self.assertEqual(await self.outcomes("ada", path="/api/v1/y"), [200])
        self.assertEqual(await self.outcomes("ada", path="/api/v1/own"), [429])
        self.assertEqual(await self.outcomes("bob", "bob", "bob"), [200, 200, 429])
        self.assertEqual(len(self.upstream.requests), 4)

    async def test_per_route(self) -> None:
        """A route's own limit, per user; other routes do not feel it."""
        self.start(OK, server=AUTH, rate_limit=RateLimit(1, 60.0))
        self.mount("/y")
        self.assertEqual(await self.outcomes("ada", "ada", "bob"), [200, 429, 200])
        self.assertEqual(await self.outcomes("ada", "ada", path="/api/v1/y"), [200, 200])

    async def test_per_route_without_users(self) -> None:
        """Nobody signed in: per address."""
        self.start(OK, rate_limit=RateLimit(2, 60.0))
        self.assertEqual([(await self.post()).status for _ in range(3)], [200, 200, 429])

    async def test_unknown_callers_cost_a_user_nothing(self) -> None:
        """The limits behind the first door count only who passed it."""
        self.start(OK, server=AUTH, rate_limit=RateLimit(1, 60.0))
        self.assertEqual(await self.outcomes("eve", "eve", "ada"), [401, 401, 200])

    async def test_at_once_per_user(self) -> None:
        """Whoever fills his own places waits for nobody else's, and holds up nobody else."""
        limits = CapacityLimits(user=InFlightLimit(running=1, queued=0))
        self.start(PAUSE, OK, server={**AUTH, "capacity": limits})
        clients = [await self.running.client() for _ in range(3)]
        target = {"X-Target-URL": f"{self.upstream.origin}/", "Content-Type": "application/json"}
        for client, user in zip(clients, ("ada", "ada", "bob"), strict=True):
            client.request(
                "POST", "/api/v1/x", {**target, "Authorization": f"Bearer t-{user}"}, b"{}"
            )
            if client is clients[0]:
                await self.upstream.until(lambda: self.upstream.requests)
        refused = await clients[1].answer()
        self.assert_refused(refused, 503, "UNAVAILABLE")
        self.assertTrue(refused.header("Retry-After"))
        await self.upstream.until(lambda: len(self.upstream.requests) == 2)
        self.upstream.release()
        answers = [(await client.answer()).status for client in (clients[0], clients[2])]
        self.assertEqual(answers, [200, 200])

    async def forwarded(self, *lines: str) -> list[int]:
        return [(await self.post(X_Forwarded_For=line)).status for line in lines]

    async def test_spoofed_addresses(self) -> None:
        """X-Forwarded-For of a peer that nobody trusts makes nobody else of him."""
        self.start(OK, server={"rate_limit": RateLimit(2, 60.0)})
        spoofed = ("198.51.100.1", "198.51.100.2", "127.0.0.1, 198.51.100.3", "2001:db8::1")
        self.assertEqual(await self.forwarded(*spoofed), [200, 200, 429, 429])

    async def test_addresses_behind_a_proxy(self) -> None:
        """A trusted peer's rightmost address counts, an IPv6 network as one; what stands left of
        it the caller may have written himself."""
        limit = {"rate_limit": RateLimit(1, 60.0), "trusted_proxies": ["127.0.0.1/32"]}
        self.start(OK, server=limit)
        callers = ("198.51.100.1", "198.51.100.2", "203.0.113.9, 198.51.100.1")
        self.assertEqual(await self.forwarded(*callers), [200, 200, 429])
        networks = ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1")
        self.assertEqual(await self.forwarded(*networks), [200, 429, 200])

    async def test_connections_of_a_proxy(self) -> None:
        """A trusted proxy may have any number open, another address so many."""
        for trusted, most in (["127.0.0.1"], 5), ([], 2):
            self.start(OK, server={"connections_per_address": 2, "trusted_proxies": trusted})
            kept = [await self.running.client() for _ in range(5)]
            for client in kept:
                client.request("GET", "/healthz")
                await client.until(lambda client=client: client.buffer or client.closed)
            self.assertEqual(sum(bool(client.buffer) for client in kept), most)

    async def test_headers(self) -> None:
        """Every limit that was asked tells what is left; a page may read it, on a refusal too."""
        server = {**AUTH, "rate_limit": RateLimit(9, 60.0), "user_rate_limit": RateLimit(5, 30.0)}
        self.start(OK, server=server, rate_limit=RateLimit(1, 10.0), response_headers=["X-A"])
        passed = await self.post(Authorization="Bearer t-ada")
        self.assertEqual(
            passed.header("RateLimit-Policy"),
            '"address";q=9;w=60, "user";q=5;w=30, "route";q=1;w=10',
        )
        self.assertEqual(
            passed.header("RateLimit"), '"address";r=8;t=60, "user";r=4;t=30, "route";r=0;t=10'
        )
        refused = await self.post(Authorization="Bearer t-ada")
        self.assert_refused(refused, 429, "RATE_LIMITED")
        self.assertEqual(refused.header("Retry-After"), "10")
        self.assertTrue((refused.header("RateLimit") or "").endswith('"route";r=0;t=10'))
        for answer, names in (
            (passed, {"RateLimit", "RateLimit-Policy"}),
            (refused, {"RateLimit", "RateLimit-Policy", "Retry-After"}),
        ):
            exposed = (answer.header("Access-Control-Expose-Headers") or "").split(", ")
            self.assertLessEqual({"X-Request-ID", *names}, set(exposed))
            self.assertEqual(len(exposed), len(set(exposed)))


class SharedTests(IntegrationTestCase):
    """Two processes under twistd, one Redis."""

    skip = NO_REDIS
    timeout = 60

    async def begin(self, requests: int, window: str, more: str = "") -> list[RawClient]:
        """Two clients of each process."""
        self.redis = Redis(self)
        self.upstream = ScriptedUpstream(self, OK)
        limit = f'rate_limit = {{ requests = {requests}, window = "{window}" }}'
        redis = f'[redis]\nurl = "{self.redis.url}"\n{more}\n'
        routes = redis + pinned("/p", self.upstream, limit)
        self.processes = [ProxyProcess(self, routes) for _ in range(2)]
        for process in self.processes:
            await process.started()
            await process.until(lambda p=process: b"limits are shared" in p.output)
        return [await RawClient.connect(self, process.port) for process in self.processes * 2]

    async def ask(self, client: RawClient) -> int:
        client.request("GET", "/api/v1/p/x")
        return (await client.answer()).status

    async def all(self, clients: list[RawClient], times: int) -> list[int]:
        """Each client asks one after the other, all clients at once."""

        async def run(client: RawClient) -> list[int]:
            return [await self.ask(client) for _ in range(times)]

        running = [Deferred.fromCoroutine(run(client)) for client in clients]
        return [status for statuses in await gatherResults(running) for status in statuses]

    async def test_one_window_in_total(self) -> None:
        """200 requests per window are 200 for both together, not for each."""
        clients = await self.begin(200, "15m")
        statuses = await self.all(clients, 100)
        self.assertEqual((statuses.count(200), statuses.count(429)), (200, 200))
        self.assertEqual(len(self.upstream.requests), 200)

    async def test_redis_killed_and_back(self) -> None:
        """Under load Redis is killed, comes back empty, and again: no 5xx.

        The bound that is promised: no window sees more than processes x limit.
        """
        clients = await self.begin(300, "15m")
        statuses: list[int] = []
        ended = reactor.seconds() + 4

        async def load(client: RawClient) -> None:
            while reactor.seconds() < ended:
                statuses.append(await self.ask(client))

        loads = gatherResults([Deferred.fromCoroutine(load(client)) for client in clients])
        for at, change in (
            *((0.1, self.redis.kill), (0.6, lambda: self.redis.start(wait=False))),
            *((1.6, self.redis.kill), (2.2, lambda: self.redis.start(wait=False))),
        ):
            reactor.callLater(at, change)
        await loads
        self.assertEqual(set(statuses), {200, 429})
        passed = len(self.upstream.requests)
        self.assertGreaterEqual(passed, 300)
        self.assertLessEqual(passed, 2 * 300)
        for process in self.processes:
            self.assertGreaterEqual(process.output.count(b"Redis at 127.0.0.1"), 1)
            self.assertLessEqual(process.output.count(b"is gone ("), 3)

    async def test_deny(self) -> None:
        """With on_redis_loss = "deny" nobody passes while Redis is gone, and all do again after."""
        clients = await self.begin(10_000, "15m", 'on_redis_loss = "deny"')
        while await self.ask(clients[0]) != 200:
            pass
        self.redis.kill()
        self.assertEqual(await self.all(clients[:1], 5), [503] * 5)
        self.redis.start()
        while await self.ask(clients[0]) != 200:
            pass
