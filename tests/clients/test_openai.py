"""OpenAI's clients: a bearer key; they tell an account by header only where it is named."""

from __future__ import annotations

import asyncio

from ..browser.support import until
from . import openai_api, stainless
from .openai_api import QUESTION
from .support import TOKEN, Client, PageClientTestCase, PythonClientTestCase

try:
    import openai
except ImportError:
    openai = None


class _OpenAI:
    provider = "openai"
    base_path = "/v1"
    library = openai

    def make(self, **options):
        return openai.OpenAI(base_url=self.base, **options)


class PythonTests(_OpenAI, stainless.PythonTests, PythonClientTestCase):
    client = Client("openai")

    async def test_responses(self):
        def use(made):
            whole = made.responses.create(model="gpt-x", input="Hi").output_text
            events = made.responses.create(model="gpt-x", input="Hi", stream=True)
            return whole, [event.delta for event in events if event.type.endswith("text.delta")]

        self.assertEqual(await self.ask(self.with_client(use)), ("Hello, Ada", ["Hello, Ada"]))
        await until(lambda: len(self.tokens) == 2)
        self.assertEqual(self.tokens, [(9, 4, 13)] * 2)

    async def test_files(self):
        upload = ("a.jsonl", b"hello", "application/jsonl")
        use = self.with_client(lambda made: made.files.create(file=upload, purpose="assistants"))
        self.assertEqual((await self.ask(use)).id, "file-1")

    async def test_images(self):
        upload = ("a.png", b"\x89PNG", "image/png")
        use = self.with_client(lambda made: made.images.edit(image=upload, prompt="a hat"))
        self.assertEqual((await self.ask(use)).data[0].b64_json, "iVBORw==")

    async def test_embeddings(self):
        use = self.with_client(lambda made: made.embeddings.create(model="e-x", input="Hi"))
        self.assertEqual((await self.ask(use)).data[0].embedding, [0.25, 0.5])

    async def test_account(self):
        """The organisation is never dropped: the call would be billed to another one."""
        use = self.with_client(
            lambda made: made.chat.completions.create(**QUESTION), organization="org-1"
        )
        error = await self.fails(openai.BadRequestError, use)
        self.assertEqual(error.code, "HEADER_NOT_ALLOWED")
        self.assertIn('pass_headers = ["OpenAI-Organization"]', str(error))
        self.assertEqual(self.vendor.calls, [])

    async def test_replay(self):
        """The client makes no key of its own; one that it is given comes with each of its tries."""
        self.begin(replay="10m", timeout=0.5)
        slow, key = {**QUESTION, "model": "slow"}, {"Idempotency-Key": "question-1"}

        def use(made):
            made.chat.completions.create(**QUESTION)
            create = made.chat.completions.with_raw_response.create
            return create(**slow, extra_headers=key)

        answer = await self.ask(self.with_client(use, max_retries=6))
        self.assertEqual(answer.parse().choices[0].message.content, "Hello, Ada")
        self.assertEqual(answer.headers["Idempotent-Replayed"], "true")
        self.assertGreater(answer.retries_taken, 1)
        keys = [call.headers.get("idempotency-key") for call in self.vendor.calls]
        self.assertEqual((keys, self.vendor.aborts), ([None, "question-1"], 0))

    async def test_account_passed(self):
        self.begin(pass_headers=["OpenAI-Organization", "OpenAI-Project"])
        use = self.with_client(
            lambda made: made.chat.completions.create(**QUESTION),
            organization="org-1",
            project="proj-1",
        )
        await self.ask(use)
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["openai-organization"], "org-1")
        self.assertEqual(call.headers["openai-project"], "proj-1")


class AsyncTests(_OpenAI, openai_api.OpenAIApi, PythonClientTestCase):
    client = Client("openai", variant="AsyncOpenAI")

    async def run_client(self, use, **options):
        async def work():
            async with openai.AsyncOpenAI(
                base_url=self.base, api_key=TOKEN, max_retries=0, **options
            ) as made:
                return await use(made)

        return await self.ask(lambda: asyncio.run(work()))

    async def test_chat(self):
        answer = await self.run_client(lambda made: made.chat.completions.create(**QUESTION))
        self.assertEqual(answer.choices[0].message.content, "Hello, Ada")

    async def test_stream(self):
        async def use(made):
            stream = await made.chat.completions.create(**QUESTION, stream=True)
            return [chunk.choices[0].delta.content async for chunk in stream]

        self.assertEqual((await self.run_client(use))[1:3], ["Hello, ", "Ada"])

    async def test_cancel(self):
        """A task that is cancelled leaves, and so does the proxy."""

        async def use(made):
            question = {**QUESTION, "model": "endless"}
            stream = await made.chat.completions.create(**question, stream=True)
            begun = asyncio.Event()

            async def read():
                async for _ in stream:
                    begun.set()

            reading = asyncio.ensure_future(read())
            await begun.wait()
            reading.cancel()
            await asyncio.wait([reading])
            await stream.close()

        await self.run_client(use)
        await until(lambda: self.vendor.aborts == 1)


class PageTests(_OpenAI, stainless.PageTests, PageClientTestCase):
    client = Client("openai", "npm", in_page=True)
    module = f"""
import OpenAI from "openai";
window.Client = OpenAI;
window.made = (baseURL, apiKey, options) =>
  new OpenAI({{ baseURL, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true, ...options }});
{stainless.QUESTION_JS}"""

    async def test_responses(self):
        await self.start()
        text = await self.script(
            """const stream = await made(base, token).responses.create(
                 { model: "gpt-x", input: "Hi", stream: true });
               let text = "";
               for await (const event of stream)
                 if (event.type === "response.output_text.delta") text += event.delta;
               return text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_account(self):
        await self.start()
        self.expect_console("blocked by CORS", "ERR_FAILED")
        self.refused = frozenset(["openai-organization"])
        told = await self.script(
            """return await made(base, token, { organization: "org-1" })
                 .chat.completions.create(question).catch((error) => error.message)"""
        )
        self.assertEqual(told, "Connection error.")
        self.assertEqual(self.vendor.calls, [])
