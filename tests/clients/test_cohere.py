"""Cohere's clients: an API of its own, below ``/v2`` and ``/v1``."""

from __future__ import annotations

from ..browser.support import until
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply
from .vendor import sse

try:
    import cohere
except ImportError:
    cohere = None

QUESTION = {"model": "command-x", "messages": [{"role": "user", "content": "Hi"}]}
USAGE = {
    "billed_units": {"input_tokens": 9, "output_tokens": 4},
    "tokens": {"input_tokens": 9, "output_tokens": 4},
}
ANSWER = {
    "id": "chat-1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello, Ada"}]},
    "usage": USAGE,
}


def _delta(text: str) -> dict:
    delta = {"message": {"content": {"text": text}}}
    return {"type": "content-delta", "index": 0, "delta": delta}


_BEGUN = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
_CONTENT = {"message": {"content": {"type": "text", "text": ""}}}
EVENTS = (
    {"type": "message-start", "id": "chat-1", "delta": {"message": _BEGUN}},
    {"type": "content-start", "index": 0, "delta": _CONTENT},
    _delta("Hello, "),
    _delta("Ada"),
    {"type": "content-end", "index": 0},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
)
MODELS = {"models": [{"name": "command-x", "endpoints": ["chat"], "context_length": 8192}]}


class _Cohere:
    provider = "cohere"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return Reply(401, {"message": "invalid api token"})
        if (call.method, call.path) == ("GET", "/v1/models"):
            return Reply(200, MODELS)
        if (call.method, call.path) == ("POST", "/v1/datasets"):
            return self.dataset(call)
        if (call.method, call.path) == ("POST", "/v2/chat"):
            return self.chat(call)
        return Reply(404, {"message": "not found"})

    def chat(self, call: Call) -> Reply:
        model = call.json["model"]
        if model == "busy" or (model == "flaky" and len(self.vendor.calls) == 1):
            limits = {"retry-after": "2", "x-trial-endpoint-call-limit": "10"}
            return Reply(429, {"message": "You are past the rate limit"}, limits)
        if call.json.get("stream"):
            names = [event["type"] for event in EVENTS]
            return Reply(events=sse(*EVENTS, names=names), hold=model == "endless")
        return Reply(200, ANSWER)

    def dataset(self, call: Call) -> Reply:
        if "name=d" not in call.query or call.form.get("data/a.jsonl") != b"hello":
            return Reply(400, {"message": "name and data are required"})
        return Reply(200, {"id": "dataset-1"})

    def waited(self) -> None:
        """The second try came when the vendor said; by itself the client waits about a second."""
        first, second = self.vendor.calls
        self.assertGreaterEqual(second.at - first.at, 1.99)


class PythonTests(_Cohere, PythonClientTestCase):
    client = Client("cohere")

    def with_client(self, use, token=TOKEN, **options):
        def work():
            options.setdefault("max_retries", 0)
            return use(cohere.ClientV2(token, base_url=self.base, **options))

        return work

    async def test_chat(self):
        answer = await self.ask(self.with_client(lambda made: made.chat(**QUESTION)))
        self.assertEqual(answer.message.content[0].text, "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_stream(self):
        def use(made):
            deltas = [
                event.delta.message.content.text
                for event in made.chat_stream(**QUESTION)
                if event.type == "content-delta"
            ]
            return "".join(deltas)

        self.assertEqual(await self.ask(self.with_client(use)), "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_list(self):
        models = await self.ask(self.with_client(lambda made: made.models.list().models))
        self.assertEqual([model.name for model in models], ["command-x"])

    async def test_upload(self):
        file = ("a.jsonl", b"hello", "application/jsonl")
        use = self.with_client(
            lambda made: made.datasets.create(name="d", type="embed-input", data=file)
        )
        self.assertEqual((await self.ask(use)).id, "dataset-1")

    async def test_error(self):
        use = self.with_client(lambda made: made.chat(**{**QUESTION, "model": "busy"}))
        error = await self.fails(cohere.TooManyRequestsError, use)
        self.assertEqual(error.body, {"message": "You are past the rate limit"})
        self.assertEqual(error.headers["x-trial-endpoint-call-limit"], "10")

    async def test_retry(self):
        question = {**QUESTION, "model": "flaky"}
        use = self.with_client(lambda made: made.chat(**question), max_retries=1)
        self.assertEqual((await self.ask(use)).id, "chat-1")
        self.waited()

    async def test_cancel(self):
        def use(made):
            stream = made.chat_stream(**{**QUESTION, "model": "endless"})
            next(stream)
            stream.close()

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        use = self.with_client(lambda made: made.chat(**QUESTION), token="other")
        await self.fails(cohere.UnauthorizedError, use)
        self.assertEqual(self.vendor.calls, [])

    async def test_client_name(self):
        use = self.with_client(lambda made: made.chat(**QUESTION), client_name="app")
        await self.ask(use)
        self.assertEqual(self.vendor.calls[0].headers["x-client-name"], "app")


class PageTests(_Cohere, PageClientTestCase):
    client = Client("cohere-ai", "npm", in_page=True)
    module = """
import { CohereClientV2, Cohere } from "cohere-ai";
window.Cohere = Cohere;
window.made = (baseUrl, token, options) =>
  new CohereClientV2({ environment: baseUrl, token, maxRetries: 0, ...options });
window.question = { model: "command-x", messages: [{ role: "user", content: "Hi" }] };
"""

    async def test_chat(self):
        await self.start()
        text = await self.script(
            "return (await made(base, token).chat(question)).message.content[0].text"
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        await self.start()
        text = await self.script(
            """let text = "";
               for await (const event of await made(base, token).chatStream(question))
                 if (event.type === "content-delta") text += event.delta.message.content.text;
               return text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_list(self):
        await self.start()
        names = await self.script(
            "return (await made(base, token).models.list()).models.map((model) => model.name)"
        )
        self.assertEqual(names, ["command-x"])

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const file = new File(["hello"], "a.jsonl", { type: "application/jsonl" });
               const wanted = { name: "d", type: "embed-input" };
               return (await made(base, token).datasets.create(file, undefined, wanted)).id"""
        )
        self.assertEqual(name, "dataset-1")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 429")
        error = await self.script(
            """try { await made(base, token).chat({ ...question, model: "busy" }) }
               catch (error) {
                 const typed = error instanceof Cohere.TooManyRequestsError;
                 const limit = error.rawResponse.headers.get("x-trial-endpoint-call-limit");
                 return { typed, status: error.statusCode, limit };
               }"""
        )
        self.assertEqual(error, {"typed": True, "status": 429, "limit": "10"})

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 429")
        name = await self.script(
            """const client = made(base, token, { maxRetries: 1 });
               return (await client.chat({ ...question, model: "flaky" })).id"""
        )
        self.assertEqual(name, "chat-1")
        self.waited()

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const leaving = new AbortController();
               const options = { abortSignal: leaving.signal };
               const wanted = { ...question, model: "endless" };
               const stream = await made(base, token).chatStream(wanted, options);
               for await (const event of stream) break;
               leaving.abort();"""
        )
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        await self.start()
        self.expect_console("status of 401")
        typed = await self.script(
            """return await made(base, "other").chat(question)
                 .catch((error) => error instanceof Cohere.UnauthorizedError)"""
        )
        self.assertEqual((typed, self.vendor.calls), (True, []))
