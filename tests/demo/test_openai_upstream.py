"""The demo's OpenAI-like API over real sockets, with stock treq and the official client."""

import json

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseDone

from naap_twisted.demo.answers import reply_to
from naap_twisted.demo.openai_upstream import MODELS, OpenAIUpstream
from naap_twisted.secret import Secret

from .loopback import AUTHORIZATION, Tally, call, serve, until

try:
    import openai
except ImportError:  # pragma: no cover
    openai = None

PAUSE = 0.05
KEY = AUTHORIZATION.removeprefix("Bearer ")


def chat(model="demo-chat", **members):
    return {"model": model, "messages": [{"role": "user", "content": "Why?"}], **members}


class Reader(Protocol):
    """Takes a streamed body piece by piece."""

    def __init__(self, on_piece=lambda reader: None):
        self.pieces = []
        self.on_piece = on_piece
        self.ended = Deferred()

    def dataReceived(self, data):
        self.pieces.append(data)
        self.on_piece(self)

    def connectionLost(self, reason):
        self.ended.callback(reason.type)


class UpstreamCase(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.upstream = OpenAIUpstream(Secret(AUTHORIZATION), self.clock)
        self.tally = Tally(self.upstream)
        self.base = serve(self, self.upstream.site())

    def post(self, document, path="/v1/chat/completions", **options):
        return call("POST", self.base + path, json=document, **options)

    def tick(self, reader):
        if b"[DONE]" not in reader.pieces[-1]:
            self.clock.advance(PAUSE)


class Plain(UpstreamCase):
    async def test_chat(self):
        """The answer is whole at once and carries OpenAI's headers."""
        response = await self.post(chat())
        body = await response.json()
        self.assertEqual(response.code, 200)
        self.assertEqual(body["choices"][0]["message"]["content"], reply_to("Why?"))
        for name in ("x-request-id", "openai-processing-ms", "x-ratelimit-remaining-requests"):
            self.assertTrue(response.headers.hasHeader(name), name)
        self.assertEqual((self.tally.calls, self.tally.completed), (1, 1))

    async def test_models(self):
        """The list names every model that a user may ask for."""
        body = await (await call("GET", self.base + "/v1/models")).json()
        self.assertEqual([model["id"] for model in body["data"]], list(MODELS))

    async def test_slow_head(self):
        """``demo-slow`` sends nothing before its time has passed."""
        waiting = self.post(chat("demo-slow"))
        await until(self.clock.getDelayedCalls)
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        response = await waiting
        self.assertEqual(response.code, 200)
        await response.content()

    async def test_caller_of_slow_head_leaves(self):
        """The work for a caller that goes away before the head stops."""
        waiting = self.post(chat("demo-slow"))
        await until(self.clock.getDelayedCalls)
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        await until(lambda: self.tally.aborts)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.tally.completed, 0)


class Refused(UpstreamCase):
    async def test_errors(self):
        """Every failure has OpenAI's shape, its status and its code."""
        cases = [
            (chat(), {"key": None}, 401, "invalid_api_key"),
            (chat(), {"key": "Bearer another"}, 401, "invalid_api_key"),
            (chat("demo-401"), {}, 401, "invalid_api_key"),
            (chat("demo-429"), {}, 429, "rate_limit_exceeded"),
            (chat("demo-500"), {}, 500, None),
            ([1], {}, 400, "invalid_json"),
            (chat(), {"path": "/v1/nothing"}, 404, "unknown_url"),
            (chat(), {"path": "/v1/models"}, 405, "unknown_url"),
            (chat(stream=True), {"path": "/v1/responses"}, 400, "unsupported_parameter"),
        ]
        for document, options, status, code in cases:
            response = await self.post(document, **options)
            error = (await response.json())["error"]
            self.assertEqual((response.code, error["code"]), (status, code), document)
            self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertEqual(self.tally.completed, 0)

    async def test_wrong_key_is_not_repeated(self):
        """What came as a key stands nowhere in the answer."""
        response = await self.post(chat(), key="Bearer stolen-key")
        self.assertNotIn(b"stolen", await response.content())

    async def test_rate_limit_headers(self):
        """429 says when to come back, in all the headers that clients read."""
        response = await self.post(chat("demo-429"))
        await response.content()
        for name, value in [
            ("retry-after", "1"),
            ("retry-after-ms", "1000"),
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "0"),
        ]:
            self.assertEqual(response.headers.getRawHeaders(name), [value])


class Streamed(UpstreamCase):
    async def read(self, document, on_piece):
        response = await self.post(document)
        reader = Reader(on_piece)
        response.deliverBody(reader)
        reason = await reader.ended
        return response, reader, reason

    async def test_word_by_word(self):
        """Each event is on the wire before the next one is due; the last says [DONE]."""
        response, reader, reason = await self.read(chat(stream=True), self.tick)
        self.assertTrue(issubclass(reason, ResponseDone))
        self.assertEqual(
            response.headers.getRawHeaders("content-type"), ["text/event-stream; charset=utf-8"]
        )
        # The clock only moves when a piece has come: fewer pieces would mean events held back.
        events = b"".join(reader.pieces).split(b"\n\n")
        self.assertGreaterEqual(len(reader.pieces), len(events) - 2)
        self.assertEqual(events[-2:], [b"data: [DONE]", b""])
        said = [json.loads(event[6:])["choices"][0]["delta"] for event in events[:-2]]
        self.assertEqual("".join(d.get("content", "") for d in said), reply_to("Why?"))
        self.assertEqual((self.tally.completed, self.tally.aborts), (1, 0))

    async def test_pace(self):
        """Twenty words a second."""
        await self.read(chat(stream=True), self.tick)
        events = len(reply_to("Why?").split()) + 2
        self.assertAlmostEqual(self.clock.seconds(), events * PAUSE, places=3)

    async def test_caller_leaves(self):
        """A caller that goes away in the middle stops the work."""
        await self.read(chat(stream=True), lambda reader: reader.transport.loseConnection())
        await until(lambda: self.tally.aborts)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.tally.completed, self.tally.aborts), (0, 1))

    async def test_cut(self):
        """``demo-cut`` ends the connection in the middle: no last chunk, no [DONE]."""
        _, reader, reason = await self.read(chat("demo-cut", stream=True), self.tick)
        self.assertFalse(issubclass(reason, ResponseDone))
        self.assertNotIn(b"[DONE]", b"".join(reader.pieces))
        self.assertGreater(len(reader.pieces), 3)
        self.assertEqual((self.tally.completed, self.tally.aborts), (0, 1))


class OfficialClient(TestCase):
    """The official client parses every answer; it blocks, so it runs in a thread."""

    if openai is None:  # pragma: no cover
        skip = "the openai package is not installed"

    def setUp(self):
        from twisted.internet import reactor

        upstream = OpenAIUpstream(Secret(AUTHORIZATION), reactor, words_per_second=5000.0)
        self.base = serve(self, upstream.site())

    def ask(self, work, key=KEY):
        def run():
            url = f"{self.base}/v1"
            with openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=10) as client:
                return work(client)

        return deferToThread(run)

    async def test_chat(self):
        """Plain chat."""
        answer = await self.ask(lambda client: client.chat.completions.create(**chat()))
        self.assertEqual(answer.choices[0].message.content, reply_to("Why?"))

    async def test_stream(self):
        """``stream=True``, with usage."""
        options = chat(stream=True, stream_options={"include_usage": True})
        chunks = await self.ask(lambda client: list(client.chat.completions.create(**options)))
        said = [c.choices[0].delta.content or "" for c in chunks if c.choices]
        self.assertEqual("".join(said), reply_to("Why?"))
        self.assertGreater(chunks[-1].usage.total_tokens, 10)

    async def test_responses(self):
        """The Responses API."""
        answer = await self.ask(lambda c: c.responses.create(model="demo-chat", input="Why?"))
        self.assertEqual(answer.output_text, reply_to("Why?"))

    async def test_embeddings(self):
        """The client asks for base64 by itself and unpacks it."""
        answer = await self.ask(lambda c: c.embeddings.create(model="demo-chat", input="Why?"))
        self.assertEqual(len(answer.data[0].embedding), 8)

    async def test_models(self):
        """The list of models."""
        listed = await self.ask(lambda client: [model.id for model in client.models.list()])
        self.assertEqual(listed, list(MODELS))

    async def test_errors(self):
        """Statuses become the client's own exceptions."""
        for model, expected in [
            ("demo-401", "AuthenticationError"),
            ("demo-429", "RateLimitError"),
            ("demo-500", "InternalServerError"),
        ]:
            with self.assertRaises(getattr(openai, expected)):
                await self.ask(lambda c, m=model: c.chat.completions.create(**chat(m)))

    async def test_wrong_key(self):
        """A wrong key is an AuthenticationError."""
        with self.assertRaises(openai.AuthenticationError):
            await self.ask(lambda c: c.chat.completions.create(**chat()), key="wrong")
