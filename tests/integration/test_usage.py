"""Usage as it is kept: what an exchange did cost, by model, and through the end of a process."""

from __future__ import annotations

import json
import os
import signal

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from naap_twisted.admin.metrics import ServerCollector
from naap_twisted.secret import Secret
from naap_twisted.spend.sql import SqlUsageStore
from naap_twisted.spend.totals import Question
from naap_twisted.storage.database import Database
from naap_twisted.testing import RawClient, ScriptedUpstream

from ..adversarial.process import NO_PROCESS, SERVER, ProxyProcess, pinned
from ..servers import NO_POSTGRES, Postgres
from .support import CHUNKED, IntegrationTestCase, chunk, response, until

PATH = "/api/v1/p"
JSON = {"Content-Type": "application/json"}
CHAT = json.dumps({"model": "gpt-4o-mini", "messages": [], "max_tokens": 50}).encode()
REPORT = {
    "model": "gpt-4o-mini-2024-07-18",
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
ANSWER = response(200, json.dumps(REPORT).encode(), "Content-Type: application/json")
PRICES = {"gpt-4o-mini": {"input": 1, "output": 2}}


class UsageTests(IntegrationTestCase):
    def begin(self, *steps, prices=PRICES, **budget):
        server = {"prices": prices, "state_dir": self.mktemp()}
        self.start(*steps, server=server)
        budget = {"per": "month", **(budget or {"tokens": 9999})}
        self.mount("/p", target=f"{self.upstream.origin}/v1", budget=[budget])
        self.book = self.running.server.parts.state.usage

    async def chat(self, body=CHAT):
        return await self.running.ask("POST", f"{PATH}/chat", JSON, body)

    async def row(self):
        """The only row of the store."""
        totals = await self.book.totals(Question(("user", "route", "model")))
        (row,) = totals.rows
        return row.names, row.counts

    async def test_cost(self):
        """Tokens by kind, what they cost and the model that the answer names; by nobody."""
        for budget in ({"tokens": 9999}, {"usd": 5}):
            self.begin(ANSWER, **budget)
            await self.chat()
            names, counts = await self.row()
            self.assertEqual(names, {"user": "", "route": PATH, "model": "gpt-4o-mini-2024-07-18"})
            found = (counts.input_tokens, counts.cached_input_tokens, counts.output_tokens)
            self.assertEqual((*found, counts.reasoning_tokens), (9, 5, 4, 2))
            # 9 tokens at 1 USD and 4 at 2 USD a million, in billionths.
            self.assertEqual((counts.usd_nanos, counts.estimated_tokens), (17_000, 0))

    async def test_scraped(self):
        """/metrics counts by route, with no label that a caller chooses."""
        self.begin(ANSWER)
        for _ in range(2):
            await self.chat()
        families = {f.name: f for f in ServerCollector(self.running.server).collect()}
        tokens = families["naap_spend_tokens"].samples
        self.assertEqual({sample.labels["route"] for sample in tokens}, {PATH})
        found = {sample.labels["kind"]: sample.value for sample in tokens}
        self.assertEqual(found, {"input": 18, "cached_input": 10, "output": 8, "reasoning": 4})
        (usd,) = families["naap_spend_usd"].samples
        self.assertEqual((usd.value, usd.labels), (0.000034, {"route": PATH}))

    async def test_estimated(self):
        """Where nobody reports: the estimate, marked, under the priced model of the request."""
        self.begin(response(200, b"x" * 30, "Content-Type: application/json"))
        await self.chat()
        names, counts = await self.row()
        self.assertEqual(names["model"], "gpt-4o-mini")
        self.assertEqual((counts.estimated_requests, counts.estimated_share), (1, 1.0))
        self.assertGreater(counts.usd_nanos, 0)

    async def test_invented_model(self):
        """A name that nobody has a price for is none to count under."""
        self.begin(response(200, b"{}", "Content-Type: application/json"))
        for n in range(3):
            await self.chat(CHAT.replace(b"gpt-4o-mini", b"invented-%d" % n))
        names, counts = await self.row()
        self.assertEqual((names["model"], counts.requests), ("", 3))

    async def test_a_caller_who_leaves(self):
        """Half a stream is counted as well, as it was booked."""
        event = b'data: {"model": "gpt-4o-mini", "choices": [{"delta": {"content": "word"}}]}\n\n'
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        self.begin(head + chunk(event) * 3)
        client = await self.running.client()
        client.request("POST", f"{PATH}/chat", JSON, CHAT.replace(b"{", b'{"stream": true, ', 1))
        await client.read_until(b"word")
        client.abort()
        await until(lambda: self.book._fresh)
        names, counts = await self.row()
        self.assertEqual((names["model"], counts.requests), ("gpt-4o-mini", 1))
        self.assertEqual(counts.estimated_tokens, counts.total_tokens)
        self.assertGreaterEqual(counts.output_tokens, 1)


class ProcessTests(TestCase):
    """Real processes that add to one database."""

    timeout = 60
    skip = NO_PROCESS

    async def check(self, line, database):
        """Two processes, one of which is told to end at once, and the other after its write."""
        upstream = ScriptedUpstream(self, ANSWER)
        config = SERVER.replace("[server]", f"[server]\n{line}", 1)
        routes = pinned("/paid", upstream)
        processes = [ProxyProcess(self, routes, server=config) for _ in range(2)]
        await gatherResults([Deferred.fromCoroutine(each.started()) for each in processes])
        asked = [Deferred.fromCoroutine(self.ask(p)) for _ in range(20) for p in processes]
        self.assertEqual(await gatherResults(asked), [200] * 40)
        os.kill(processes[0].pid, signal.SIGTERM)
        await processes[0].until(lambda: processes[0].ended)
        database.open()
        self.addCleanup(database.close)
        store = SqlUsageStore(database)
        whole = (await store.totals(Question(()))).whole
        self.assertGreaterEqual(whole.requests, 20, "what SIGTERM ended has written")
        while whole.requests < 40:  # written within seconds; the test's timeout bounds it
            whole = (await store.totals(Question(()))).whole
        processes[1].kill()
        await processes[1].until(lambda: processes[1].ended)
        whole = (await store.totals(Question(()))).whole
        self.assertEqual((whole.requests, whole.status_2xx), (40, 40))

    async def ask(self, process):
        client = await RawClient.connect(self, process.port)
        client.request("POST", "/api/v1/paid/chat", JSON, CHAT)
        return (await client.answer("POST")).status

    async def test_sqlite(self):
        """In SQLite: nothing is lost at SIGTERM, and a killed process had written soon before."""
        folder = os.path.abspath(self.mktemp())
        await self.check(f'state_dir = "{folder}"', Database.in_directory(folder, reactor))

    async def test_postgres(self):
        """In PostgreSQL as well."""
        url = Postgres.shared().database("naap_usage_ends")
        await self.check(f'database_url = "{url}"', Database.at(Secret(url), reactor))

    test_postgres.skip = NO_POSTGRES
