"""Mistral's clients: OpenAI's chat below ``/v1``; a page's says what it is in its own header."""

from __future__ import annotations

from ..browser.support import until
from . import openai_api
from .openai_api import QUESTION
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

try:
    from mistralai.client import Mistral, errors, utils
except ImportError:
    Mistral = None

FILE = {
    "id": "00000000-0000-4000-8000-000000000001",
    "object": "file",
    "bytes": 5,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "sample_type": "batch_request",
    "source": "upload",
}
MODEL = {
    "id": "gpt-x",
    "object": "model",
    "type": "base",
    "capabilities": {"completion_chat": True},
}
MESSAGES = QUESTION["messages"]


def said(status: int, message: str, **headers: str) -> Reply:
    document = {"object": "error", "message": message, "type": "error", "param": None}
    return Reply(status, {**document, "code": str(status)}, headers)


class _Mistral(openai_api.OpenAIApi):
    provider = "mistral"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return said(401, "Unauthorized")
        return super().answer(call)

    def _of_model(self, call: Call) -> Reply | None:
        tries = len(self.vendor.calls)
        model = call.json["model"]
        if model == "busy" or (model == "flaky" and tries < 3):
            wait = {"retry-after": "1"} if tries == 1 else {"retry-after-ms": "10"}
            return said(429, "Requests rate limit exceeded", **wait)
        return None

    def get_models(self, call: Call) -> Reply:
        return Reply(200, {"object": "list", "data": [MODEL]})

    def post_files(self, call: Call) -> Reply:
        form = call.form
        if form.get("file/a.jsonl") != b"hello" or form.get("purpose") != b"batch":
            return said(422, "file and purpose are required")
        return Reply(200, FILE)

    def waited(self) -> None:
        """Three tries; without Retry-After the second comes sooner."""
        first, second, _ = self.vendor.calls
        self.assertGreaterEqual(second.at - first.at, 0.99)


class PythonTests(_Mistral, PythonClientTestCase):
    client = Client("mistralai")

    def with_client(self, use, **options):
        def work():
            options.setdefault("api_key", TOKEN)
            with Mistral(server_url=self.base, **options) as made:
                return use(made)

        return work

    async def test_chat(self):
        use = self.with_client(lambda made: made.chat.complete(model="gpt-x", messages=MESSAGES))
        self.assertEqual((await self.ask(use)).choices[0].message.content, "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_stream(self):
        def use(made):
            with made.chat.stream(model="gpt-x", messages=MESSAGES) as events:
                return "".join(event.data.choices[0].delta.content or "" for event in events)

        self.assertEqual(await self.ask(self.with_client(use)), "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_list(self):
        models = await self.ask(self.with_client(lambda made: made.models.list().data))
        self.assertEqual([model.id for model in models], ["gpt-x"])

    async def test_upload(self):
        file = {"file_name": "a.jsonl", "content": b"hello"}
        use = self.with_client(lambda made: made.files.upload(file=file, purpose="batch"))
        self.assertEqual((await self.ask(use)).id, FILE["id"])

    async def test_error(self):
        use = self.with_client(lambda made: made.chat.complete(model="busy", messages=MESSAGES))
        error = await self.fails(errors.SDKError, use)
        self.assertEqual((error.status_code, error.headers["retry-after"]), (429, "1"))

    async def test_retry(self):
        backoff = utils.BackoffStrategy(5, 5000, 1.5, 20_000, 5)
        use = self.with_client(
            lambda made: made.chat.complete(model="flaky", messages=MESSAGES),
            retry_config=utils.RetryConfig("backoff", backoff, False),
        )
        self.assertEqual((await self.ask(use)).id, "chatcmpl-1")
        self.waited()

    async def test_cancel(self):
        def use(made):
            with made.chat.stream(model="endless", messages=MESSAGES) as events:
                next(iter(events))

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        use = self.with_client(
            lambda made: made.chat.complete(model="gpt-x", messages=MESSAGES), api_key="other"
        )
        error = await self.fails(errors.MistralError, use)
        self.assertEqual((error.status_code, self.vendor.calls), (401, []))


class PageTests(_Mistral, PageClientTestCase):
    client = Client("@mistralai/mistralai", "npm", in_page=True)
    module = """
import { Mistral } from "@mistralai/mistralai";
import * as errors from "@mistralai/mistralai/models/errors";
window.errors = errors;
window.made = (serverURL, apiKey, options) => new Mistral({ serverURL, apiKey, ...options });
const messages = [{ role: "user", content: "Hi" }];
window.asked = (model) => ({ model, messages });
"""

    async def test_chat(self):
        await self.start()
        text = await self.script(
            """const answer = await made(base, token).chat.complete(asked("gpt-x"));
               return answer.choices[0].message.content"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        await self.start()
        text = await self.script(
            """const stream = await made(base, token).chat.stream(asked("gpt-x"));
               let text = "";
               for await (const event of stream) text += event.data.choices[0].delta.content ?? "";
               return text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_list(self):
        await self.start()
        ids = await self.script(
            "return (await made(base, token).models.list()).data.map((model) => model.id)"
        )
        self.assertEqual(ids, ["gpt-x"])

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const file = new File(["hello"], "a.jsonl", { type: "application/jsonl" });
               return (await made(base, token).files.upload({ file, purpose: "batch" })).id"""
        )
        self.assertEqual(name, FILE["id"])

    async def test_error(self):
        await self.start()
        self.expect_console("status of 429")
        error = await self.script(
            """try { await made(base, token).chat.complete(asked("busy")) }
               catch (error) {
                 const typed = error instanceof errors.MistralError;
                 const wait = error.headers.get("retry-after");
                 return { typed, status: error.statusCode, wait };
               }"""
        )
        self.assertEqual(error, {"typed": True, "status": 429, "wait": "1"})

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 429")
        name = await self.script(
            """const backoff =
                 { initialInterval: 5, maxInterval: 5000, exponent: 1.5, maxElapsedTime: 20000 };
               const retryConfig = { strategy: "backoff", backoff, retryConnectionErrors: false };
               return (await made(base, token, { retryConfig }).chat.complete(asked("flaky"))).id"""
        )
        self.assertEqual(name, "chatcmpl-1")
        self.waited()

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const stream = await made(base, token).chat.stream(asked("endless"));
               for await (const event of stream) break;"""
        )
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        await self.start()
        self.expect_console("status of 401")
        status = await self.script(
            """return await made(base, "other").chat.complete(asked("gpt-x"))
                 .catch((error) => error.statusCode)"""
        )
        self.assertEqual((status, self.vendor.calls), (401, []))
