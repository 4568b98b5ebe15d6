"""Tests of naap_twisted.auth.redis_page_tokens, on a real redis-server."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from naap_twisted.auth.redis_page_tokens import RedisPageTokens
from naap_twisted.errors import InvalidToken, Unavailable
from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisLink
from naap_twisted.model import PageGrant
from naap_twisted.secret import Secret

from ..integration.support import until
from ..servers import NO_REDIS, Redis

NOW = 1_700_000_000_000


def grant(token_id: str = "a", *, uses: int = 0, issued: int = NOW) -> PageGrant:
    return PageGrant(token_id, ("/x",), issued, issued // 1000 + 60, uses=uses)


class RedisPageTokensTests(TestCase):
    skip = NO_REDIS
    timeout = 60

    async def setUp(self) -> None:
        self.redis = Redis(self)
        self.link = await self.connect()
        self.store = self.of(self.link)

    async def connect(self) -> RedisLink:
        link = RedisLink(RedisAddress.parse(Secret(self.redis.url)), reactor, deadline=5.0)
        link.start()
        self.addCleanup(link.stop)
        await until(lambda: link.up)
        return link

    def of(self, link: RedisLink, name: str = "ai", *, deny: bool = False) -> RedisPageTokens:
        return RedisPageTokens(link, name=name, lasting=3600.0, deny=deny)

    async def passes(
        self, sub: str, token: PageGrant, store: RedisPageTokens | None = None
    ) -> bool:
        try:
            await (store or self.store).spend(sub, token)
        except InvalidToken:
            return False
        return True

    async def test_revoked(self) -> None:
        """By one process for all of the name; whose word is about which tokens is the same."""
        other = self.of(await self.connect())
        await self.store.revoke("a", "eve", NOW)
        self.assertTrue(await self.passes("ada", grant(), other))
        self.assertFalse(await self.passes("eve", grant(), other))
        await self.store.revoke("a", "", NOW)
        self.assertFalse(await self.passes("ada", grant(), other))
        self.assertTrue(await self.passes("ada", grant(), self.of(self.link, "another")))
        await self.store.revoke("", "ada", NOW)
        await self.store.revoke("", "ada", NOW - 1000)
        self.assertFalse(await self.passes("ada", grant("b"), other))
        self.assertTrue(await self.passes("ada", grant("b", issued=NOW + 1), other))
        self.assertTrue(await self.passes("eve", grant("b"), other))

    async def test_uses(self) -> None:
        """Of fifty requests at once to two processes as many pass as there are uses."""
        stores = self.store, self.of(await self.connect())
        token = grant(uses=7)
        asked = [self.passes("ada", token, stores[n % 2]) for n in range(50)]
        told = await gatherResults([Deferred.fromCoroutine(each) for each in asked])
        self.assertEqual(sum(told), 7)

    async def test_forgets(self) -> None:
        """Every entry ends by itself, when no token can be left."""
        await self.store.revoke("a", "", NOW)
        await self.passes("ada", grant("b", uses=2))
        script = """
        local left = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
          table.insert(left, redis.call('PTTL', key))
        end
        return left"""
        left = await self.link.evaluate(script, [], [])
        self.assertEqual([3_590_000 < each <= 3_600_000 for each in left], [True, True])

    async def test_gone(self) -> None:
        """Local: what needs no count passes. Denied: nothing does. A revocation is never lost."""
        self.redis.kill()
        await until(lambda: self.is_gone())
        await self.store.spend("ada", grant())
        for store, token in ((self.store, grant(uses=1)), (self.of(self.link, deny=True), grant())):
            with self.assertRaises(Unavailable):
                await store.spend("ada", token)
        with self.assertRaises(Unavailable):
            await self.store.revoke("a", "", NOW)
        self.flushLoggedErrors()

    def is_gone(self) -> bool:
        self.link.ping().addErrback(lambda _: None)
        return not self.link.up
