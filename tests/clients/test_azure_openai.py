"""Azure's OpenAI: the key in ``api-key``, a deployment in the path, a version in the query."""

from __future__ import annotations

import re

from attrs import evolve

from . import stainless
from .openai_api import QUESTION, OpenAIApi, said
from .support import TOKEN, Client, PageClientTestCase, PythonClientTestCase

try:
    import openai
except ImportError:
    openai = None

VERSION = "2024-10-21"
_DEPLOYMENT = re.compile(
    r"/openai(/v1|/deployments/(?:gpt-x|whisper-x|busy|flaky|slow|endless))?(/.*)"
)


class _Azure:
    provider = "azure-openai"
    key_header = "api-key"
    library = openai

    def answer(self, call):
        if "authorization" in call.headers:
            return said(401, "401", "Access denied: the bearer token is not Entra's")
        found = _DEPLOYMENT.fullmatch(call.path)
        if found is None:
            return said(404, "DeploymentNotFound", "The API deployment does not exist")
        if found[1] != "/v1" and call.query != f"api-version={VERSION}":
            return said(404, "404", "Resource not found")
        return OpenAIApi.answer(self, evolve(call, path=f"/v1{found[2]}"))


class PythonTests(_Azure, stainless.PythonTests, PythonClientTestCase):
    client = Client("openai", variant="AzureOpenAI")

    def make(self, **options):
        return openai.AzureOpenAI(azure_endpoint=self.base, api_version=VERSION, **options)

    async def test_entra_token(self):
        """The token may be where Entra's would be, too."""

        def use():
            made = self.make(azure_ad_token=TOKEN, max_retries=0)
            return made.chat.completions.create(**QUESTION).id

        self.assertEqual(await self.ask(use), "chatcmpl-1")

    async def test_v1(self):
        """The API without versions, of which OpenAI's own client is the client."""

        def use():
            made = openai.OpenAI(base_url=f"{self.base}/openai/v1/", api_key=TOKEN, max_retries=0)
            return made.chat.completions.create(**QUESTION).id

        self.assertEqual(await self.ask(use), "chatcmpl-1")


class PageTests(_Azure, stainless.PageTests, PageClientTestCase):
    client = Client("openai", "npm", in_page=True, variant="AzureOpenAI")
    module = f"""
import {{ AzureOpenAI }} from "openai";
window.Client = AzureOpenAI;
window.made = (endpoint, apiKey, options) => new AzureOpenAI({{
  endpoint, apiKey, apiVersion: "{VERSION}", maxRetries: 0, dangerouslyAllowBrowser: true,
  ...options }});
{stainless.QUESTION_JS}"""
