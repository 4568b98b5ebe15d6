"""OpenAI's API as several vendors serve it, and what a stock client of it does in the tests."""

from __future__ import annotations

from typing import Any

from .vendor import Call, Reply, sse

QUESTION = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "Hello, Ada"},
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    begun = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    return {**begun, "model": "gpt-x", "choices": [choice], **more}


CHUNKS = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hello, "}),
    chunk({"content": "Ada"}),
    chunk({}, "stop", usage=COMPLETION["usage"]),
)
OUTPUT = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hello, Ada", "annotations": [], "logprobs": []}],
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-x",
    "output": [OUTPUT],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    },
}
_BEGUN = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_EMPTY = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
_EVENTS: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": _BEGUN},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**OUTPUT, "status": "in_progress", "content": []},
    },
    {"type": "response.content_part.added", **_PLACE, "part": _EMPTY},
    {"type": "response.output_text.delta", **_PLACE, "delta": "Hello, Ada", "logprobs": []},
    {"type": "response.output_text.done", **_PLACE, "text": "Hello, Ada", "logprobs": []},
    {"type": "response.content_part.done", **_PLACE, "part": OUTPUT["content"][0]},  # type: ignore[index]
    {"type": "response.output_item.done", "output_index": 0, "item": OUTPUT},
    {"type": "response.completed", "response": RESPONSE},
)
EVENTS = tuple({**event, "sequence_number": number} for number, event in enumerate(_EVENTS))
MODELS = {
    "object": "list",
    "data": [{"id": "gpt-x", "object": "model", "created": 1, "owned_by": "them"}],
}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 5,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "assistants",
    "status": "processed",
}


def said(status: int, code: str, message: str, **headers: str) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, {"error": error}, {"x-request-id": "req_1", **headers})


def busy(attempt: int) -> Reply:
    """A refusal that says how long to wait, in seconds at first, then in milliseconds."""
    wait = {"retry-after": "1"} if attempt == 1 else {"retry-after-ms": "10"}
    limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}
    return said(429, "rate_limit_exceeded", "Rate limit reached", **wait, **limits)


class OpenAIApi:
    """The scripted vendor; models that it knows beside ``gpt-x``: busy, flaky, slow and endless.

    :ivar root: the path of the API.
    :ivar key_header: where the key has to be.
    :ivar chunks: the documents of a streamed chat.
    """

    root = "/v1"
    key_header = "authorization"
    chunks = CHUNKS

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, self.key_header):  # type: ignore[attr-defined]
            return said(401, "invalid_api_key", "Incorrect API key provided")
        name = call.path.removeprefix(self.root).strip("/").replace("/", "_")
        served = getattr(self, f"{call.method.lower()}_{name}", None)
        if served is None or not call.path.startswith(self.root):
            return said(404, "unknown_url", f"Unknown request URL: {call.method} {call.path}")
        reply: Reply = served(call)
        return reply

    def _of_model(self, call: Call) -> Reply | None:
        """The answer that a model gives to everything."""
        calls = len(self.vendor.calls)  # type: ignore[attr-defined]
        model = call.json.get("model", "")
        if model == "busy" or (model == "flaky" and calls < 3):
            return busy(calls)
        return None

    def post_chat_completions(self, call: Call) -> Reply:
        if not call.json.get("messages"):
            return said(400, "missing_required_parameter", "Missing required parameter: 'messages'")
        if refused := self._of_model(call):
            return refused
        model = call.json.get("model")
        headers = {"x-request-id": "req_1", "openai-processing-ms": "7"}
        if call.json.get("stream"):
            return Reply(
                headers=headers, events=sse(*self.chunks, done=True), hold=model == "endless"
            )
        return Reply(200, COMPLETION, headers, delay=3.0 if model == "slow" else 0.0)

    def post_responses(self, call: Call) -> Reply:
        if not call.json.get("input"):
            return said(400, "missing_required_parameter", "Missing required parameter: 'input'")
        if refused := self._of_model(call):
            return refused
        if call.json.get("stream"):
            return Reply(events=sse(*EVENTS, names=[event["type"] for event in EVENTS]))
        return Reply(200, RESPONSE)

    def get_models(self, call: Call) -> Reply:
        return Reply(200, MODELS)

    def post_files(self, call: Call) -> Reply:
        form = call.form
        if form.get("file/a.jsonl") != b"hello" or form.get("purpose") != b"assistants":
            return said(400, "missing_required_parameter", "'file' and 'purpose' are required")
        return Reply(200, FILE)

    def post_audio_transcriptions(self, call: Call) -> Reply:
        form = call.form
        if form.get("file/a.wav") != b"RIFF\x00\xff" or form.get("model") != b"whisper-x":
            return said(400, "missing_required_parameter", "'file' and 'model' are required")
        return Reply(200, {"text": "Hello, Ada"})

    def post_images_edits(self, call: Call) -> Reply:
        form = call.form
        if form.get("image/a.png") != b"\x89PNG" or form.get("prompt") != b"a hat":
            return said(400, "missing_required_parameter", "'image' and 'prompt' are required")
        return Reply(200, {"created": 1, "data": [{"b64_json": "iVBORw=="}]})

    def post_embeddings(self, call: Call) -> Reply:
        vector = {"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}
        if call.json.get("encoding_format") == "base64":
            vector["embedding"] = "AACAPgAAAD8="
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return Reply(200, {"object": "list", "data": [vector], "model": "e-x", "usage": usage})
