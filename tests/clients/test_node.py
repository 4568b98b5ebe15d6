"""Vercel's AI SDK, in Node and in a page, and Node's HTTP clients; they call OpenAI's route."""

from __future__ import annotations

from ..browser.support import until
from .openai_api import COMPLETION, MODELS, OpenAIApi
from .support import Client, NodeClientTestCase, PageClientTestCase


class _OpenAI(OpenAIApi):
    provider = "openai"
    base_path = "/v1"


SDK = """
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embed, generateText, streamText } from "ai";
globalThis.model = (baseURL, apiKey, name) => createOpenAI({ baseURL, apiKey }).chat(name);
globalThis.SDK = { APICallError, createOpenAI, embed, generateText, streamText };
"""


class _Vercel(_OpenAI):
    """The scripts are the same in Node and in a page."""

    async def test_chat(self):
        text = await self.script(
            """const options = { model: model(base, token, "gpt-x"), prompt: "Hi" };
               return (await SDK.generateText(options)).text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_responses(self):
        text = await self.script(
            """const openai = SDK.createOpenAI({ baseURL: base, apiKey: token });
               return (await SDK.generateText({ model: openai("gpt-x"), prompt: "Hi" })).text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_stream(self):
        text = await self.script(
            """const options = { model: model(base, token, "gpt-x"), prompt: "Hi" };
               let text = "";
               for await (const piece of SDK.streamText(options).textStream) text += piece;
               return text"""
        )
        self.assertEqual(text, "Hello, Ada")

    async def test_error(self):
        error = await self.script(
            """const options = { model: model(base, token, "busy"), prompt: "Hi", maxRetries: 0 };
               return await SDK.generateText(options).catch((error) => ({
                 typed: SDK.APICallError.isInstance(error),
                 status: error.statusCode,
                 wait: error.responseHeaders["retry-after"],
                 code: error.data.error.code,
               }))"""
        )
        told = {"typed": True, "status": 429, "wait": "1", "code": "rate_limit_exceeded"}
        self.assertEqual(error, told)

    async def test_retry(self):
        text = await self.script(
            """const options = { model: model(base, token, "flaky"), prompt: "Hi" };
               return (await SDK.generateText(options)).text"""
        )
        self.assertEqual(text, "Hello, Ada")
        self.assertEqual(len(self.vendor.calls), 3)

    async def test_cancel(self):
        await self.script(
            """const leaving = new AbortController();
               const options = { model: model(base, token, "endless"), prompt: "Hi" };
               const answer = SDK.streamText({ ...options, abortSignal: leaving.signal });
               for await (const piece of answer.textStream) break;
               leaving.abort();"""
        )
        await until(lambda: self.vendor.aborts == 1)


class VercelNodeTests(_Vercel, NodeClientTestCase):
    client = Client("@ai-sdk/openai", "npm")
    module = SDK


class VercelPageTests(_Vercel, PageClientTestCase):
    client = Client("@ai-sdk/openai", "npm", in_page=True)
    module = SDK

    async def script(self, body):
        await self.start()
        self.expect_console("status of 429")
        return await super().script(body)


class _Calls(_OpenAI):
    """A module of a subclass says how its client gets, posts, uploads and streams."""

    async def test_chat(self):
        answer = await self.script(
            """const question = { model: "gpt-x", messages: [{ role: "user", content: "Hi" }] };
               return await post(`${base}/chat/completions`, question, token)"""
        )
        self.assertEqual(answer, COMPLETION)

    async def test_list(self):
        self.assertEqual(await self.script("return await get(`${base}/models`, token)"), MODELS)

    async def test_upload(self):
        name = await self.script(
            """const form = new FormData();
               form.set("purpose", "assistants");
               form.set("file", new File(["hello"], "a.jsonl", { type: "application/jsonl" }));
               return (await upload(`${base}/files`, form, token)).id"""
        )
        self.assertEqual(name, "file-1")

    async def test_error(self):
        error = await self.script(
            """const question = { model: "busy", messages: [{ role: "user", content: "Hi" }] };
               return await post(`${base}/chat/completions`, question, token)
                 .catch((error) => ({ name: error.name, status: error.response.status
                   ?? error.response.statusCode }))"""
        )
        self.assertEqual(error, {"name": self.error, "status": 429})

    async def test_stream(self):
        """Read to its end, and left early."""
        text = await self.script(
            """const messages = [{ role: "user", content: "Hi" }];
               const question = { model: "gpt-x", messages, stream: true };
               let text = "";
               const pieces = await stream(`${base}/chat/completions`, question, token);
               for await (const piece of pieces) text += Buffer.from(piece).toString();
               const endless = { ...question, model: "endless" };
               const others = await stream(`${base}/chat/completions`, endless, token);
               for await (const piece of others) break;
               return text"""
        )
        self.assertTrue(text.endswith("data: [DONE]\n\n"))
        await until(lambda: self.vendor.aborts == 1)


class AxiosTests(_Calls, NodeClientTestCase):
    client = Client("axios", "npm")
    error = "AxiosError"
    module = """
import axios from "axios";
const as = (token, more) => ({ headers: { Authorization: `Bearer ${token}` }, ...more });
const get = async (url, token) => (await axios.get(url, as(token))).data;
const post = async (url, json, token) => (await axios.post(url, json, as(token))).data;
const upload = post;
const stream = (url, json, token) =>
  axios.post(url, json, as(token, { responseType: "stream" })).then((answer) => answer.data);
"""


class KyTests(_Calls, NodeClientTestCase):
    client = Client("ky", "npm")
    error = "HTTPError"
    module = """
import ky from "ky";
const as = (token, more) => ({ headers: { Authorization: `Bearer ${token}` }, ...more });
const get = (url, token) => ky.get(url, as(token)).json();
const post = (url, json, token) => ky.post(url, as(token, { json })).json();
const upload = (url, body, token) => ky.post(url, as(token, { body })).json();
const stream = async (url, json, token) => (await ky.post(url, as(token, { json }))).body;
"""


class GotTests(_Calls, NodeClientTestCase):
    client = Client("got", "npm")
    error = "HTTPError"
    module = """
import got from "got";
const as = (token, more) => ({ headers: { Authorization: `Bearer ${token}` }, ...more });
const get = (url, token) => got(url, as(token)).json();
const post = (url, json, token) => got.post(url, as(token, { json })).json();
const upload = (url, body, token) => got.post(url, as(token, { body })).json();
const stream = async (url, json, token) => got.stream.post(url, as(token, { json }));
"""
