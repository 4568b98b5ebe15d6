"""Tests of naap_twisted.server.stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted import RateLimit, User, create_plugin_server
from naap_twisted.auth import guests
from naap_twisted.auth.minting import Order
from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import ConfigError, InvalidToken
from naap_twisted.keys.vault import new_master_key
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.limits.redis import RedisRateLimiter
from naap_twisted.options.code import read_server
from naap_twisted.secret import Secret
from naap_twisted.server.stores import State
from tests.keys.memory import MemoryKeyStore
from tests.support import FakeRequest

LIMIT = RateLimit(5, 60.0)


class BuildTests(SynchronousTestCase):
    def build(self, **options) -> State:
        return State(read_server({"name": "x", **options}), Clock())

    def test_nothing(self) -> None:
        """A server that keeps nothing: limits in memory, no usage, and keys say what is missing."""
        empty = self.build()
        self.assertIsNone(empty.usage)
        self.assertIsInstance(empty.limiter("user", LIMIT), MemoryRateLimiter)
        error = self.assertRaises(ConfigError, lambda: empty.keys)
        self.assertIn("state_dir", str(error))

    def test_probes(self) -> None:
        """What can be asked is what is there; Redis is needed where its loss denies."""
        folder = self.mktemp()
        for options, names, needed in (
            ({}, [], False),
            ({"state_dir": folder}, ["database"], False),
            ({"redis_url": "redis://h"}, ["redis"], False),
            ({"redis_url": "redis://h", "on_redis_loss": "deny"}, ["redis"], True),
            ({"state_dir": folder, "redis_url": "redis://h"}, ["database", "redis"], False),
            ({"on_redis_loss": "deny"}, [], False),
        ):
            found = self.build(**options)
            self.assertEqual((list(found.probes()), found.needs_redis), (names, needed))

    def test_own_store(self) -> None:
        """A plugin's own key store takes the place of ours."""
        store = MemoryKeyStore()
        self.assertIs(self.build(keys=store).keys, store)

    def test_redis(self) -> None:
        """Each policy of each server has counts of its own."""
        shared = self.build(redis_url="redis://h")
        limiters = [
            shared.limiter("address", LIMIT),
            shared.policy("route", LIMIT, "/a").limiter,
            shared.policy("route", LIMIT, "/b").limiter,
        ]
        self.assertEqual({type(limiter) for limiter in limiters}, {RedisRateLimiter})
        prefixes = [limiter._prefix for limiter in limiters]
        self.assertEqual(prefixes, ["naap:x:address:", "naap:x:route/a:", "naap:x:route/b:"])


class OpenTests(TestCase):
    timeout = 20

    def build(self, folder: Path, key: str) -> State:
        options = {"name": "x", "state_dir": str(folder), "master_key": key, "page_tokens": {}}
        return State(read_server(options), reactor)

    async def test_open_and_close(self) -> None:
        """Keys and usage outlive the process; the last counts are written at the end."""
        folder, key = Path(self.mktemp()), new_master_key()
        for requests in (1, 2):
            opened = self.build(folder, key)
            opened.open()
            await opened.keys.put("ada", "p", Secret("sk-1234567890"))
            record = ExchangeRecord(user=User("ada"), route="/r", phases={"headers": 0.1})
            opened.usage.ended(record)
            await opened.close()
            again = self.build(folder, key)
            again.open()
            (row,) = (await again.usage.of("ada")).rows
            self.assertEqual(row.counts.requests, requests)
            self.assertEqual(len(await again.keys.describe("ada")), 1)
            await again.close()

    async def test_page_tokens(self) -> None:
        """A restart keeps the key, and forgets no revocation."""
        folder, key = Path(self.mktemp()), new_master_key()
        order = Order("ada", ("/x",), 60, 0, (), "", ())
        request = FakeRequest()
        revoked: list[bool] = []
        for _ in range(2):
            opened = self.build(folder, key)
            opened.open()
            tokens = opened.page_tokens
            assert tokens is not None
            if not request.requestHeaders.hasHeader("authorization"):
                token, grant = tokens.mint(None, order)
                request.requestHeaders.setRawHeaders("authorization", [f"Bearer {token}"])
                await tokens.user_of(request, "/api/v1/x")
                await tokens.revoke(grant.id, "ada")
            with self.assertRaises(InvalidToken) as caught:
                await tokens.user_of(request, "/api/v1/x")
            revoked.append("revoked" in caught.exception.reason)
            await opened.close()
        self.assertEqual(revoked, [True, True])

    async def test_guests(self) -> None:
        """A restart knows its guests; a key that others can read is refused before the start."""
        folder = Path(self.mktemp()).absolute()
        options = {"name": "x", "guest": {}, "state_dir": str(folder)}
        token = ""
        for _ in range(2):
            opened = State(read_server(options), reactor)
            opened.open()
            assert opened.guests is not None
            token = token or opened.guests.admit(opened.guests.new()).token
            request: Any = FakeRequest(headers={"Authorization": f"Bearer {token}"})
            self.assertIsNotNone(opened.guests.authenticate(request))
            await opened.close()
        (folder / guests.FILE_NAME).chmod(0o644)
        error = self.assertRaises(ConfigError, State(read_server(options), reactor).check)
        self.assertIn(guests.FILE_NAME, str(error))

    def test_wrong_master_key(self) -> None:
        """Does not open, and leaves nothing open behind it."""
        folder, key = Path(self.mktemp()), new_master_key()
        first = self.build(folder, key)
        first.open()
        wrong = self.build(folder, new_master_key())
        (line,) = self.assertRaises(ConfigError, wrong.open).problems
        self.assertTrue(line.startswith("master_key: is not the one"), line)
        self.assertIsNone(wrong._database._engine)
        return first.close()

    async def test_rotation(self) -> None:
        """The command's way: new and old in, the new one alone afterwards."""
        folder, old, new = Path(self.mktemp()), new_master_key(), new_master_key()
        first = self.build(folder, old)
        first.open()
        await first.keys.put("ada", "p", Secret("sk-1234567890"))
        await first.close()
        self.assertEqual(self.build(folder, f"{new},{old}").rotate_keys(), 1)
        last = self.build(folder, new)
        last.open()
        self.assertEqual(await last.keys.get("ada", "p"), Secret("sk-1234567890"))
        await last.close()
        self.assertRaises(ConfigError, self.build(folder, old).rotate_keys)
        nothing = State(read_server({"name": "x", "state_dir": str(folder)}), reactor)
        self.assertRaises(ConfigError, nothing.rotate_keys)

    async def test_opened_again(self) -> None:
        """A server that was stopped can start again; opening and closing twice is nothing."""
        kept = self.build(Path(self.mktemp()), new_master_key())
        for _ in range(2):
            kept.open()
            kept.open()
            await kept.keys.put("ada", "p", Secret("sk-1234567890"))
            await kept.close()
            await kept.close()

    async def test_as_a_resource(self) -> None:
        """On anybody's site the keys are open as well, until the reactor stops."""
        server = create_plugin_server(
            "x", state_dir=self.mktemp(), master_key=new_master_key(), require_auth=False
        )
        server.resource()
        self.addCleanup(server.parts.state.close)
        self.assertEqual(await server.keys.describe("ada"), ())
