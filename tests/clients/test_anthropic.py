"""Anthropic's clients: the key in ``x-api-key``, a version in every request."""

from __future__ import annotations

import asyncio

try:
    import anthropic
except ImportError:
    anthropic = None

from ..browser.support import until
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply
from .vendor import sse

QUESTION = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hello, Ada"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 4},
}
BEGUN = {
    **MESSAGE,
    "content": [],
    "stop_reason": None,
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
EVENTS = (
    {"type": "message_start", "message": BEGUN},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello, Ada"},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 4},
    },
    {"type": "message_stop"},
)


MODELS = {
    "data": [
        {
            "id": "claude-x",
            "type": "model",
            "display_name": "X",
            "created_at": "2026-01-01T00:00:00Z",
        }
    ],
    "has_more": False,
    "first_id": "claude-x",
    "last_id": "claude-x",
}
FILE = {
    "id": "file_1",
    "type": "file",
    "filename": "a.txt",
    "mime_type": "text/plain",
    "size_bytes": 5,
    "created_at": "2026-01-01T00:00:00Z",
    "downloadable": False,
}


def said(status: int, kind: str, message: str, **headers: str) -> Reply:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return Reply(status, error, {"request-id": "req_011", **headers})


class _Anthropic:
    provider = "anthropic"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "x-api-key"):
            return said(401, "authentication_error", "invalid x-api-key")
        if "anthropic-version" not in call.headers:
            return said(400, "invalid_request_error", "anthropic-version: header is required")
        if call.path == "/v1/models":
            return Reply(200, MODELS)
        if call.path == "/v1/files":
            return self.file(call)
        model = call.json["model"]
        if model == "busy":
            return said(529, "overloaded_error", "Overloaded", **{"retry-after": "0"})
        if call.json.get("stream"):
            names = [event["type"] for event in EVENTS]
            return Reply(events=sse(*EVENTS, names=names), hold=model == "endless")
        return Reply(200, MESSAGE, {"request-id": "req_011"})

    def file(self, call: Call) -> Reply:
        if b'name="file"; filename="a.txt"' not in call.body or b"hello" not in call.body:
            return said(400, "invalid_request_error", "file: Field required")
        return Reply(200, FILE)


class PythonTests(_Anthropic, PythonClientTestCase):
    client = Client("anthropic")

    def with_client(self, use, **options):
        def work():
            options.setdefault("max_retries", 0)
            with anthropic.Anthropic(api_key=TOKEN, base_url=self.base, **options) as made:
                return use(made)

        return work

    async def test_chat(self):
        answer = await self.ask(self.with_client(lambda made: made.messages.create(**QUESTION)))
        self.assertEqual(answer.content[0].text, "Hello, Ada")
        self.assertEqual(answer._request_id, "req_011")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_stream(self):
        def use(made):
            with made.messages.stream(**QUESTION) as stream:
                return "".join(stream.text_stream), stream.get_final_message().usage.output_tokens

        self.assertEqual(await self.ask(self.with_client(use)), ("Hello, Ada", 4))
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_list(self):
        models = await self.ask(self.with_client(lambda made: list(made.models.list())))
        self.assertEqual([model.id for model in models], ["claude-x"])

    async def test_upload(self):
        upload = ("a.txt", b"hello", "text/plain")
        use = self.with_client(lambda made: made.beta.files.upload(file=upload))
        self.assertEqual((await self.ask(use)).id, "file_1")

    async def test_error(self):
        question = {**QUESTION, "model": "busy"}
        use = self.with_client(lambda made: made.messages.create(**question))
        error = await self.fails(anthropic.APIStatusError, use)
        self.assertEqual(
            (error.status_code, error.body["error"]["type"]), (529, "overloaded_error")
        )
        self.assertEqual(error.request_id, "req_011")

    async def test_retry(self):
        """The client tries again as the vendor's Retry-After says, with its own count of tries."""
        question = {**QUESTION, "model": "busy"}
        use = self.with_client(lambda made: made.messages.create(**question), max_retries=2)
        await self.fails(anthropic.APIStatusError, use)
        counts = [call.headers["x-stainless-retry-count"] for call in self.vendor.calls]
        self.assertEqual(counts, ["0", "1", "2"])

    async def test_cancel(self):
        def use(made):
            stream = made.messages.create(**{**QUESTION, "model": "endless"}, stream=True)
            next(iter(stream))
            stream.close()

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        """The client's key is the caller's token; another one is nobody's."""

        def use():
            with anthropic.Anthropic(api_key="other", base_url=self.base, max_retries=0) as made:
                made.messages.create(**QUESTION)

        await self.fails(anthropic.AuthenticationError, use)
        self.assertEqual(self.vendor.calls, [])


class AsyncTests(_Anthropic, PythonClientTestCase):
    client = Client("anthropic", variant="async")

    def run_with(self, use):
        async def work():
            options = {"api_key": TOKEN, "base_url": self.base, "max_retries": 0}
            async with anthropic.AsyncAnthropic(**options) as made:
                return await use(made)

        return self.ask(lambda: asyncio.run(asyncio.wait_for(work(), 20)))

    async def test_chat(self):
        """All that the client says of itself goes up."""
        answer = await self.run_with(lambda made: made.messages.create(**QUESTION))
        self.assertEqual(answer.content[0].text, "Hello, Ada")
        said = {name for name in self.vendor.calls[0].headers if name.startswith("x-stainless-")}
        wanted = ("lang", "package-version", "os", "arch", "runtime", "runtime-version", "async")
        self.assertLessEqual({f"x-stainless-{name}" for name in wanted}, said)

    async def test_stream(self):
        async def use(made):
            async with made.messages.stream(**QUESTION) as stream:
                return "".join([text async for text in stream.text_stream])

        self.assertEqual(await self.run_with(use), "Hello, Ada")

    async def test_list(self):
        async def use(made):
            return [model.id async for model in made.models.list()]

        self.assertEqual(await self.run_with(use), ["claude-x"])

    async def test_error(self):
        async def use(made):
            with self.assertRaises(anthropic.APIStatusError) as caught:
                await made.messages.create(**{**QUESTION, "model": "busy"})
            return caught.exception.status_code

        self.assertEqual(await self.run_with(use), 529)

    async def test_cancel(self):
        async def use(made):
            stream = await made.messages.create(**{**QUESTION, "model": "endless"}, stream=True)
            await anext(aiter(stream))
            await stream.close()

        await self.run_with(use)
        await until(lambda: self.vendor.aborts == 1)


class PageTests(_Anthropic, PageClientTestCase):
    client = Client("@anthropic-ai/sdk", "npm", in_page=True)
    module = """
import Anthropic from "@anthropic-ai/sdk";
window.Anthropic = Anthropic;
window.made = (baseURL, apiKey) =>
  new Anthropic({ baseURL, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true });
const messages = [{ role: "user", content: "Hi" }];
window.question = { model: "claude-x", max_tokens: 64, messages };
"""

    async def test_chat(self):
        await self.start()
        text = await self.script(
            "return (await made(base, token).messages.create(question)).content[0].text"
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        await self.start()
        text = await self.script(
            """const stream = made(base, token).messages.stream(question);
               return (await stream.finalMessage()).content[0].text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_list(self):
        await self.start()
        ids = await self.script(
            "return (await made(base, token).models.list()).data.map((model) => model.id)"
        )
        self.assertEqual(ids, ["claude-x"])

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const file = new File(["hello"], "a.txt", { type: "text/plain" });
               return (await made(base, token).beta.files.upload({ file })).id"""
        )
        self.assertEqual(name, "file_1")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 529")
        error = await self.script(
            """try { await made(base, token).messages.create({ ...question, model: "busy" }) }
               catch (error) {
                 const typed = error instanceof Anthropic.InternalServerError;
                 return { typed, status: error.status, id: error.requestID };
               }"""
        )
        self.assertEqual(error, {"typed": True, "status": 529, "id": "req_011"})

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 529")
        await self.script(
            """const client = made(base, token).withOptions({ maxRetries: 2 });
               await client.messages.create({ ...question, model: "busy" }).catch(() => 0)"""
        )
        self.assertEqual(len(self.vendor.calls), 3)

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const stream = await made(base, token).messages.create(
                 { ...question, model: "endless", stream: true });
               for await (const event of stream) break;"""
        )
        await until(lambda: self.vendor.aborts == 1)
