"""A model's tokens are counted as an answer reports them, however its bytes come."""

import gzip
import json

from naap_twisted.spend.tokens import Tokens
from naap_twisted.testing import PAUSE

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

    async def streamed(self, body, **route):
        """What the upstream got and the page, of a stream by OpenAI that reports where asked."""
        said = [event({"choices": [{"delta": {"content": "Hi"}}], "usage": None})] * 3
        said += [event({"choices": [], "usage": CHAT}), b"data: [DONE]\n\n"]
        packed = route.pop("packed", None)
        whole = b"".join(said)
        sent = packed(whole) if packed else whole
        coding = ["Content-Encoding: gzip"] if packed else []
        chunks = b"".join(chunk(sent[at : at + 7]) for at in range(0, len(sent), 7))
        self.start(response(200, chunks + chunk(b""), CHUNKED, EVENTS, *coding, length=False))
        self.mount(
            "/p", target=self.upstream.origin, provider="openai", forward_headers={}, **route
        )
        self.ended = []
        site = self.running.server.site()
        tell = site.exchange_ended
        self.patch(
            site, "exchange_ended", lambda request: self.ended.append(request) or tell(request)
        )
        answer = await self.post(body, path=PINNED + "/chat/completions")
        await until(lambda: self.ended)
        extra = b"".join(said[:3] + said[4:])
        return self.upstream.requests[0], answer, whole, extra

    async def test_asked_for(self):
        """A stream is counted where the page did not ask, and the page gets what it asked for."""
        asks = b'{"stream": true,"stream_options":{"include_usage":true}}'
        for packed in (None, gzip.compress):
            received, answer, _, plain = await self.streamed(b'{"stream": true}', packed=packed)
            self.assertEqual(received.body, asks)
            self.assertEqual(answer.body, plain)
            self.assertIsNone(answer.header("Content-Encoding"))
            self.assertEqual(self.ended[0].record.model_tokens, Tokens(input=3, output=4))

    async def test_asked_by_the_page(self):
        """Nothing changes where the page asked itself, nor where nothing is counted."""
        asks = b'{"stream": true, "stream_options": {"include_usage": true}}'
        received, answer, whole, _ = await self.streamed(asks)
        self.assertEqual((received.body, answer.body), (asks, whole))
        self.assertEqual(self.ended[0].record.model_tokens, Tokens(input=3, output=4))
        received, answer, whole, _ = await self.streamed(b'{"stream": true}', count_tokens=False)
        self.assertEqual((received.body, answer.body), (b'{"stream": true}', whole))
        self.assertIsNone(self.ended[0].record.model_tokens)

    async def test_compressed(self):
        """Counted, while the bytes pass as they are."""
        body = json.dumps({"text": "x" * 5000, "usage": CHAT}).encode()
        packed = gzip.compress(body)
        self.start(response(200, packed, JSON, "Content-Encoding: gzip"))
        self.mount("/p", target=self.upstream.origin + "/v1", count_tokens=True)
        site, ended = self.running.server.site(), []
        tell = site.exchange_ended
        self.patch(site, "exchange_ended", lambda request: ended.append(request) or tell(request))
        self.assertEqual((await self.post(path=PINNED)).body, packed)
        await until(lambda: ended)
        record = ended[0].record
        self.assertEqual(record.model_tokens, Tokens(input=3, output=4))
        self.assertEqual(record.answer_text, len(body))

    async def test_a_caller_who_leaves(self):
        """What was reported, and what had come, count up to then."""
        begun = event({"message": {"usage": {"input_tokens": 500, "output_tokens": 1}}})
        begun += event({"delta": {"text": "x" * 1000}}) * 26
        self.start(response(200, chunk(begun), CHUNKED, EVENTS, length=False), PAUSE)
        self.mount("/p", target=self.upstream.origin + "/v1", count_tokens=True)
        site, ended = self.running.server.site(), []
        tell = site.exchange_ended
        self.patch(site, "exchange_ended", lambda request: ended.append(request) or tell(request))
        client = await self.running.client()
        client.request("POST", PINNED, self.headers(), b"{}")
        await client.until(lambda: client.buffer.count(b'"delta"') == 26)
        client.abort()
        await until(lambda: ended)
        record = ended[0].record
        self.assertEqual(record.outcome, "client_gone")
        self.assertEqual(record.model_tokens, Tokens(input=500, output=1))
        self.assertEqual((record.answer_text, record.answer_events), (26_000, 26))

    async def test_no_report(self):
        for kind, body in ((JSON, b"{}"), (EVENTS, event({"x": 1}))):
            self.assertIsNone(await self.counted(kind, body, 5))
