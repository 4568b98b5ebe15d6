"""The stage of the tests of idempotent replay."""

from __future__ import annotations

import json

from .support import ORIGIN, IntegrationTestCase, response

PINNED = "/api/v1/p"
JSON = "Content-Type: application/json"
PAID = response(200, b'{"id": "pi_1"}', JSON)
PROMPT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = json.dumps({**PROMPT, "max_tokens": 50}).encode()
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
COUNTED = response(200, json.dumps({"usage": USAGE}).encode(), JSON)
TOKENS = [{"tokens": 1000, "per": "day"}]


class ReplayTestCase(IntegrationTestCase):
    def begin(self, *steps, server=None, **route):
        self.start(*(steps or (PAID,)), server=server)
        self.mount("/p", **{"target": f"{self.upstream.origin}/v1", "replay": "10m", **route})
        self.replays = self.running.server.parts.state.replays

    async def pay(self, key="k1", body=b'{"amount": 5}', method="POST", path="/pay", **more):
        keys = [key] if isinstance(key, str) else key
        more = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {"Origin": ORIGIN, "Content-Type": "application/json", **more}
        pairs = list(headers.items())
        pairs += [("Idempotency-Key", each) for each in keys]
        return await self.running.ask(method, PINNED + path, pairs, body)

    async def call(self, body=b'{"amount": 5}'):
        """A request on a connection that the test can cut."""
        client = await self.running.client()
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
        client.request("POST", f"{PINNED}/pay", headers, body)
        return client

    def asked(self, count):
        self.assertEqual(len(self.upstream.requests), count)

    def outcomes(self):
        return {outcome: count for (_, outcome), count in self.replays.counts.items()}

    def spent(self):
        tables = self.running.server.parts.state.ledger._tables.values()
        accounts = [account for table in tables for account, _ in table.values()]
        return [(sum(a.spent.values()), sum(a.held.values())) for a in accounts]

    def assert_conflict(self, answer, *, running):
        self.assertEqual(answer.status, 409)
        self.assertEqual(answer.json()["error"]["code"], "IDEMPOTENCY_CONFLICT")
        told = answer.header("Retry-After"), answer.header("X-Should-Retry")
        self.assertEqual(told, ("1", None) if running else (None, "false"))
