"""Python's HTTP clients, with nothing but a URL and a bearer token, call OpenAI's route."""

from __future__ import annotations

import asyncio
import json

try:
    import aiohttp
    import httpx
    import requests
    import urllib3
except ImportError:
    aiohttp = httpx = requests = urllib3 = None

from ..browser.support import until
from .openai_api import COMPLETION, MODELS, QUESTION, OpenAIApi
from .support import TOKEN, Client, PythonClientTestCase

STREAMED = {**QUESTION, "stream": True}
FILE = ("a.jsonl", b"hello", "application/jsonl")


class _Calls(OpenAIApi):
    """A subclass says how its client does what each of these is about, in ``ways``."""

    provider = "openai"
    base_path = "/v1"

    def bearer(self, token: str = TOKEN) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    async def test_chat(self):
        url = f"{self.base}/chat/completions"
        status, headers, body = await self.ask(lambda: self.post(url, QUESTION, self.bearer()))
        self.assertEqual((status, json.loads(body)), (200, COMPLETION))
        self.assertEqual(headers["openai-processing-ms"], "7")
        self.assertEqual(headers["x-upstream-request-id"], "req_1")

    async def test_list(self):
        status, _, body = await self.ask(lambda: self.get(f"{self.base}/models", self.bearer()))
        self.assertEqual((status, json.loads(body)), (200, MODELS))

    async def test_upload(self):
        url = f"{self.base}/files"
        status, _, body = await self.ask(lambda: self.upload(url, self.bearer()))
        self.assertEqual((status, json.loads(body)["id"]), (200, "file-1"))

    async def test_error(self):
        """The vendor's own, with its Retry-After."""
        url, question = f"{self.base}/chat/completions", {**QUESTION, "model": "busy"}
        status, headers, body = await self.ask(lambda: self.post(url, question, self.bearer()))
        self.assertEqual((status, headers["retry-after"]), (429, "1"))
        self.assertEqual(json.loads(body)["error"]["code"], "rate_limit_exceeded")

    async def test_token(self):
        url = f"{self.base}/chat/completions"
        answer = await self.ask(lambda: self.post(url, QUESTION, self.bearer("other")))
        self.assertEqual((answer[0], self.vendor.calls), (401, []))

    async def test_stream(self):
        """Read to its end."""
        url = f"{self.base}/chat/completions"
        lines = await self.ask(lambda: self.lines(url, STREAMED, self.bearer(), 99))
        events = [line.removeprefix("data: ") for line in lines if line]
        self.assertEqual(events[-1], "[DONE]")
        deltas = (json.loads(event)["choices"][0]["delta"] for event in events[:-1])
        self.assertEqual("".join(delta.get("content", "") for delta in deltas), "Hello, Ada")

    async def test_cancel(self):
        """Left after the first line."""
        url, question = f"{self.base}/chat/completions", {**STREAMED, "model": "endless"}
        (line,) = await self.ask(lambda: self.lines(url, question, self.bearer(), 1))
        self.assertTrue(line.startswith("data: {"))
        await until(lambda: self.vendor.aborts == 1)


def _first(lines, most):
    """At most *most* of the *lines*; no further one is waited for."""
    read = []
    for line in lines:
        read.append(line.decode() if isinstance(line, bytes) else line)
        if len(read) == most:
            break
    return read


class HttpxTests(_Calls, PythonClientTestCase):
    client = Client("httpx")

    def get(self, url, headers):
        answer = httpx.get(url, headers=headers)
        return answer.status_code, answer.headers, answer.content

    def post(self, url, document, headers):
        answer = httpx.post(url, json=document, headers=headers)
        return answer.status_code, answer.headers, answer.content

    def upload(self, url, headers):
        form = {"purpose": "assistants"}
        answer = httpx.post(url, data=form, files={"file": FILE}, headers=headers)
        return answer.status_code, answer.headers, answer.content

    def lines(self, url, document, headers, most):
        with httpx.stream("POST", url, json=document, headers=headers) as answer:
            return _first(answer.iter_lines(), most)


class RequestsTests(_Calls, PythonClientTestCase):
    client = Client("requests")

    def get(self, url, headers):
        answer = requests.get(url, headers=headers, timeout=20)
        return answer.status_code, answer.headers, answer.content

    def post(self, url, document, headers):
        answer = requests.post(url, json=document, headers=headers, timeout=20)
        return answer.status_code, answer.headers, answer.content

    def upload(self, url, headers):
        form = {"purpose": "assistants"}
        answer = requests.post(url, data=form, files={"file": FILE}, headers=headers, timeout=20)
        return answer.status_code, answer.headers, answer.content

    def lines(self, url, document, headers, most):
        options = {"headers": headers, "timeout": 20, "stream": True}
        with requests.post(url, json=document, **options) as answer:
            return _first(answer.iter_lines(chunk_size=1), most)


class Urllib3Tests(_Calls, PythonClientTestCase):
    client = Client("urllib3")

    def get(self, url, headers):
        answer = urllib3.request("GET", url, headers=headers)
        return answer.status, answer.headers, answer.data

    def post(self, url, document, headers):
        answer = urllib3.request("POST", url, json=document, headers=headers)
        return answer.status, answer.headers, answer.data

    def upload(self, url, headers):
        form = {"purpose": "assistants", "file": FILE}
        answer = urllib3.request("POST", url, fields=form, headers=headers)
        return answer.status, answer.headers, answer.data

    def lines(self, url, document, headers, most):
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "POST", url, json=document, headers=headers, preload_content=False
            )
            try:
                return [line.rstrip("\n") for line in _first(_whole_lines(answer), most)]
            finally:
                answer.close()


def _whole_lines(answer):
    rest = b""
    for piece in answer.stream(1):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


class AiohttpTests(_Calls, PythonClientTestCase):
    client = Client("aiohttp")

    def _request(self, method, url, headers, read, **options):
        async def work():
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, headers=headers, **options) as answer,
            ):
                return answer.status, answer.headers, await read(answer)

        return asyncio.run(work())

    def get(self, url, headers):
        return self._request("GET", url, headers, aiohttp.ClientResponse.read)

    def post(self, url, document, headers):
        return self._request("POST", url, headers, aiohttp.ClientResponse.read, json=document)

    def upload(self, url, headers):
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", FILE[1], filename=FILE[0], content_type=FILE[2])
        return self._request("POST", url, headers, aiohttp.ClientResponse.read, data=form)

    def lines(self, url, document, headers, most):
        async def read(answer):
            lines = []
            async for line in answer.content:
                lines.append(line.decode().rstrip("\n"))
                if len(lines) == most:
                    break
            return lines

        return self._request("POST", url, headers, read, json=document)[2]


class LossTests(OpenAIApi, PythonClientTestCase):
    """What every test of a client relies on: a header that goes nowhere is noticed."""

    provider = "openai"
    base_path = "/v1"

    def setUp(self):
        self.client = HttpxTests.client
        super().setUp()

    async def test_noticed(self):
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Odd": "1", "User-Agent": "ada/1"}
        answer = await self.ask(lambda: httpx.get(f"{self.base}/models", headers=headers))
        self.assertEqual(answer.status_code, 200)
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["user-agent"], "ada/1")
        self.assertEqual(self._dropped, ["X-Odd"])
        self._dropped.clear()
