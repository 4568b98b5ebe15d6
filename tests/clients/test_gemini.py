"""Gemini's clients: the key in ``x-goog-api-key``, uploads to a URL that a header names."""

from __future__ import annotations

import asyncio
import io

try:
    from google import genai
    from google.genai import errors, types
except ImportError:
    genai = None

from ..browser.support import until
from .support import KEY, TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply
from .vendor import sse

TEXTS = ("Hello, ", "Ada")


def said(code: int, status: str, message: str, **headers: str) -> Reply:
    return Reply(code, {"error": {"code": code, "message": message, "status": status}}, headers)


def part(text: str, reason: str = "STOP") -> dict:
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": reason,
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 4,
            "totalTokenCount": 7,
        },
        "modelVersion": "gemini-x",
    }


class _Gemini:
    provider = "gemini"

    def begin(self, **route):
        self.faults = []
        super().begin(**route)

    def answer(self, call: Call) -> Reply:
        if "upload_id=7" in call.query:
            return self.uploaded(call)
        if f"key={KEY}" in call.query or not self.key_came(call, "x-goog-api-key"):
            return said(400, "INVALID_ARGUMENT", "API key not valid.")
        if "authorization" in call.headers:
            return said(401, "UNAUTHENTICATED", "Expected OAuth 2 access token")
        if self.faults:
            return said(self.faults.pop(0), "UNAVAILABLE", "The model is overloaded.")
        # The Python client asks for "v1" where the other says "v1beta".
        match call.method, call.path.replace("v1beta", "v1"):
            case "POST", "/v1/models/gemini-x:generateContent":
                return Reply(200, part("".join(TEXTS)))
            case "POST", "/v1/models/gemini-x:streamGenerateContent":
                if call.query != "alt=sse":
                    return said(400, "INVALID_ARGUMENT", "No stream")
                endless = b"endless" in call.body
                return Reply(events=sse(*map(part, TEXTS)), hold=endless)
            case "GET", "/v1/models":
                more = "pageToken=2" in call.query
                name = {"name": "models/gemini-y" if more else "models/gemini-x"}
                return Reply(200, {"models": [name], **({} if more else {"nextPageToken": "2"})})
            case "POST", "/upload/v1/files":
                return self.upload(call)
        return said(404, "NOT_FOUND", "models/gemini-z is not found")

    def upload(self, call: Call) -> Reply:
        wanted = ("start", "resumable", "5", "text/plain")
        names = ("command", "protocol", "header-content-length", "header-content-type")
        if tuple(call.headers.get(f"x-goog-upload-{name}") for name in names) != wanted:
            return said(400, "INVALID_ARGUMENT", "Upload headers are missing")
        port = self.vendor_port
        url = f"http://127.0.0.1:{port}/upload/v1beta/files?upload_id=7&upload_protocol=resumable"
        return Reply(200, {}, {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})

    def uploaded(self, call: Call) -> Reply:
        """The URL itself is the permission; a key is not asked for."""
        if call.headers.get("x-goog-upload-offset") != "0" or call.body != b"hello":
            return said(400, "INVALID_ARGUMENT", "Bad upload")
        file = {"name": "files/1", "mimeType": "text/plain", "sizeBytes": "5", "state": "ACTIVE"}
        return Reply(200, {"file": file}, {"X-Goog-Upload-Status": "final"})


def asked(made, model="gemini-x"):
    return made.models.generate_content(model=model, contents="Hi")


class PythonTests(_Gemini, PythonClientTestCase):
    client = Client("google-genai")

    def made(self, token=TOKEN, **options):
        """A client; one that nothing holds closes itself."""
        options = types.HttpOptions(base_url=self.base, **options)
        return genai.Client(api_key=token, http_options=options)

    def with_client(self, use, token=TOKEN, **options):
        def work():
            with self.made(token, **options) as made:
                return use(made)

        return work

    async def test_chat(self):
        answer = await self.ask(self.with_client(asked))
        self.assertEqual((answer.text, answer.usage_metadata.total_token_count), ("Hello, Ada", 7))
        self.assertIn("google-genai-sdk", self.vendor.calls[0].headers["x-goog-api-client"])
        self.assertEqual(await self.counted(), (3, 4, 7))

    async def test_stream(self):
        def use(made):
            pieces = made.models.generate_content_stream(model="gemini-x", contents="Hi")
            return [piece.text for piece in pieces]

        self.assertEqual(await self.ask(self.with_client(use)), [*TEXTS])
        self.assertEqual(await self.counted(), (3, 4, 7))

    async def test_list(self):
        use = self.with_client(lambda made: [model.name for model in made.models.list()])
        self.assertEqual(await self.ask(use), ["models/gemini-x", "models/gemini-y"])

    async def test_upload(self):
        """To the URL of this server that the vendor's became; there the client sends no key.

        So it is told to send one: ``client_args`` are httpx's.
        """
        file, config = io.BytesIO(b"hello"), {"mime_type": "text/plain"}
        use = self.with_client(
            lambda made: made.files.upload(file=file, config=config),
            client_args={"headers": {"x-goog-api-key": TOKEN}},
        )
        self.assertEqual((await self.ask(use)).name, "files/1")
        self.assertEqual(self.vendor.calls[-1].headers["x-goog-api-key"], KEY)

    async def test_error(self):
        use = self.with_client(lambda made: asked(made, "gemini-z"))
        error = await self.fails(errors.ClientError, use)
        self.assertEqual((error.code, error.status), (404, "NOT_FOUND"))

    async def test_retry(self):
        self.faults = [503, 429]
        retry = types.HttpRetryOptions(attempts=3, initial_delay=0.01)
        await self.ask(self.with_client(asked, retry_options=retry))
        self.assertEqual(len(self.vendor.calls), 3)

    async def test_cancel(self):
        async def use():
            made = self.made()
            stream = await made.aio.models.generate_content_stream(
                model="gemini-x", contents="endless"
            )
            await anext(stream)
            await stream.aclose()
            await made.aio.aclose()

        await self.ask(lambda: asyncio.run(asyncio.wait_for(use(), 20)))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        error = await self.fails(errors.ClientError, self.with_client(asked, "other"))
        self.assertEqual((error.code, self.vendor.calls), (401, []))


class PageTests(_Gemini, PageClientTestCase):
    client = Client("@google/genai", "npm", in_page=True)
    module = """
import { GoogleGenAI, ApiError } from "@google/genai";
Object.assign(window, { ApiError });
window.made = (baseUrl, apiKey, more) =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl, ...more } });
window.question = { model: "gemini-x", contents: "Hi" };
"""

    async def test_chat(self):
        await self.start()
        text = await self.script(
            "return (await made(base, token).models.generateContent(question)).text"
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        await self.start()
        texts = await self.script(
            """const texts = [];
               for await (const piece of await made(base, token).models
                 .generateContentStream(question)) texts.push(piece.text);
               return texts"""
        )
        self.assertEqual(texts, [*TEXTS])

    async def test_list(self):
        await self.start()
        names = await self.script(
            """const names = [];
               for await (const model of await made(base, token).models.list())
                 names.push(model.name);
               return names"""
        )
        self.assertEqual(names, ["models/gemini-x", "models/gemini-y"])

    async def test_upload(self):
        await self.start()
        name = await self.script(
            """const file = new Blob(["hello"], { type: "text/plain" });
               return (await made(base, token).files.upload({ file })).name"""
        )
        self.assertEqual(name, "files/1")

    async def test_error(self):
        await self.start()
        self.expect_console("status of 404")
        error = await self.script(
            """const asked = { ...question, model: "gemini-z" };
               const error = await made(base, token).models.generateContent(asked).catch((e) => e);
               return [error instanceof ApiError, error.status]"""
        )
        self.assertEqual(error, [True, 404])

    async def test_retry(self):
        await self.start()
        self.expect_console("status of")
        self.faults = [503]
        await self.script(
            """const retryOptions = { attempts: 2 };
               await made(base, token, { retryOptions }).models.generateContent(question)"""
        )
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const abort = new AbortController();
               const config = { abortSignal: abort.signal };
               const asked = { ...question, contents: "endless", config };
               const stream = await made(base, token).models.generateContentStream(asked);
               await stream.next();
               abort.abort();"""
        )
        await until(lambda: self.vendor.aborts == 1)
