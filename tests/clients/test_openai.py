"""OpenAI's clients: a bearer key; they tell an account by header only where it is named."""

from __future__ import annotations

from .support import TOKEN, Call, Client, PythonClientTestCase, Reply

try:
    import openai
except ImportError:
    openai = None

QUESTION = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello, Ada"},
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


def said(status: int, code: str, message: str, **headers: str) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, {"error": error}, {"x-request-id": "req_1", **headers})


class _OpenAI:
    provider = "openai"
    base_path = "/v1"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return said(401, "invalid_api_key", "Incorrect API key provided")
        if (call.method, call.path) == ("POST", "/v1/chat/completions"):
            return Reply(200, COMPLETION, {"x-request-id": "req_1"})
        return said(404, "unknown_url", "Unknown request URL")


class PythonTests(_OpenAI, PythonClientTestCase):
    client = Client("openai")

    def with_client(self, use, **options):
        def work():
            options.setdefault("max_retries", 0)
            with openai.OpenAI(api_key=TOKEN, base_url=self.base, **options) as made:
                return use(made)

        return work

    async def test_chat(self):
        use = self.with_client(lambda made: made.chat.completions.create(**QUESTION))
        answer = await self.ask(use)
        self.assertEqual(answer.choices[0].message.content, "Hello, Ada")

    async def test_account(self):
        """The organisation is never dropped: the call would be billed to another one."""
        use = self.with_client(
            lambda made: made.chat.completions.create(**QUESTION), organization="org-1"
        )
        error = await self.fails(openai.BadRequestError, use)
        self.assertEqual(error.code, "HEADER_NOT_ALLOWED")
        self.assertIn('pass_headers = ["OpenAI-Organization"]', str(error))
        self.assertEqual(self.vendor.calls, [])
