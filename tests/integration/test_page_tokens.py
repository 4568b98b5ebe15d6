"""Page tokens over sockets: the key of stock SDKs, and minted as the documentation shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue

from naap_twisted import create_external_proxy

from ..browser.support import PACKAGES, lacks, need_packages
from ..clients.openai_api import QUESTION, OpenAIApi
from ..clients.support import (
    KEY,
    Client,
    PageClientTestCase,
    ProviderStage,
    PythonClientTestCase,
    need_python,
)

try:
    import openai
except ImportError:
    openai = None

ISSUER = "issuer-" + "i" * 32
DOCS = (Path(__file__).parents[2] / "docs" / "page-tokens.md").read_text("utf-8")


def example(name: str) -> str:
    """The block of docs/page-tokens.md behind its mark."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", DOCS, re.DOTALL)
    assert found is not None, name
    return found[1]


class Stage(OpenAIApi, ProviderStage):
    """OpenAI's API behind a server that has page tokens."""

    provider = "openai"
    base_path = "/v1"
    page_tokens = {"issuers": [ISSUER], "keys": "k" * 32}

    async def mint(self, **members: Any) -> dict[str, Any]:
        """What the backend gets."""
        headers = [("Authorization", f"Bearer {ISSUER}"), ("Content-Type", "application/json")]
        order = {"sub": "ada", "routes": ["/x"], "ttl": 60, **members}
        answer = await self.running.ask(
            "POST", "/api/v1/tokens", headers, json.dumps(order).encode()
        )
        self.assertEqual(answer.status, 200, answer.body)
        minted: dict[str, Any] = json.loads(answer.body)
        return minted

    async def revoke(self, token_id: str) -> None:
        headers = [("Authorization", f"Bearer {ISSUER}")]
        answer = await self.running.ask("DELETE", f"/api/v1/tokens/{token_id}", headers)
        self.assertEqual(answer.status, 204)


class PythonTests(Stage, PythonClientTestCase):
    """OpenAI's client for Python, unmodified."""

    client = Client("openai")

    def chat(self, token: str, **question: Any) -> Any:
        with openai.OpenAI(base_url=self.base, api_key=token, max_retries=0) as made:
            return made.chat.completions.create(**{**QUESTION, **question})

    async def test_key(self) -> None:
        """A token is its key, streams too, until it is revoked."""
        minted = await self.mint(models=["gpt-*"])
        answer = await self.ask(lambda: self.chat(minted["token"]))
        self.assertEqual(answer.choices[0].message.content, "Hello, Ada")
        pieces = await self.ask(lambda: list(self.chat(minted["token"], stream=True)))
        text = "".join(each.choices[0].delta.content or "" for each in pieces if each.choices)
        self.assertEqual(text, "Hello, Ada")
        await self.revoke(minted["id"])
        error = await self.fails(openai.AuthenticationError, lambda: self.chat(minted["token"]))
        self.assertEqual(error.code, "INVALID_TOKEN")

    async def test_refused(self) -> None:
        """Its own classes of errors tell what is wrong, and nothing gets to the vendor."""
        bound = await self.mint(origin="https://app.example.org")
        error = await self.fails(openai.PermissionDeniedError, lambda: self.chat(bound["token"]))
        self.assertEqual(error.code, "TOKEN_NOT_ALLOWED")
        other = await self.mint(models=["other"])
        error = await self.fails(openai.PermissionDeniedError, lambda: self.chat(other["token"]))
        self.assertEqual(error.code, "MODEL_NOT_ALLOWED")
        self.assertEqual(self.vendor.calls, [])


class PageTests(Stage, PageClientTestCase):
    """OpenAI's client for JavaScript, in a page of another origin, in Chromium."""

    client = Client("openai", "npm", in_page=True)
    module = """
    import OpenAI from "openai";
    window.client = (baseURL, apiKey) =>
      new OpenAI({ baseURL, apiKey, dangerouslyAllowBrowser: true, maxRetries: 0 });
    """
    chat = """
    const messages = [{ role: "user", content: "Hi" }];
    const asked = client(base, token).chat.completions;
    try {
      const whole = await asked.create({ model: "gpt-x", messages });
      const stream = await asked.create({ model: "gpt-x", messages, stream: true });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
      return [whole.choices[0].message.content, text];
    } catch (error) { return [error.status, error.code]; }
    """

    async def test_key(self) -> None:
        """A token that is bound to the page's origin is its key, there and for no other page."""
        await self.start()
        self.expect_console("403")
        said = []
        for origin in (self.pages.origin, "https://evil.example"):
            self.token = (await self.mint(origin=origin, models=["gpt-x"]))["token"]
            said.append(await self.script(self.chat))
        self.assertEqual(said, [["Hello, Ada"] * 2, [403, "TOKEN_NOT_ALLOWED"]])


class BackendTests(Stage):
    """The three backends of the documentation ask for a token, which works."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()
        proxy = create_external_proxy(
            provider="openai", key=KEY, target=f"http://127.0.0.1:{self.vendor_port}/v1"
        )
        self.running.server.mount("/openai", proxy)

    async def minted(self, program: str, *arguments: str) -> str:
        """The token that a program got: it prints the status and the answer as JSON."""
        secrets = {"PROXY": f"{self.running.url}/api/v1", "PAGE_TOKEN_ISSUER": ISSUER}
        out, err, status = await getProcessOutputAndValue(
            program, arguments, {**os.environ, **secrets}, str(PACKAGES.parent)
        )
        self.assertEqual(status, 0, err.decode())
        code, answer = json.loads(out)
        self.assertEqual((code, sorted(answer)), (200, ["expires_at", "id", "token"]))
        return str(answer["token"])

    async def works(self, token: str) -> None:
        headers = [("Authorization", f"Bearer {token}")]
        answer = await self.running.ask("GET", "/api/v1/openai/models", headers)
        self.assertEqual(answer.status, 200)

    async def node(self, code: str) -> str:
        node = shutil.which("node")
        if node is None:
            lacks("node is missing")
        return await self.minted(str(node), "--input-type=module", "--eval", code)

    async def test_express(self) -> None:
        need_packages("express")
        made = "const app = express();\n"
        code = example("express")
        self.assertIn(made, code)
        user = 'app.use((request, _, next) => { request.user = { id: "ada" }; next(); });\n'
        asks = """
        const server = app.listen(0, "127.0.0.1", async () => {
          const url = `http://127.0.0.1:${server.address().port}/ai-token`;
          const got = await fetch(url, { method: "POST" });
          console.log(JSON.stringify([got.status, await got.json()]));
          process.exit(0);
        });"""
        await self.works(await self.node(code.replace(made, made + user) + asks))

    async def test_next(self) -> None:
        """A route handler is a function of the web's own types."""
        code, found = re.subn(r"^import \{ auth \}.*\n", "", example("next"))
        self.assertEqual(found, 1)
        user = 'const auth = async () => ({ user: { id: "ada" } });\n'
        asks = "const got = await POST();\n"
        asks += "console.log(JSON.stringify([got.status, await got.json()]));\n"
        await self.works(await self.node(user + code + asks))

    async def test_django(self) -> None:
        need_python("django")
        need_python("requests")
        code = (
            "from django.conf import settings\nsettings.configure()\n"
            f"{example('django')}\n"
            "from types import SimpleNamespace\nfrom django.test import RequestFactory\n"
            "request = RequestFactory().post('/ai-token')\n"
            "request.user = SimpleNamespace(pk='ada')\nanswer = ai_token(request)\n"
            "print('[%d, %s]' % (answer.status_code, answer.content.decode()))\n"
        )
        await self.works(await self.minted(sys.executable, "-c", code))
