"""Groq's clients: OpenAI's API below ``/openai/v1``, which they add themselves."""

from __future__ import annotations

from . import stainless
from .openai_api import CHUNKS, COMPLETION, QUESTION, chunk
from .support import Client, PageClientTestCase, PythonClientTestCase

try:
    import groq
except ImportError:
    groq = None


class _Groq:
    provider = "groq"
    root = "/openai/v1"
    # A stream reports its tokens in a place of Groq's own.
    chunks = (*CHUNKS[:-1], chunk({}, "stop", x_groq={"id": "1", "usage": COMPLETION["usage"]}))
    library = groq


class PythonTests(_Groq, stainless.PythonTests, PythonClientTestCase):
    client = Client("groq")

    def make(self, **options):
        return groq.Groq(base_url=self.base, **options)

    async def test_model_version(self):
        """Groq's own header, which chooses a version of its compound models."""
        headers = {"Groq-Model-Version": "latest"}
        use = self.with_client(
            lambda made: made.chat.completions.create(**QUESTION, extra_headers=headers)
        )
        await self.ask(use)
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["groq-model-version"], "latest")


class PageTests(_Groq, stainless.PageTests, PageClientTestCase):
    client = Client("groq-sdk", "npm", in_page=True)
    module = f"""
import Groq from "groq-sdk";
window.Client = Groq;
window.made = (baseURL, apiKey, options) =>
  new Groq({{ baseURL, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true, ...options }});
{stainless.QUESTION_JS}"""
