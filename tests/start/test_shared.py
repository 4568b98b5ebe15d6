"""Tests of naap_twisted.start.shared: two workers and what they have in common, over channels."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.auth.revocations import Clocks
from naap_twisted.errors import InvalidToken, Unavailable
from naap_twisted.model import PageGrant, RateLimit
from naap_twisted.server.setting import Workplace
from naap_twisted.spend.ledger import Charge, Correction, MemoryLedger, Standing
from naap_twisted.start import shared
from naap_twisted.start.channel import Channel
from naap_twisted.start.shared import ChannelWorkplace, Common
from tests.demo.loopback import until

from .crews import ROUTE, CrewCase
from .test_channel import join

CHARGE = Charge("who", 5, 5, 7, limit=10, amount=6, enforced=True, keep=120)


class SharedTests(TestCase):
    def setUp(self) -> None:
        self.now = 1_000.0
        clocks = Clocks(lambda: self.now, lambda: self.now)
        self.common = Common(reactor, clocks)
        self.lost: list[int] = []
        self.ends: list[Channel] = []
        self.one, self.two = self.workplace(), self.workplace()

    def workplace(self) -> Workplace:
        here = Channel(reactor, {}, lambda: self.lost.append(1))
        there = Channel(reactor, self.common.handlers(), lambda: self.lost.append(2))
        join(here, there)
        self.ends.append(here)
        self.addCleanup(self.end)
        return ChannelWorkplace(here, self.common.secret)

    async def end(self) -> None:
        for channel in self.ends:
            channel.close()
        await until(lambda: len(self.lost) == 4)

    async def test_limits(self) -> None:
        """Workers count together, each policy apart, with the words of a limiter in memory."""
        limit = RateLimit(3, 60.0)
        hits = []
        for place in (self.one, self.two, self.one, self.two):
            hits.append(await place.limiter("address", limit).hit("ada"))
        self.assertEqual([hit.allowed for hit in hits], [True, True, True, False])
        self.assertEqual([hit.remaining for hit in hits], [2, 1, 0, 0])
        self.assertEqual((hits[0].retry_after, hits[3].retry_after, hits[3].reset), (0, 60, 60))
        for policy, other, key in (
            ("user", limit, "ada"),
            ("address", RateLimit(2, 60.0), "ada"),
            ("address", limit, "bob"),
        ):
            self.assertTrue((await self.one.limiter(policy, other).hit(key)).allowed)

    async def test_most(self) -> None:
        """The limits that are remembered are bounded."""
        self.patch(shared, "_MOST_LIMITERS", 2)
        for requests in (1, 2, 1, 3):
            await self.one.limiter("x", RateLimit(requests, 60.0)).hit("k")
        self.assertEqual([name[1] for name in self.common._limiters], [1, 3])

    async def test_ledger(self) -> None:
        """What one reserves and spends, the other sees."""
        one, two = self.one.ledger(), self.two.ledger()
        first = await one.reserve([CHARGE])
        self.assertEqual((first.refused, first.before), (-1, (Standing(0, 0, 5),)))
        second = await two.reserve([CHARGE])
        self.assertEqual((second.refused, second.before[0].held), (-1, 6))
        self.assertEqual((await one.reserve([CHARGE])).refused, 0)
        await one.settle([Correction(CHARGE, 1)])
        self.assertEqual(await two.read([CHARGE]), (Standing(1, 6, 5),))
        self.common._ledger = MemoryLedger(most=0)
        error = await self.assertFailure(one.reserve([CHARGE]), Unavailable)
        self.assertIn("opens no more", error.reason)

    async def test_page_tokens(self) -> None:
        """Uses are counted and revocations known in every worker, as long as a token may live."""
        one, two = self.one.page_tokens(60.0), self.two.page_tokens(60.0)
        grant = PageGrant("id", ("/a",), 1_000_000, 2_000, uses=2)
        await one.spend("ada", grant)
        await two.spend("ada", grant)
        for store in (one, two):
            with self.assertRaises(InvalidToken) as caught:
                await store.spend("ada", grant)
            self.assertIn("used up", caught.exception.reason)
        free = PageGrant("free", ("/a",), 1_000_000, 2_000)
        await one.spend("ada", free)
        await one.revoke("", "ada", 1_000_000)
        with self.assertRaises(InvalidToken) as caught:
            await two.spend("ada", free)
        self.assertIn("revoked", caught.exception.reason)
        await two.spend("bob", free)

    async def test_keys(self) -> None:
        """All have the same key for a purpose, and another one with another supervisor."""
        key = self.one.key("locations")
        self.assertEqual((len(key), self.two.key("locations")), (32, key))
        self.assertNotEqual(key, self.one.key("page tokens"))
        self.assertNotEqual(
            key, ChannelWorkplace(self.ends[0], Common(reactor).secret).key("locations")
        )

    async def test_gone(self) -> None:
        """Without the supervisor nothing passes: no limit counts for a worker alone."""
        await self.end()
        limiter = self.one.limiter("x", RateLimit(1, 1.0))
        await self.assertFailure(limiter.hit("k"), Unavailable)
        await self.assertFailure(self.one.ledger().reserve([CHARGE]), Unavailable)
        with self.assertRaises(Unavailable):
            await self.one.page_tokens(1.0).spend("ada", PageGrant("id", (), 1, 1))


class TogetherTests(CrewCase):
    def test_together(self) -> None:
        """A limit, a budget and a token of 10 uses let 10 pass through two workers together."""
        issuer = "an-issuer-of-32-characters-or-more"
        self.write(
            "/a",
            auth=f'page_tokens = {{ issuers = ["{issuer}"] }}',
            more='rate_limit = { requests = 10, window = "1h" }',
        )
        budget = 'budget = [{ requests = 10, per = "day", of = "route" }]'
        text = self.config.read_text()
        text += ROUTE.format(path="/b", target=self.upstream.url, more=budget)
        text += ROUTE.format(path="/c", target=self.upstream.url, more="").replace("anyone", "user")
        self.config.write_text(text)
        self.start()
        for path in ("/api/v1/a/ok", "/api/v1/b/ok"):
            self.assertEqual(self.statuses(24, path), [200] * 10 + [429] * 14, path)
        kept, ended = (self.token(issuer, uses=10), self.token(issuer))
        headers = {"Authorization": f"Bearer {kept['token']}"}
        self.assertEqual(
            self.statuses(24, "/api/v1/c/ok", **headers), [200] * 10 + [401] * 14, self.lines
        )
        headers = {"Authorization": f"Bearer {ended['token']}"}
        self.assertEqual(self.statuses(10, "/api/v1/c/ok", **headers), [200] * 10)
        path = f"/api/v1/tokens/{ended['id']}"
        self.assertEqual(self.ask_issuer(issuer, "DELETE", path)[0], 204)
        self.assertEqual(self.statuses(10, "/api/v1/c/ok", **headers), [401] * 10)
        self.assertNotIn("Traceback", "".join(self.lines))

    def test_whip(self) -> None:
        """A Location that one worker has signed works in both, without a state_dir."""
        self.write()
        text = self.config.read_text()
        self.config.write_text(text.replace('"GET"', '"POST"') + 'content_type = "application/sdp"')
        self.start()
        offer = Request(f"http://127.0.0.1:{self.port}/api/v1/a/whip", b"v=0\r\n")
        offer.add_header("Content-Type", "application/sdp")
        with urlopen(offer, timeout=60) as answer:
            location = answer.headers["Location"]
        self.assertIn("/api/v1/a/whip-session/", location)
        told = [self.get(location, method="DELETE")[0] for _ in range(16)]
        self.assertEqual(told, [204] * 16)
        self.assertNotEqual(self.get(location[:-2], method="DELETE")[0], 204)

    def test_database(self) -> None:
        """With a state_dir budgets are there, and hold under load from both workers at once."""
        budget = 'budget = [{ requests = 30, per = "day", of = "route" }]'
        self.write(server=f'state_dir = "{self.folder}/state"', more=budget)
        self.start()
        with ThreadPoolExecutor(20) as pool:
            told = Counter(pool.map(lambda _: self.get("/api/v1/a/ok")[0], range(100)))
        self.assertEqual(told, {200: 30, 429: 70})

    def token(self, issuer: str, **order: object) -> dict[str, str]:
        wanted = json.dumps({"sub": "ada", "routes": ["/c"], "ttl": 600, **order})
        status, text = self.ask_issuer(issuer, "POST", "/api/v1/tokens", wanted)
        self.assertEqual(status, 200, text)
        found: dict[str, str] = json.loads(text)
        return found

    def ask_issuer(
        self, issuer: str, method: str, path: str, body: str | None = None
    ) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {issuer}", "Content-Type": "application/json"}
        return self.get(path, method=method, body=body, **headers)
