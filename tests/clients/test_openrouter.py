"""OpenRouter's clients: OpenAI's chat; the app is named by HTTP-Referer and a title."""

from __future__ import annotations

from ..browser.support import until
from . import openai_api
from .openai_api import QUESTION
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

try:
    import openrouter
    from openrouter import errors, utils
except ImportError:
    openrouter = None

MODEL = {
    "id": "gpt-x",
    "canonical_slug": "gpt-x",
    "name": "X",
    "created": 1,
    "context_length": 8192,
    "default_parameters": None,
    "per_request_limits": None,
    "supported_parameters": ["max_tokens"],
    "supported_voices": None,
    "pricing": {"prompt": "0", "completion": "0"},
    "links": {"details": "/api/v1/models/gpt-x/endpoints"},
    "top_provider": {"is_moderated": False, "context_length": 8192},
    "architecture": {
        "modality": "text->text",
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "tokenizer": "Other",
        "instruct_type": None,
    },
}
FILE = {
    "_shape": "openrouter",
    "id": "file-1",
    "type": "file",
    "filename": "a.txt",
    "mime_type": "text/plain",
    "size_bytes": 5,
    "created_at": "2026-01-01T00:00:00Z",
    "downloadable": False,
}
MESSAGES = QUESTION["messages"]


def said(status: int, message: str, **headers: str) -> Reply:
    return Reply(status, {"error": {"code": status, "message": message}}, headers)


class _OpenRouter(openai_api.OpenAIApi):
    provider = "openrouter"
    base_path = "/api/v1"
    root = "/api/v1"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return said(401, "No auth credentials found")
        if "referer" in call.headers:
            return said(400, "a browser's Referer names a user's page, not the app")
        return super().answer(call)

    def _of_model(self, call: Call) -> Reply | None:
        model = call.json["model"]
        if model == "busy":
            limits = {"x-ratelimit-reset": "1767225600000", "retry-after": "1"}
            return said(429, "Rate limit exceeded", **limits)
        tries = len(self.vendor.calls)
        if model == "flaky" and tries < 3:
            wait = {"retry-after": "1"} if tries == 1 else {"retry-after-ms": "10"}
            return said(503, "No provider", **wait)
        return None

    def get_models(self, call: Call) -> Reply:
        return Reply(200, {"data": [MODEL], "links": {"next": None}, "total_count": 1})

    def post_files(self, call: Call) -> Reply:
        if call.form.get("file/a.txt") != b"hello":
            return said(400, "file is required")
        return Reply(200, FILE)

    def named_the_app(self) -> None:
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["http-referer"], "https://app.example")
        self.assertEqual(call.headers["x-openrouter-title"], "App")

    def waited(self) -> None:
        """Three tries; without Retry-After the second comes sooner."""
        first, second, _ = self.vendor.calls
        self.assertGreaterEqual(second.at - first.at, 0.99)


class PythonTests(_OpenRouter, PythonClientTestCase):
    client = Client("openrouter")

    def with_client(self, use, **options):
        def work():
            once = utils.RetryConfig("none", None, False)
            options.setdefault("retry_config", once)
            options.setdefault("api_key", TOKEN)
            with openrouter.OpenRouter(server_url=self.base, **options) as made:
                return use(made)

        return work

    async def test_chat(self):
        use = self.with_client(lambda made: made.chat.send(model="gpt-x", messages=MESSAGES))
        self.assertEqual((await self.ask(use)).choices[0].message.content, "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_attribution(self):
        use = self.with_client(
            lambda made: made.chat.send(model="gpt-x", messages=MESSAGES),
            http_referer="https://app.example",
            x_open_router_title="App",
        )
        await self.ask(use)
        self.named_the_app()

    async def test_stream(self):
        def use(made):
            with made.chat.send(model="gpt-x", messages=MESSAGES, stream=True) as events:
                return "".join(event.choices[0].delta.content or "" for event in events)

        self.assertEqual(await self.ask(self.with_client(use)), "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_list(self):
        models = await self.ask(self.with_client(lambda made: made.models.list().result.data))
        self.assertEqual([model.id for model in models], ["gpt-x"])

    async def test_upload(self):
        file = {"file_name": "a.txt", "content": b"hello", "content_type": "text/plain"}
        use = self.with_client(lambda made: made.files.upload(file=file))
        self.assertEqual((await self.ask(use)).id, "file-1")

    async def test_error(self):
        use = self.with_client(lambda made: made.chat.send(model="busy", messages=MESSAGES))
        error = await self.fails(errors.TooManyRequestsResponseError, use)
        self.assertEqual((error.status_code, error.data.error.code), (429, 429))
        self.assertEqual(error.headers["x-ratelimit-reset"], "1767225600000")

    async def test_retry(self):
        backoff = utils.BackoffStrategy(5, 5000, 1.5, 20_000, 5)
        use = self.with_client(
            lambda made: made.chat.send(model="flaky", messages=MESSAGES),
            retry_config=utils.RetryConfig("backoff", backoff, False),
        )
        self.assertEqual((await self.ask(use)).id, "chatcmpl-1")
        self.waited()

    async def test_cancel(self):
        def use(made):
            with made.chat.send(model="endless", messages=MESSAGES, stream=True) as events:
                next(iter(events))

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        use = self.with_client(
            lambda made: made.chat.send(model="gpt-x", messages=MESSAGES), api_key="other"
        )
        error = await self.fails(errors.OpenRouterError, use)
        self.assertEqual((error.status_code, self.vendor.calls), (401, []))


class PageTests(_OpenRouter, PageClientTestCase):
    client = Client("@openrouter/sdk", "npm", in_page=True)
    module = """
import { OpenRouter } from "@openrouter/sdk";
import * as errors from "@openrouter/sdk/models/errors";
window.errors = errors;
window.made = (serverURL, apiKey, options) =>
  new OpenRouter({ serverURL, apiKey, retryConfig: { strategy: "none" }, ...options });
const messages = [{ role: "user", content: "Hi" }];
window.asked = (model, more) => ({ chatRequest: { model, messages, ...more } });
"""

    async def test_chat(self):
        await self.start()
        text = await self.script(
            """const answer = await made(base, token).chat.send(asked("gpt-x"));
               return answer.choices[0].message.content"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_attribution(self):
        await self.start()
        await self.script(
            """const app = { httpReferer: "https://app.example", appTitle: "App" };
               await made(base, token, app).chat.send(asked("gpt-x"));"""
        )
        self.named_the_app()

    async def test_stream(self):
        await self.start()
        text = await self.script(
            """const stream = await made(base, token).chat.send(asked("gpt-x", { stream: true }));
               let text = "";
               for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
               return text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_list(self):
        await self.start()
        ids = await self.script(
            """const pages = await made(base, token).models.list();
               return pages.result.data.map((model) => model.id)"""
        )
        self.assertEqual(ids, ["gpt-x"])

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const file = new File(["hello"], "a.txt", { type: "text/plain" });
               return (await made(base, token).files.upload({ requestBody: { file } })).id"""
        )
        self.assertEqual(name, "file-1")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 429")
        error = await self.script(
            """try { await made(base, token).chat.send(asked("busy")) }
               catch (error) {
                 const typed = error instanceof errors.TooManyRequestsResponseError;
                 return { typed, reset: error.headers.get("x-ratelimit-reset") };
               }"""
        )
        self.assertEqual(error, {"typed": True, "reset": "1767225600000"})

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 503")
        name = await self.script(
            """const backoff =
                 { initialInterval: 5, maxInterval: 5000, exponent: 1.5, maxElapsedTime: 20000 };
               const retryConfig = { strategy: "backoff", backoff, retryConnectionErrors: false };
               return (await made(base, token, { retryConfig }).chat.send(asked("flaky"))).id"""
        )
        self.assertEqual(name, "chatcmpl-1")
        self.waited()

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const stream = await made(base, token).chat.send(asked("endless", { stream: true }));
               for await (const chunk of stream) break;"""
        )
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        await self.start()
        self.expect_console("status of 401")
        status = await self.script(
            """return await made(base, "other").chat.send(asked("gpt-x"))
                 .catch((error) => error.statusCode)"""
        )
        self.assertEqual((status, self.vendor.calls), (401, []))
