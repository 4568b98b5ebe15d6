"""Budgets, over sockets: who passes, what is booked, what a caller is told."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import capturedLogs

from naap_twisted.errors import BudgetExceeded

from .support import CHUNKED, ORIGIN, IntegrationTestCase, chunk, response, until

PINNED = "/api/v1/p"
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
ANSWER = response(200, json.dumps({"usage": USAGE}).encode(), "Content-Type: application/json")
PRICE = {"input": 1, "output": 2}


class BudgetTestCase(IntegrationTestCase):
    def begin(self, *steps, server=None, **route):
        prices = {"gpt-4o-mini": PRICE}
        self.start(*(steps or (ANSWER,)), server={"prices": prices, **(server or {})})
        self.mount("/p", target=f"{self.upstream.origin}/v1", **route)

    async def chat(self, **more):
        body = json.dumps({**CHAT, **more}).encode()
        return await self.running.ask(
            "POST", f"{PINNED}/chat", {"Origin": ORIGIN, "Content-Type": "application/json"}, body
        )

    def spent(self):
        """What each account of the ledger has spent, and what is held beside it."""
        tables = self.running.server.parts.state.ledger._tables.values()
        accounts = [account for table in tables for account, _ in table.values()]
        return [(sum(a.spent.values()), sum(a.held.values())) for a in accounts]


class RequestBudgetTests(BudgetTestCase):
    async def test_exactly_so_many(self):
        """Of many at once exactly the limit passes; the others are told when to come again."""
        self.begin(budget=[{"requests": 5, "per": "day"}])
        answers = await gatherResults([self._ask() for _ in range(20)])
        self.assertEqual(sorted(answer.status for answer in answers), [200] * 5 + [429] * 15)
        self.assertEqual(len(self.upstream.requests), 5)
        refused = next(answer for answer in answers if answer.status == 429)
        error = refused.json()["error"]
        self.assertEqual((error["code"], error["type"]), ("BUDGET_EXCEEDED", "rate_limit_error"))
        self.assertTrue(0 < int(refused.header("Retry-After")) <= 86_400)
        self.assertEqual(refused.header("X-Should-Retry"), "false")

    def _ask(self):
        return Deferred.fromCoroutine(self.chat())

    async def test_what_never_went(self):
        """A request that reached no upstream costs nothing."""
        self.start(ANSWER)
        self.mount("/p", target="http://127.0.0.1:1", budget=[{"requests": 1, "per": "hour"}])
        self.assertEqual((await self.chat()).status, 502)
        self.assertEqual(self.spent(), [(0, 0)])

    async def test_told(self):
        """A page reads what is left; half of a budget and all of it are told in the log."""
        self.begin(budget=[{"requests": 2, "per": "hour"}, {"tokens": 1000, "per": "24h"}])
        with capturedLogs() as captured:
            answer = await self.chat()
            await self.chat()
        left = answer.header("X-Budget-Remaining")
        self.assertTrue(left.startswith("requests=1;per=hour, tokens="), left)
        self.assertIn("X-Budget-Remaining", answer.header("Access-Control-Expose-Headers"))
        lines = [e["percent"] for e in captured if "percent" in e and "requests" in e["budget"]]
        self.assertEqual(lines, [50, 80, 100])

    async def test_watched(self):
        """A budget that is watched only refuses nobody."""
        self.begin(budget=[{"requests": 1, "per": "hour", "mode": "audit"}])
        self.assertEqual([(await self.chat()).status for _ in range(3)], [200] * 3)
        self.assertEqual(self.spent(), [(3, 0)])

    async def test_together_or_not_at_all(self):
        """What one budget refuses takes nothing from the others."""
        server = {"budget": [{"requests": 1, "per": "day", "of": "server"}]}
        self.begin(server=server, budget=[{"requests": 9, "per": "day"}])
        self.assertEqual([(await self.chat()).status for _ in range(3)], [200, 429, 429])
        self.assertEqual(self.spent(), [(1, 0), (1, 0)])


class MoneyBudgetTests(BudgetTestCase):
    JSON = "Content-Type: application/json"

    async def transcribe(self, path, kind, body):
        return await self.running.ask("POST", f"{PINNED}{path}", {"Content-Type": kind}, body)

    async def test_a_transcription(self):
        """Seconds of a recording are paid by the minute; without a report its bytes tell them."""
        usage = {"text": "Hi", "usage": {"type": "duration", "seconds": 9}}
        told = response(200, json.dumps(usage).encode(), self.JSON)
        plain = response(200, b"Hi", "Content-Type: text/plain")
        prices = {"whisper-1": {"per_minute": "0.006"}}
        file = b"x" * 20_000
        form = (
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
            b"%b\r\n--b--\r\n" % file
        )
        kind = "multipart/form-data; boundary=b"
        # A second costs 100,000 billionths of a dollar, and has 2,000 bytes.
        for answer, spent in ((told, 900_000), (plain, 100 * -(-len(form) // 2))):
            self.begin(
                answer,
                server={"prices": prices},
                content_type=["multipart/form-data"],
                budget=[{"usd": 1, "per": "day"}],
            )
            found = await self.transcribe("/audio/transcriptions", kind, form)
            self.assertEqual(found.status, 200)
            self.assertEqual(self.spent(), [(spent, 0)])

    async def test_deepgram(self):
        """Its model is in the query, the length in the answer's metadata."""
        document = {"metadata": {"duration": 25.5, "channels": 1}, "results": {}}
        self.begin(
            response(200, json.dumps(document).encode(), self.JSON),
            server={"prices": {}},
            provider="deepgram",
            budget=[{"usd": 1, "per": "day"}],
        )
        path = "/listen?model=nova-3"
        self.assertEqual((await self.transcribe(path, "audio/mpeg", b"x" * 999)).status, 200)
        self.assertEqual(self.spent(), [(1_827_500, 0)])
        refused = await self.transcribe("/listen?model=other", "audio/mpeg", b"x")
        self.assertEqual(refused.json()["error"]["code"], "MODEL_NOT_ALLOWED")

    async def test_another_model_answers(self):
        """Paid is the dearer of the model that was asked for and the one that answers."""
        prices = {"gpt-4o-mini": PRICE, "big": {"input": 10, "output": 20}}
        document = {"model": "big-2026-11-01", "choices": [], "usage": USAGE}
        event = b"data: " + json.dumps(document).encode() + b"\n\n"
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        for answer in (
            response(200, json.dumps(document).encode(), self.JSON),
            head + chunk(event) + b"0\r\n\r\n",
        ):
            self.begin(answer, server={"prices": prices}, budget=[{"usd": 1, "per": "day"}])
            self.assertEqual((await self.chat()).status, 200)
            self.assertEqual(self.spent(), [(170_000, 0)])


class TokenBudgetTests(BudgetTestCase):
    async def test_reported(self):
        """What the answer reports is booked, not what was reserved."""
        self.begin(budget=[{"tokens": 1000, "per": "day"}, {"usd": 1, "per": "month"}])
        self.assertEqual((await self.chat()).status, 200)
        # 9 tokens at 1 USD and 4 at 2 USD a million, in billionths.
        self.assertEqual(self.spent(), [(13, 0), (17_000, 0)])

    async def test_no_more_than_one_worst_case_past(self):
        """A request passes while something is left, and reserves what it may cost."""
        self.begin(budget=[{"tokens": 20, "per": "day"}])
        self.assertEqual([(await self.chat()).status for _ in range(3)], [200, 200, 429])
        self.assertEqual(self.spent(), [(26, 0)])

    async def test_no_report(self):
        """What nobody reports is estimated, and never free: the question, and what came back."""
        self.begin(response(200, b"x" * 300, "Content-Type: application/json"), budget=TOKENS)
        await self.chat()
        ((spent, held),) = self.spent()
        question = -(-len(json.dumps(CHAT)) // 3)
        self.assertEqual((spent, held), (question + 100, 0))

    async def test_a_caller_who_leaves(self):
        """Half a stream costs what was sent and received of it."""
        event = b"data: " + json.dumps({"choices": [{"delta": {"content": "word"}}]}).encode()
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        self.begin(head + chunk(event + b"\n\n") * 26, budget=TOKENS)
        client = await self.running.client()
        body = json.dumps({**CHAT, "stream": True}).encode()
        client.request("POST", f"{PINNED}/chat", {"Content-Type": "application/json"}, body)
        for _ in range(26):
            await client.read_until(b"word")
        await client.stop()
        await until(lambda: self.spent()[0][1] == 0)
        ((spent, _),) = self.spent()
        self.assertEqual(spent, -(-len(body) // 3) + max(26, -(-26 * 4 // 3)))

    async def test_an_answer_that_is_cut(self):
        """Past ``max_response``: booked is what came until then, and nothing stays reserved."""
        event = b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % (b"word " * 20)
        head = response(200, b"", "Content-Type: text/event-stream", CHUNKED, length=False)
        self.begin(
            *(head, chunk(event), chunk(event), chunk(event)),
            budget=[{"tokens": 10_000, "per": "day"}],
            max_response=2 * len(event),
        )
        with self.assertRaises(EOFError):
            await self.chat(max_tokens=5_000, stream=True)
        ((spent, held),) = self.spent()
        self.assertEqual(held, 0)
        self.assertTrue(40 < spent < 400, spent)

    async def test_no_answer(self):
        """Where the upstream may have answered and nobody heard it, all of it is spent."""
        self.begin(b"", budget=TOKENS, timeout=0.3)
        self.assertEqual((await self.chat()).status, 504)
        ((spent, held),) = self.spent()
        self.assertEqual((spent, held), (-(-len(json.dumps(CHAT)) // 3) + 50, 0))

    async def test_an_error(self):
        """An upstream that refuses has worked for nobody."""
        self.begin(response(400, b"{}", "Content-Type: application/json"), budget=TOKENS)
        await self.chat()
        self.assertEqual(self.spent(), [(0, 0)])

    async def test_two_readings(self):
        """A body of which nobody can tell what it costs is refused."""
        self.begin(budget=TOKENS)
        body = json.dumps(CHAT)[:-1].encode() + b', "max_tokens": 100000}'
        headers = {"Content-Type": "application/json"}
        answer = await self.running.ask("POST", f"{PINNED}/chat", headers, body)
        self.assertEqual(answer.status, 422)
        self.assertEqual(self.upstream.connections, 0)

    async def test_chunked(self):
        """A body whose type nobody reads, and whose length nobody told, is not free."""
        self.begin(budget=TOKENS, content_type="*/*")
        client = await self.running.client()
        lines = (
            *(f"POST {PINNED}/chat HTTP/1.1", f"Host: 127.0.0.1:{self.running.port}"),
            *("Content-Type: text/plain", "Transfer-Encoding: chunked"),
        )
        client.send("\r\n".join((*lines, "", "")).encode())
        await self.upstream.until(lambda: self.upstream.connections)
        ((_, held),) = self.spent()
        self.assertEqual(held, 1 + 4096)
        client.send(chunk(json.dumps(CHAT).encode()) + b"0\r\n\r\n")
        self.assertEqual((await client.answer("POST")).status, 200)
        await until(lambda: self.spent()[0][1] == 0)
        self.assertEqual(self.spent(), [(13, 0)])

    async def test_no_price(self):
        """Money is not spent on a model whose price nobody knows."""
        self.begin(budget=[{"usd": 1, "per": "day"}])
        for model in ("o9", None, 5):
            answer = await self.chat(model=model)
            self.assertEqual(answer.status, 403)
            self.assertEqual(answer.json()["error"]["code"], "MODEL_NOT_ALLOWED")
        self.assertEqual(self.upstream.connections, 0)
        self.assertEqual((await self.chat(model="gpt-4o-mini-2024-07-18")).status, 200)


TOKENS = [{"tokens": 100_000, "per": "day"}]


class AnswerTests(IntegrationTestCase):
    def test_words(self):
        """Each unit has its own, and none says how much others spent."""
        for unit, word in (("requests", "requests"), ("tokens", "tokens"), ("usd", "money")):
            error = BudgetExceeded(5, unit=unit, reason="x")
            self.assertEqual(
                error.message, f"The budget of {word} is spent, please try again later"
            )
