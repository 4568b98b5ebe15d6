"""What the demo model says, in the JSON shapes of the OpenAI API. Pure.

Shapes: https://platform.openai.com/docs/api-reference, as far as the official client reads them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import frozen

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"
EMBEDDING_SIZE = 8
_MAX_QUESTION = 300


def _text_of(content: object) -> str:
    """The text of a message, whose content is a string or a list of parts, some with ``text``."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return " ".join(part for part in parts if isinstance(part, str))


def last_question(body: Json) -> str:
    """The user's last message of a chat (``messages``) or responses (``input``) request."""
    conversation = body.get("messages", body.get("input", ""))
    if isinstance(conversation, str):
        return conversation
    if not isinstance(conversation, list):
        return ""
    asked = [m for m in conversation if isinstance(m, dict) and m.get("role") == "user"]
    return _text_of(asked[-1].get("content")) if asked else ""


def reply_to(question: str) -> str:
    """The canned answer; a long question is quoted in part."""
    asked = " ".join(question.split()) or "nothing"
    if len(asked) > _MAX_QUESTION:
        asked = asked[:_MAX_QUESTION] + "..."
    return (
        f"You asked: {asked} "
        "This answer was streamed word by word by the demo upstream. No model was asked: it is "
        "the same text for everybody. It needed a key, and the proxy added that key on its way; "
        "your browser never saw it."
    )


def words(text: str) -> list[str]:
    """*text* cut after each word; joined they are *text* again."""
    return re.findall(r"\S+\s*", text)


def sse(document: Json) -> bytes:
    """One server-sent event: ``data: {json}`` and an empty line."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _usage(question: str, reply: str) -> Json:
    prompt, completion = len(words(question)), len(words(reply))
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


@frozen
class Answer:
    """One canned answer, and the documents of the API that carry it.

    :ivar id: unique for each call; each kind of document has its own prefix before it.
    :ivar created: seconds since the epoch.
    """

    id: str
    model: str
    created: int
    question: str

    @property
    def text(self) -> str:
        return reply_to(self.question)

    def _choice(self, **members: object) -> Json:
        return {"index": 0, "logprobs": None, **members}

    def _chat(self, kind: str, choices: list[Json], **members: object) -> Json:
        return {
            "id": f"chatcmpl-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **members,
        }

    def completion(self) -> Json:
        """The body of a plain chat answer."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = self._choice(message=message, finish_reason="stop")
        return self._chat("chat.completion", [choice], usage=_usage(self.question, self.text))

    def chunks(self, include_usage: bool = False) -> Iterator[Json]:
        """The documents of a streamed chat answer, one a word between the first and the last."""
        chunk = partial(self._chat, "chat.completion.chunk")
        opening = {"role": "assistant", "content": ""}
        yield chunk([self._choice(delta=opening, finish_reason=None)])
        for word in words(self.text):
            yield chunk([self._choice(delta={"content": word}, finish_reason=None)])
        yield chunk([self._choice(delta={}, finish_reason="stop")])
        if include_usage:
            yield chunk([], usage=_usage(self.question, self.text))

    def response(self) -> Json:
        """The body of a plain answer of ``/v1/responses``."""
        content = {"type": "output_text", "text": self.text, "annotations": []}
        message = {
            "id": f"msg_{self.id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [content],
        }
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": self.created,
            "model": self.model,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "output": [message],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        }


def model_list(names: tuple[str, ...], created: int) -> Json:
    """The body of ``/v1/models``."""
    models = [
        {"id": name, "object": "model", "created": created, "owned_by": "naap-demo"}
        for name in names
    ]
    return {"object": "list", "data": models}


def _vector(text: str) -> list[float]:
    # Any numbers will do, as long as the same text gives the same ones.
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return [byte / 127.5 - 1.0 for byte in digest[:EMBEDDING_SIZE]]


def embeddings(body: Json) -> Json:
    """The body of ``/v1/embeddings``: a vector of ``EMBEDDING_SIZE`` numbers for each input."""
    texts = body.get("input", "")
    texts = texts if isinstance(texts, list) else [texts]
    data = []
    for index, text in enumerate(texts):
        numbers = _vector(str(text))
        vector: object = numbers
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{EMBEDDING_SIZE}f", *numbers)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    asked = sum(len(words(str(text))) for text in texts)
    usage = {"prompt_tokens": asked, "total_tokens": asked}
    return {"object": "list", "data": data, "model": str(body.get("model")), "usage": usage}
