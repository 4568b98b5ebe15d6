"""Two users, each with a key of their own, ten thousand requests, and an upstream of every mood.

Each answer says whose request it answers and which. What an upstream sends unasked says so, too.
"""

import json
from collections import Counter
from pathlib import Path
from random import Random

from twisted.internet.defer import ensureDeferred, gatherResults

from naap_twisted.config import parse_config
from naap_twisted.framing.body import CHUNKED_END, chunk
from naap_twisted.keys.vault import new_master_key
from naap_twisted.start.assembly import build_server
from naap_twisted.testing import RunningServer, request_bytes
from tests.integration.canary import CANARY
from tests.integration.support import IntegrationTestCase, until
from tests.integration.test_user_keys import as_user
from tests.keypairs import SECRET

from .shifty import KIND, UNKIND, Shifty, name_of

REQUESTS = 10_000
LINES = 20  # requests at once
CONFIG = """
[server]
name = "two-users"
listen = ["tcp:0:interface=127.0.0.1"]
state_dir = "{folder}"
drain_timeout = 2
rate_limit = {{ requests = 1000000, window = "15m" }}
[auth]
mode = "jwt"
secret = "${{env:SECRET}}"
[keys]
master_key = "${{env:MASTER}}"
[upstream]
allow_networks = ["127.0.0.1/32"]
[[proxy]]
path = "/own"
target = "{origin}/v1"
methods = ["GET", "POST"]
content_type = "*/*"
response_headers = ["X-Told"]
timeout = "10s"
forward_headers = {{ Authorization = "Bearer ${{user_key:shifty}}" }}
circuit_breaker = false
"""
# Said by an upstream to the other user, in answer to nothing.
STRAY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
DEAF = ("early_and_deaf", "early_and_swallows")


class Line:
    """One browser of one user, on one connection while that lasts; a request at a time."""

    def __init__(self, test, user, random):
        self.test, self.user, self.random = test, user, random
        self.headers = as_user(user)
        self.told = name_of(f"Bearer {test.keys[user]}".encode())
        self.client = None

    async def run(self, numbers):
        for number in numbers:
            mood = self.random.choice(KIND * 3 + UNKIND)
            if self.client is None or self.client.closed:
                self.client = await self.test.running.client()
            await self.one(mood, number)
        await self.client.stop()

    async def one(self, mood, number):
        kind = self.random.choice(["GET", "HEAD", "json", "sized", "chunked", "cut", "large"])
        if mood in DEAF:
            kind = self.random.choice(["sized", "chunked"])  # with a rest that it never reads
        path = f"/api/v1/own/{mood}/{number}"
        method = kind if kind in ("GET", "HEAD") else "POST"
        self.test.count[kind] += 1
        client = self.client
        if method != "POST":
            client.request(method, path, {"Authorization": self.headers["Authorization"]})
            return await self.judge(mood, method, number)
        if kind in ("json", "large"):
            size = 20 if kind == "json" else 40_000
            body = json.dumps({"n": number, "x": "x" * size}).encode()
            client.request("POST", path, self.headers, body)
            return await self.judge(mood, "POST", number)
        await self.stream(path, kind, mood, number)

    async def stream(self, path, kind, mood, number):
        """A body in two halves; its browser leaves between them, or waits for an early answer."""
        client, halves = self.client, (b"first half of %d " % number, b"and the second")
        chunked = kind == "chunked" or (kind == "cut" and self.random.random() < 0.5)
        size = str(sum(map(len, halves)))
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": size}
        pieces = [chunk(half) if chunked else half for half in halves]
        headers = {**self.headers, "Content-Type": "application/octet-stream", **framing}
        client.send(request_bytes("POST", path, headers) + pieces[0])
        if kind == "cut":
            if self.random.random() < 0.5:
                await self.test.upstream.until(lambda: b"%d" % number in self.test.upstream.asked)
            return await client.stop()
        if mood.startswith("early"):
            await self.judge(mood, "POST", number)
            return await client.stop()
        client.send(pieces[1] + (CHUNKED_END if chunked else b""))
        await self.judge(mood, "POST", number)

    async def judge(self, mood, method, number):
        """The answer is this request's own and whole, or it is none."""
        test, client = self.test, self.client
        try:
            answer = await client.answer(method)
        except EOFError:
            answer = None
        whole = answer is not None and answer.complete
        if whole and answer.status == 502:
            test.refused.append((mood, number))
        elif whole:
            expected = self.told + b" %d" % number
            if mood == "empty":
                test.assertEqual(answer.header("X-Told").encode(), expected, (mood, number))
            elif method == "HEAD":
                test.assertEqual(answer.body, b"", (mood, number))
            else:
                test.assertEqual(answer.body, expected, (mood, number))
            test.answered += 1
        else:
            test.cut.append((mood, number))


class TwoUsersTests(IntegrationTestCase):
    timeout = 300

    def setUp(self):
        super().setUp()
        self.upstream = Shifty(self)
        self.keys = {name: f"{CANARY}-{name}-{ord(name[0])}" for name in ("ada", "bob")}
        self.count, self.answered, self.refused, self.cut = Counter(), 0, [], []

    async def begin(self):
        text = CONFIG.format(folder=Path(self.mktemp()).absolute(), origin=self.upstream.origin)
        environ = {"SECRET": SECRET, "MASTER": new_master_key()}
        server = build_server(parse_config(text, environ=environ))
        self.canary.watch(server)
        self.running = RunningServer(self, server)
        self.pool = server.parts.upstream.pool
        for user, key in self.keys.items():
            body = json.dumps({"key": key}).encode()
            answer = await self.running.ask("PUT", "/api/v1/keys/shifty", as_user(user), body)
            self.assertEqual(answer.status, 200)
        # A key is fetched in its request's turn: what follows asks the pool, if nothing is awaited.
        self.strays = 0
        real, random = self.pool.take, Random(7)

        def take(key):
            if random.random() < 0.1:
                self.stray(random)
            return real(key)

        self.pool.take = take

    def stray(self, random):
        """To a connection that waits comes what nobody asked for: now, before anybody reads it."""
        waiting = [c for some in self.pool._idle.values() for c in some]
        ports = [connection.transport.getHost().port for connection in waiting]
        peer = self.upstream.at(random.choice(ports)) if ports else None
        if peer is None:
            return
        said = b"a stray one of " + peer.last
        peer.stray(random.choice([b"H", STRAY % (len(said), said)]))
        self.strays += 1

    async def test_ten_thousand(self):
        """No byte of one in the other's answer, and nothing lost that was not refused or cut."""
        await self.begin()
        random = Random(12)
        lines = [Line(self, ("ada", "bob")[n % 2], Random(random.random())) for n in range(LINES)]
        shares = [range(n, REQUESTS, LINES) for n in range(LINES)]
        await gatherResults(
            [ensureDeferred(line.run(share)) for line, share in zip(lines, shares, strict=True)],
            consumeErrors=True,
        )
        left = self.count["cut"]
        self.assertEqual(self.answered + len(self.refused) + len(self.cut) + left, REQUESTS)
        self.assertLessEqual({mood for mood, _ in self.refused}, set(UNKIND))
        self.assertEqual({mood for mood, _ in self.cut}, {"cut"})
        for peer in self.upstream.connections:
            self.assertLessEqual(len(peer.names), 1, "a connection carried two users' keys")
        # None of this would say much if connections were not used again, and strays not sent.
        self.assertGreater(len(self.upstream.asked) - len(self.upstream.connections), 1000)
        self.assertGreater(self.strays, 100)
        await until(lambda: self.pool.opened == len(self.pool))
