"""The wallet: many callers of several processes against one budget, over sockets."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError
from twisted.trial.unittest import TestCase

from naap_twisted.testing import RawClient, ScriptedUpstream

from ..adversarial.process import SERVER, ProxyProcess, pinned
from ..servers import NO_POSTGRES, NO_REDIS, Postgres, Redis

PROCESSES, CALLERS, LIMIT = 4, 125, 100
NO_PROCESS = None if sys.platform == "linux" else "needs Linux"
USAGE = {"prompt_tokens": 10, "completion_tokens": 10}
BODY = json.dumps({"usage": USAGE}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
CHAT = b'{"model": "m", "max_tokens": 20}'
#: Tokens of one request at most: its bytes by three, and its limit.
WORST = -(-len(CHAT) // 3) + 20


class WalletTestCase(TestCase):
    """:ivar shared: lines of TOML that name the ledger; of the server, and tables of their own."""

    timeout = 120
    shared: tuple[str, str]
    ready = b"listens on"

    async def start(self, *budgets: str) -> None:
        self.upstream = ScriptedUpstream(self, ANSWER)
        line = f"budget = [{', '.join(budgets)}]"
        of_server, tables = self.shared
        config = SERVER.replace("[server]", f"[server]\n{of_server}", 1)
        routes = tables + pinned("/paid", self.upstream, line)
        self.processes = [ProxyProcess(self, routes, server=config) for _ in range(PROCESSES)]
        await gatherResults([Deferred.fromCoroutine(each.started()) for each in self.processes])
        for process in self.processes:
            await process.until(lambda p=process: self.ready in p.output)  # type: ignore[misc]

    async def ask(self, process: Any, *, leaves: bool = False) -> int:
        """The status; 0 of a caller who left, or whose process died."""
        try:
            client = await RawClient.connect(self, process.port)
        except ConnectError:
            return 0
        headers = {"Content-Type": "application/json"}
        client.request("POST", "/api/v1/paid/chat", headers, CHAT)
        if leaves:
            client.abort()
            return 0
        try:
            answer = await client.answer("POST")
        except EOFError:
            return 0
        return int(answer.status)

    async def all_at_once(self, **how: Any) -> list[int]:
        asked = [self.ask(each, **how) for _ in range(CALLERS) for each in self.processes]
        return await gatherResults([Deferred.fromCoroutine(one) for one in asked])

    async def check_requests(self) -> None:
        """Exactly the limit passes, whoever asks first."""
        await self.start(f'{{ requests = {LIMIT}, per = "month", of = "route" }}')
        statuses = await self.all_at_once()
        self.assertEqual(sorted(statuses), [200] * LIMIT + [429] * (PROCESSES * CALLERS - LIMIT))
        self.assertEqual(len(self.upstream.requests), LIMIT)

    async def check_tokens(self) -> None:
        """What the upstream made is at most the limit and one worst case.

        So it is although callers leave, and a process is killed in the midst of it.
        """
        limit = 20 * 60
        await self.start(f'{{ tokens = {limit}, per = "month", of = "route" }}')
        chance = random.Random(7)
        asked = [
            Deferred.fromCoroutine(self.ask(each, leaves=chance.random() < 0.2))
            for _ in range(CALLERS // 2)
            for each in self.processes[1:]
        ]
        victims = [Deferred.fromCoroutine(self.ask(self.processes[0])) for _ in range(20)]
        self.processes[0].kill()
        await gatherResults([*asked, *victims])
        later = [200]
        while later[-1] == 200 and len(later) < 100:
            later.append(await self.ask(self.processes[1]))
        self.assertEqual(later[-1], 429, "what was reserved and not spent is there for others")
        made = 20 * len(self.upstream.requests)
        self.assertGreater(made, limit // 2)
        self.assertLess(made, limit + WORST)


class RedisTests(WalletTestCase):
    skip = NO_PROCESS or NO_REDIS
    ready = b"limits are shared"

    def setUp(self) -> None:
        self.shared = "", f'[redis]\nurl = "{Redis(self).url}"\non_redis_loss = "deny"\n'

    async def test_requests(self) -> None:
        """Exactly the limit passes, whoever asks first."""
        await self.check_requests()

    async def test_tokens(self) -> None:
        """No more is made than the limit and one worst case."""
        await self.check_tokens()


class PostgresTests(WalletTestCase):
    skip = NO_PROCESS or NO_POSTGRES

    def setUp(self) -> None:
        url = Postgres.shared().database("naap_wallet")
        self.shared = f'database_url = "{url}"', ""

    async def test_requests(self) -> None:
        """Exactly the limit passes, whoever asks first."""
        await self.check_requests()

    async def test_tokens(self) -> None:
        """No more is made than the limit and one worst case."""
        await self.check_tokens()
