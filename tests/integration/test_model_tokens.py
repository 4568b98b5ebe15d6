"""A model's tokens are counted as an answer reports them, however its bytes come."""

import json

from naap_twisted.spend.tokens import Tokens

from .support import CHUNKED, PINNED, IntegrationTestCase, chunk, response, until

JSON = "Content-Type: application/json"
EVENTS = "Content-Type: text/event-stream"
CHAT = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def event(document):
    return b"data: " + json.dumps(document).encode() + b"\n\n"


class ModelTokenTests(IntegrationTestCase):
    async def counted(self, kind, body, size):
        """The tokens of *body*, which comes in chunks of *size* and goes out as it came."""
        chunks = b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size))
        self.start(response(200, chunks + chunk(b""), CHUNKED, kind, length=False))
        self.mount("/p", target=self.upstream.origin + "/v1", count_tokens=True)
        site, ended = self.running.server.site(), []
        tell = site.exchange_ended
        self.patch(site, "exchange_ended", lambda request: ended.append(request) or tell(request))
        self.assertEqual((await self.post(path=PINNED)).body, body)
        await until(lambda: ended)
        return ended[0].record.model_tokens

    async def test_a_long_last_event(self):
        """75 kB, with the whole answer in it, behind a long stream."""
        document = {"response": {"output": "x" * 75_000, "usage": CHAT}}
        for size in (1000, 100_000):
            body = event({"delta": "x" * 1000}) * 100 + event(document)
            self.assertEqual(await self.counted(EVENTS, body, size), Tokens(input=3, output=4))

    async def test_a_long_answer(self):
        """Over a megabyte, with the report at its end, or at its beginning."""
        text = "x" * 2_000_000
        for document in ({"text": text, "usage": CHAT}, {"usage": CHAT, "text": text}):
            body = json.dumps(document).encode()
            self.assertEqual(await self.counted(JSON, body, 50_000), Tokens(input=3, output=4))

    async def test_anthropic(self):
        """Its stream tells what came in at the beginning, and what went out at the end."""
        body = event({"message": {"usage": {"input_tokens": 500, "output_tokens": 1}}})
        body += event({"delta": {"text": "x" * 1000}}) * 20
        body += event({"type": "message_delta", "usage": {"output_tokens": 15}})
        for size in (3, 700, 100_000):
            self.assertEqual(await self.counted(EVENTS, body, size), Tokens(input=500, output=15))

    async def test_no_report(self):
        for kind, body in ((JSON, b"{}"), (EVENTS, event({"x": 1}))):
            self.assertIsNone(await self.counted(kind, body, 5))
