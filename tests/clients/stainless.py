"""The clients that Stainless makes: OpenAI's, Azure's of the same package, and Groq's.

They retry 408, 409, 429 and 5xx twice, as Retry-After and ``retry-after-ms`` say; an answer's
``x-should-retry`` comes first.
"""

from __future__ import annotations

from typing import Any

from ..browser.support import until
from .openai_api import QUESTION, OpenAIApi
from .support import TOKEN

RECORDING = ("a.wav", b"RIFF\x00\xff", "audio/wav")


class PythonTests(OpenAIApi):
    """:ivar library: the module, which has the classes of errors."""

    library: Any

    def make(self, **options: Any) -> Any:
        """A client; *options* are its own."""
        raise NotImplementedError

    def with_client(self, use, **options):
        def work():
            options.setdefault("max_retries", 0)
            with self.make(**{"api_key": TOKEN, **options}) as made:
                return use(made)

        return work

    async def test_chat(self):
        use = self.with_client(lambda made: made.chat.completions.create(**QUESTION))
        answer = await self.ask(use)
        self.assertEqual(answer.choices[0].message.content, "Hello, Ada")
        self.assertEqual(answer.usage.total_tokens, 13)
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_stream(self):
        def use(made):
            stream = made.chat.completions.create(**QUESTION, stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

        self.assertEqual(await self.ask(self.with_client(use)), "Hello, Ada")
        self.assertEqual(await self.counted(), (9, 4, 13))

    async def test_list(self):
        models = await self.ask(self.with_client(lambda made: made.models.list().data))
        self.assertEqual([model.id for model in models], ["gpt-x"])

    async def test_upload(self):
        use = self.with_client(
            lambda made: made.audio.transcriptions.create(file=RECORDING, model="whisper-x")
        )
        self.assertEqual((await self.ask(use)).text, "Hello, Ada")

    async def test_error(self):
        question = {**QUESTION, "model": "busy"}
        use = self.with_client(lambda made: made.chat.completions.create(**question))
        error = await self.fails(self.library.RateLimitError, use)
        told = error.body.get("error", error.body)
        self.assertEqual((error.status_code, told["code"]), (429, "rate_limit_exceeded"))
        self.assertEqual(error.response.headers["x-ratelimit-reset-requests"], "1s")
        self.assertEqual(error.response.headers["retry-after"], "1")

    async def test_retry(self):
        """With its own count of tries, and after the time that the vendor said."""

        def use():
            with self.make(api_key=TOKEN) as made:
                return made.chat.completions.create(**{**QUESTION, "model": "flaky"})

        self.assertEqual((await self.ask(use)).id, "chatcmpl-1")
        self.waited()

    def waited(self) -> None:
        """The client tried thrice; without Retry-After it would have waited half a second."""
        calls = self.vendor.calls
        counts = [call.headers["x-stainless-retry-count"] for call in calls]
        self.assertEqual(counts, ["0", "1", "2"])
        self.assertGreaterEqual(calls[1].at - calls[0].at, 0.99)

    async def test_slow(self):
        """An answer that takes longer than the route waits is paid once, not thrice."""
        self.begin(timeout="1s")

        def use():
            with self.make(api_key=TOKEN) as made:
                return made.chat.completions.create(**{**QUESTION, "model": "slow"})

        error = await self.fails(self.library.InternalServerError, use)
        told = error.body.get("error", error.body)
        self.assertEqual((error.status_code, told["code"]), (504, "UPSTREAM_TIMEOUT"))
        self.assertEqual(len(self.vendor.calls), 1)

    async def test_cancel(self):
        def use(made):
            question = {**QUESTION, "model": "endless"}
            stream = made.chat.completions.create(**question, stream=True)
            next(iter(stream))
            stream.close()

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        """The client's key is the caller's token; another one is nobody's."""
        use = self.with_client(
            lambda made: made.chat.completions.create(**QUESTION), api_key="other"
        )
        await self.fails(self.library.AuthenticationError, use)
        self.assertEqual(self.vendor.calls, [])


QUESTION_JS = """
const messages = [{ role: "user", content: "Hi" }];
window.question = { model: "gpt-x", messages };
"""


class PageTests(OpenAIApi):
    """The module puts on ``window``: Client, ``made(base, token, options)``, question."""

    waited = PythonTests.waited

    async def test_chat(self):
        await self.start()
        text = await self.script(
            """const answer = await made(base, token).chat.completions.create(question);
               return answer.choices[0].message.content"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        await self.start()
        text = await self.script(
            """const wanted = { ...question, stream: true };
               const stream = await made(base, token).chat.completions.create(wanted);
               let text = "";
               for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
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
        text = await self.script(
            """const bytes = new Uint8Array([82, 73, 70, 70, 0, 255]);
               const file = new File([bytes], "a.wav", { type: "audio/wav" });
               const wanted = { file, model: "whisper-x" };
               return (await made(base, token).audio.transcriptions.create(wanted)).text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 429")
        error = await self.script(
            """const wanted = { ...question, model: "busy" };
               try { await made(base, token).chat.completions.create(wanted) }
               catch (error) {
                 const typed = error instanceof Client.RateLimitError;
                 const told = error.error.error ?? error.error;
                 const reset = error.headers.get("x-ratelimit-reset-requests");
                 return { typed, status: error.status, code: told.code, reset };
               }"""
        )
        self.assertEqual(
            error, {"typed": True, "status": 429, "code": "rate_limit_exceeded", "reset": "1s"}
        )

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 429")
        name = await self.script(
            """const wanted = { ...question, model: "flaky" };
               const client = made(base, token, { maxRetries: undefined });
               return (await client.chat.completions.create(wanted)).id"""
        )
        self.assertEqual(name, "chatcmpl-1")
        self.waited()

    async def test_slow(self):
        """A page can read that it is not to try again."""
        await self.start(timeout="1s")
        self.expect_console("status of 504")
        error = await self.script(
            """const client = made(base, token, { maxRetries: undefined });
               return await client.chat.completions.create({ ...question, model: "slow" })
                 .catch((error) => (error.error.error ?? error.error).code)"""
        )
        self.assertEqual((error, len(self.vendor.calls)), ("UPSTREAM_TIMEOUT", 1))

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const wanted = { ...question, model: "endless", stream: true };
               const stream = await made(base, token).chat.completions.create(wanted);
               for await (const chunk of stream) break;"""
        )
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        await self.start()
        self.expect_console("status of 401")
        typed = await self.script(
            """return await made(base, "other").chat.completions.create(question)
                 .catch((error) => error instanceof Client.AuthenticationError)"""
        )
        self.assertEqual((typed, self.vendor.calls), (True, []))
