"""What is built upon OpenAI's API: the base URL and a token are all that it gets."""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from unittest import mock

from . import openai_api
from .support import TOKEN, Client, PythonClientTestCase

try:
    import openai
except ImportError:
    openai = None


class _Framework(openai_api.OpenAIApi, PythonClientTestCase):
    provider = "openai"
    base_path = "/v1"

    async def run_client(self, use):
        """What the coroutine *use(client)* returns, in a loop of its own."""

        async def work():
            where = {"base_url": self.base, "api_key": TOKEN, "max_retries": 0}
            async with openai.AsyncOpenAI(**where) as made:
                return await use(made)

        return await self.ask(lambda: asyncio.run(work()))


class LangchainTests(_Framework):
    client = Client("langchain-openai")

    def model(self, name: str = "gpt-x", **options):
        from langchain_openai import ChatOpenAI

        options.setdefault("max_retries", 0)
        return ChatOpenAI(model=name, base_url=self.base, api_key=TOKEN, **options)

    async def test_chat(self):
        answer = await self.ask(lambda: self.model().invoke("Hi"))
        self.assertEqual(answer.content, "Hello, Ada")
        self.assertEqual(answer.usage_metadata["total_tokens"], 13)

    async def test_stream(self):
        pieces = await self.ask(lambda: [part.content for part in self.model().stream("Hi")])
        self.assertEqual("".join(pieces), "Hello, Ada")

    async def test_error(self):
        error = await self.fails(openai.RateLimitError, lambda: self.model("busy").invoke("Hi"))
        self.assertEqual(error.code, "rate_limit_exceeded")

    async def test_retry(self):
        answer = await self.ask(lambda: self.model("flaky", max_retries=2).invoke("Hi"))
        self.assertEqual((answer.content, len(self.vendor.calls)), ("Hello, Ada", 3))

    async def test_embeddings(self):
        def use():
            from langchain_openai import OpenAIEmbeddings

            # Without a look at the tokens, whose table is downloaded.
            options = {"base_url": self.base, "check_embedding_ctx_length": False}
            return OpenAIEmbeddings(model="e-x", api_key=TOKEN, **options).embed_query("Hi")

        self.assertEqual(await self.ask(use), [0.25, 0.5])


class PydanticAITests(_Framework):
    client = Client("pydantic-ai-slim")

    def agent(self, made, name="gpt-x"):
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return Agent(OpenAIChatModel(name, provider=OpenAIProvider(openai_client=made)))

    async def test_chat(self):
        answer = await self.run_client(lambda made: self.agent(made).run("Hi"))
        self.assertEqual(answer.output, "Hello, Ada")

    async def test_stream(self):
        async def use(made):
            async with self.agent(made).run_stream("Hi") as answer:
                return [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]

        self.assertEqual("".join(await self.run_client(use)), "Hello, Ada")

    async def test_error(self):
        from pydantic_ai.exceptions import ModelHTTPError

        with self.assertRaises(ModelHTTPError) as caught:
            await self.run_client(lambda made: self.agent(made, "busy").run("Hi"))
        error = caught.exception
        self.assertEqual((error.status_code, error.body["code"]), (429, "rate_limit_exceeded"))


class AgentsTests(_Framework):
    client = Client("openai-agents")

    def setUp(self):
        super().setUp()
        self.patch(logging.getLogger("openai.agents"), "disabled", True)

    def agent(self, made, name="gpt-x"):
        from agents import Agent, OpenAIResponsesModel, set_tracing_disabled

        set_tracing_disabled(True)  # traces go to api.openai.com, whatever the client's URL
        return Agent(name="a", model=OpenAIResponsesModel(model=name, openai_client=made))

    async def test_chat(self):
        from agents import Runner

        answer = await self.run_client(lambda made: Runner.run(self.agent(made), "Hi"))
        self.assertEqual(answer.final_output, "Hello, Ada")

    async def test_stream(self):
        from agents import Runner

        async def use(made):
            answer = Runner.run_streamed(self.agent(made), "Hi")
            events = [event async for event in answer.stream_events()]
            raw = (event.data for event in events if event.type == "raw_response_event")
            return [data.delta for data in raw if data.type == "response.output_text.delta"]

        self.assertEqual(await self.run_client(use), ["Hello, Ada"])

    async def test_error(self):
        from agents import Runner

        with self.assertRaises(openai.RateLimitError) as caught:
            await self.run_client(lambda made: Runner.run(self.agent(made, "busy"), "Hi"))
        self.assertEqual(caught.exception.code, "rate_limit_exceeded")


class LiteLLMTests(_Framework):
    client = Client("litellm")

    def complete(self, name="gpt-x", **options):
        # pydantic's, about its types. Its import would ask the internet for a table of prices.
        warnings.filterwarnings("ignore", message=".*`ReadOnly` qualifier")
        with mock.patch.dict(os.environ, {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}):
            import litellm

        litellm.suppress_debug_info = True
        messages = [{"role": "user", "content": "Hi"}]
        where = {"api_base": self.base, "api_key": TOKEN}
        options.setdefault("max_retries", 0)
        return litellm.completion(f"openai/{name}", messages, **where, **options)

    async def test_chat(self):
        answer = await self.ask(self.complete)
        self.assertEqual(answer.choices[0].message.content, "Hello, Ada")

    async def test_stream(self):
        def use():
            pieces = (chunk.choices[0].delta.content for chunk in self.complete(stream=True))
            return "".join(piece or "" for piece in pieces)

        self.assertEqual(await self.ask(use), "Hello, Ada")

    async def test_error(self):
        from litellm import RateLimitError

        error = await self.fails(RateLimitError, lambda: self.complete("busy"))
        self.assertEqual(error.status_code, 429)
