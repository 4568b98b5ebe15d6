"""Tests of naap_twisted.auth.redis_sessions, on a real redis-server, and of who asks it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from naap_twisted.auth.redis_sessions import RedisLoginSessions
from naap_twisted.errors import InvalidToken
from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.limits.redis_link import RedisLink
from naap_twisted.model import User
from naap_twisted.secret import Secret

from ..integration.support import until
from ..servers import NO_REDIS, Redis
from .test_session import ADA as ASKED
from .test_session import SessionCase

ADA = User("ada", "ada@example.org", ("admin", "dev"))
TOKEN = b"t0ken-of-ada"
DIGEST = hashlib.sha256(TOKEN).digest()
URL = "http://localhost:3000/me"


class RedisLoginSessionsTests(TestCase):
    skip = NO_REDIS
    timeout = 60

    async def setUp(self) -> None:
        self.redis = Redis(self)
        self.link = await self.connect()
        self.sessions = self.of(self.link)

    async def connect(self) -> RedisLink:
        link = RedisLink(RedisAddress.parse(Secret(self.redis.url)), reactor, deadline=5.0)
        link.start()
        self.addCleanup(link.stop)
        await until(lambda: link.up)
        return link

    def of(self, link: RedisLink, name: str = "ai", url: str = URL) -> RedisLoginSessions:
        return RedisLoginSessions(link, name=name, session_url=url)

    async def stored(self) -> list[Any]:
        script = """
        local found = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
          table.insert(found, {key, redis.call('GET', key), redis.call('PTTL', key)})
        end
        return found"""
        return list(await self.link.evaluate(script, [], []))

    async def test_shared(self) -> None:
        """What one process keeps another finds, for no longer than is left."""
        await self.sessions.put(DIGEST, ADA, 60.0)
        found = await self.of(await self.connect()).get(DIGEST)
        assert found is not None
        self.assertEqual(found[0], ADA)
        # The time that the call may have taken is taken off.
        self.assertTrue(0 < found[1] <= 60.0 - self.link.deadline, found[1])

    async def test_apart(self) -> None:
        """Another token's, another server's and another session service's are others."""
        await self.sessions.put(DIGEST, ADA, 60.0)
        self.assertIsNone(await self.sessions.get(hashlib.sha256(TOKEN + b"x").digest()))
        self.assertIsNone(await self.of(self.link, name="other").get(DIGEST))
        self.assertIsNone(await self.of(self.link, url=URL + "2").get(DIGEST))

    async def test_what_it_leaves(self) -> None:
        """One entry that ends; the token is not in it."""
        await self.sessions.put(DIGEST, ADA, 60.0)
        ((key, text, left),) = await self.stored()
        self.assertNotIn(TOKEN.decode(), key + text)
        self.assertGreater(left, 0)

    async def test_too_late_to_keep(self) -> None:
        """Seconds that the call itself could take up are not worth it."""
        await self.sessions.put(DIGEST, ADA, self.link.deadline)
        self.assertEqual(await self.stored(), [])

    async def test_not_ours(self) -> None:
        """What is no user, or would never end, is nobody."""
        await self.sessions.put(DIGEST, ADA, 60.0)
        ((key, text, _),) = await self.stored()
        script = "redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)"
        for other in ("", "x", "7", "[]", "{}", '{"id": ""}', json.dumps({"id": None})):
            await self.link.evaluate(script, [key], [other])
            self.assertIsNone(await self.sessions.get(DIGEST), other)
        await self.link.evaluate("redis.call('SET', KEYS[1], ARGV[1])", [key], [text])
        self.assertIsNone(await self.sessions.get(DIGEST))

    async def test_gone(self) -> None:
        """Without Redis nobody is known, and nothing fails: as it is lost, and after."""
        await self.sessions.put(DIGEST, ADA, 60.0)
        self.redis.kill()
        self.assertIsNone(await self.sessions.get(DIGEST))
        await self.sessions.put(DIGEST, ADA, 60.0)


class Store:
    """What several processes share."""

    def __init__(self):
        self.kept = {}

    async def get(self, digest):
        return self.kept.get(digest)

    async def put(self, digest, user, seconds):
        self.kept[digest] = (user, seconds)


class Shared(SessionCase):
    def setUp(self):
        super().setUp()
        self.store = Store()
        self.session.share(self.store)

    def test_kept(self):
        """A user, for what is left of cache_ttl since the question; no refusal."""
        self.ask("good")
        self.clock.advance(4)
        self.answer()
        self.assertEqual(list(self.store.kept.values()), [(ASKED, 56.0)])
        refused = self.ask("bad")
        self.answer({}, 401)
        self.failureResultOf(refused, InvalidToken)
        self.assertEqual(len(self.store.kept), 1)

    def test_known(self):
        """What another process was told is not asked again, and ends when it ends there."""
        self.store.kept[hashlib.sha256(b"t0ken").digest()] = (ASKED, 10.0)
        self.assertEqual(self.successResultOf(self.ask()), ASKED)
        self.store.kept.clear()
        self.clock.advance(9.9)
        self.assertEqual(self.successResultOf(self.ask()), ASKED)
        self.assertEqual(self.calls, 0)
        self.clock.advance(0.1)
        self.assertNoResult(self.ask())
        self.assertEqual(self.calls, 1)

    def test_never_past_cache_ttl(self):
        """A store that says more is not followed."""
        self.store.kept[hashlib.sha256(b"t0ken").digest()] = (ASKED, 1000.0)
        self.ask()
        self.store.kept.clear()
        self.clock.advance(60)
        self.ask()
        self.assertEqual(self.calls, 1)
